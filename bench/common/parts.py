"""What a contender's process consists of: the libraries that it has mapped, and the versions of packages."""

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

__all__ = ["library_bytes", "versions"]


def library_bytes(parts: Iterable[str], process: str = "self") -> int:
    """Bytes of a process's shared libraries with one of `parts` in their path; 0 where the system has no list."""
    maps = Path("/proc", process, "maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    paths = {line.split(maxsplit=5)[5] for line in lines if ".so" in line}
    return sum(Path(path).stat().st_size for path in paths if any(part in path for part in parts))


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """The versions of packages that are installed here, by name."""
    return {name: importlib.metadata.version(name) for name in distributions}
