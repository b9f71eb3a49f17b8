"""Checkpoints: where their files are and what is in them; `embedded/` is the one that comes with the package."""
