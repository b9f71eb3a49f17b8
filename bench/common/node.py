"""The Node that the benchmarks of WebAssembly run in."""

import subprocess

__all__ = ["node"]

_LEAST = 21
"""The first version with relaxed SIMD."""


def node() -> str:
    """The command.

    Raises:
        SystemExit: there is none on PATH, or it is older than `_LEAST`: one line.
    """
    advice = f"put Node {_LEAST} or later first in PATH: it has relaxed SIMD"
    try:
        version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(f"no node can be run: {advice}") from None
    if int(version.removeprefix("v").partition(".")[0]) < _LEAST:
        raise SystemExit(f"node is {version}: {advice}")
    return "node"
