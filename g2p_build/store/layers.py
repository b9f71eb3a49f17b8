"""A cache that lies over another one, which is only read.

What is built goes into the upper one, and so does every record. What the lower one has is used from there. The other
modules of this package get the path of the upper one, and ask here what is below it.
"""

from pathlib import Path

__all__ = ["lay", "layers"]

_below: dict[Path, Path] = {}


def lay(cache: Path, shared: Path) -> None:
    """From now on, in this process, a cache lies over another one."""
    _below[cache] = shared


def layers(cache: Path) -> tuple[Path, ...]:
    """The folders that a cache is made of, in the order in which they are read. The first is written."""
    return (cache, _below[cache]) if cache in _below else (cache,)
