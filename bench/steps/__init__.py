"""What steps of several tokens cost: `python -m bench.steps` measures it, and writes the core's table of prices."""
