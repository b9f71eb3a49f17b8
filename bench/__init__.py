"""Benchmarks, run by hand. What they found lies in docs/benchmarks/, each with the command that made it.

`pronounce` is `doit bench`, `speak` is `doit bench family=kokoro`, `accuracy` is `doit bench accuracy`; `build` and
`web` are run as `python -m bench.build` and `python -m bench.web`.
"""
