"""Searches in a published table, where an evaluation is a look-up."""
