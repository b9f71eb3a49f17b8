"""What the benchmarks share: how a series is summed up, the machine, others' environments, pages and pictures."""
