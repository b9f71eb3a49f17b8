"""What a benchmark ran on."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["cores", "describe", "lines", "load"]


def describe(before: float | None) -> dict[str, Any]:
    """The processor, its cores as this process may use them, memory, system and load.

    Args:
        before: `load()` when measuring began.
    """
    flags = _field("flags").split()
    widest = next((name for name in ("avx512f", "avx2", "asimd") if name in flags), None)
    return {
        "processor": _field("model name") or platform.processor() or "unknown",
        "machine": platform.machine(),
        "vectors": {"avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}.get(widest or ""),
        "cores": cores(),
        "memory_gib": round(_memory() / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": [before, load()],
    }


def lines(machine: Mapping[str, Any], versions: Mapping[str, str]) -> list[str]:
    """A list for a page: what `describe` found, and the versions of what was measured."""
    found = [
        f"- {machine['processor']} ({machine['machine']}, {machine['vectors'] or 'no known vectors'}), "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB",
        f"- {machine['system']}, Python {machine['python']}",
        f"- load before and after: {machine['load'][0]} and {machine['load'][1]} processes",
    ]
    found[2:2] = [f"- {', '.join(f'{name} {version}' for name, version in versions.items())}"] if versions else []
    return found


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """Processes that wanted to run, on average over the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _field(name: str) -> str:
    """A field of the first processor in Linux's list, "" where there is none."""
    path = Path("/proc/cpuinfo")
    listed = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in listed if line.partition("\t")[0].strip() == name), "")


def _memory() -> int:
    """Bytes; 0 where the system does not say."""
    known = "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {})
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if known else 0
