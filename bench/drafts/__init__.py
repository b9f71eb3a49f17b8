"""What guesses save: `python -m bench.drafts` says words with a draft table, with a wrong one, and without."""
