"""`doit bench`: a variant against what its users would pick instead, side by side in one run.

A **contender** is one library at one precision, in a process of its own (`child`, held by `process`), which answers
when it is asked to pronounce. `measure` asks them in turn, round after round, so that whatever else the machine does
falls on all of them alike; `report` and `plot` say what came of it.
"""
