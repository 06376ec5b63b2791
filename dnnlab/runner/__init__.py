"""From a spec to a finished folder: plan, processes, journal, tables. No experiment is named here."""
