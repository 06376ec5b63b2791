"""Building blocks side by side: what each saves, counted and timed."""
