"""Intervals, comparisons, correlations and random streams."""
