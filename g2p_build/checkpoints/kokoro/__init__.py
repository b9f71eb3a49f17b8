"""Finds and reads Kokoro's checkpoints and voices."""
