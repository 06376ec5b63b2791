"""Searches for several objectives, by the fronts that they find."""
