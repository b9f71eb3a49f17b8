"""What a benchmark ran on."""

import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["cores", "describe", "load"]


def describe() -> dict[str, Any]:
    """The processor, its cores as this process may use them, memory and system."""
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
    }


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """Processes that wanted to run, on average over the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _field(name: str) -> str:
    """A field of the first processor in Linux's list, "" where there is none."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.partition("\t")[0].strip() == name), "")


def _memory() -> int:
    """Bytes; 0 where the system does not say."""
    known = "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {})
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if known else 0
