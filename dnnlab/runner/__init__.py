"""From a spec to a table: plan, journal, provenance, statistics. Knows no experiment by name."""
