"""How long a build takes: `python -m bench.build` beside other build tools, `python -m bench.build.ci` as in CI."""
