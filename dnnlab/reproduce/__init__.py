"""Every claim of the lecture, run and decided: recipes, verdicts, the ledger and its page."""
