"""Every claim of the lecture, tested by a recipe: recipes, verdicts, the ledger and its page."""
