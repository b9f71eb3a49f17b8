"""Finds and reads checkpoints. `embedded/` is the checkpoint that comes with the package."""
