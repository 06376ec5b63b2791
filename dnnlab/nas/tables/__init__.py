"""Searches of a published table, where an evaluation is a look-up."""
