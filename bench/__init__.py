"""Benchmarks, run by hand: what they found lies in docs/benchmarks/ with the command that made it."""
