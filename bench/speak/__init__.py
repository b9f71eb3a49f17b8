"""`doit bench family=kokoro` measures our speech beside what else speaks with the same weights, all in one run.

As in `bench.pronounce`, a **contender** is one library at one precision, in a process of its own (`child`), and all of
them take turns, round after round (`measure`). `work` counts what the programs compute, `roof` measures what the
machine could, and `programs` has each program timed where it runs.
"""
