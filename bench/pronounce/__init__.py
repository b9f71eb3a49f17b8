"""`doit bench` measures our variants beside the libraries that their users could pick instead, all in one run.

A **contender** is one library at one precision. It runs in a process of its own (`child`; `process` is our side of it)
and pronounces when it is asked to. `measure` asks all of them in turn, round after round, so that whatever else the
machine does slows all alike. `report` and `plot` show what came of it.
"""
