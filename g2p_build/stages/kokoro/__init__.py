"""Stages that only Kokoro's models have."""
