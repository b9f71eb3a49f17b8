"""This machine as a compiler sees it: its triple, its CPU level and its features. Uses only the standard library.

On every system, features have their names in Linux's ``/proc/cpuinfo`` ("pni" is SSE3, "abm" includes LZCNT). The
x86-64 levels are those of the x86-64 psABI.
"""

import ctypes
import ctypes.util
import functools
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = [
    "CPU_FEATURES",
    "cpu_features",
    "host_cpu",
    "host_triple",
    "missing_features",
    "parse_cpuinfo",
    "same_platform",
]

_V2 = ("cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3")
_V3 = (*_V2, "abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave")
_V4 = (*_V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")

# CPU → the features that code compiled for it may use, beyond those of every CPU of its architecture.
CPU_FEATURES: dict[str, tuple[str, ...]] = {
    "x86-64": (),
    "x86-64-v2": tuple(sorted(_V2)),
    "x86-64-v3": tuple(sorted(_V3)),
    "x86-64-v4": tuple(sorted(_V4)),
    "generic": (),
    "apple-a14": ("asimddp", "asimdhp", "fphp"),
}

# macOS's names for features → Linux's. AArch64 features have sysctl keys of their own.
_MACOS_NAMES = {
    "sse3": "pni",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
    "avx1.0": "avx",
    "lahf": "lahf_lm",
    "lzcnt": "abm",
}
_MACOS_X86 = ("machdep.cpu.features", "machdep.cpu.leaf7_features", "machdep.cpu.extfeatures")
_MACOS_ARM = {"hw.optional.arm.FEAT_DotProd": ("asimddp",), "hw.optional.arm.FEAT_FP16": ("asimdhp", "fphp")}


def _machine() -> str:
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


@functools.cache
def host_triple() -> str:
    """This machine as an LLVM triple: "x86_64-linux-gnu", "aarch64-linux-musl", "arm64-apple-macosx"."""
    machine = _machine()
    if sys.platform == "darwin":
        return f"{'arm64' if machine == 'aarch64' else machine}-apple-macosx"
    if sys.platform == "win32":
        return f"{machine}-pc-windows-msvc"
    libc = "musl" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else "gnu"
    return f"{machine}-linux-{libc}"


def same_platform(triple: str, other: str) -> bool:
    """Whether two triples mean the same architecture, system and C library.

    Versions ("macosx11.0") and vendors ("unknown", "pc") do not count. "arm64" is "aarch64".
    """
    return _platform(triple) == _platform(other)


def _platform(triple: str) -> tuple[str, ...]:
    machine, *rest = triple.lower().split("-")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    parts = (re.sub(r"[\d.]+$", "", part) for part in rest if part not in ("unknown", "pc"))
    return machine, *({"darwin": "macosx", "macos": "macosx"}.get(part, part) for part in parts)


def parse_cpuinfo(text: str) -> frozenset[str]:
    """The features that every processor has, from the text of ``/proc/cpuinfo``."""
    lists = [
        frozenset(line.partition(":")[2].split())
        for line in text.splitlines()
        if re.match(r"(flags|Features)\s*:", line)
    ]
    return frozenset.intersection(*lists) if lists else frozenset()


@functools.cache
def cpu_features() -> frozenset[str]:
    """The features of this machine's CPU, named as in Linux's cpuinfo. Empty if they cannot be read."""
    if sys.platform == "darwin":
        return frozenset(_macos_features())
    try:
        return parse_cpuinfo(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return frozenset()


def _macos_features() -> Iterator[str]:
    for key in _MACOS_X86:
        for name in _sysctl(key).decode("ascii", "replace").rstrip("\0").lower().split():
            yield _MACOS_NAMES.get(name, name)
    for key, names in _MACOS_ARM.items():
        if any(_sysctl(key)):
            yield from names


def _sysctl(key: str) -> bytes:
    """The raw value of a sysctl key of macOS. Empty if there is no such key."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    size = ctypes.c_size_t(0)
    if libc.sysctlbyname(key.encode(), None, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return b""
    value = ctypes.create_string_buffer(size.value)
    if libc.sysctlbyname(key.encode(), value, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return b""
    return value.raw[: size.value]


@functools.cache
def host_cpu() -> str:
    """The highest level that this CPU supports: a key of `CPU_FEATURES`, which is also LLVM's name for a CPU."""
    if _machine() != "x86_64":
        return "apple-a14" if sys.platform == "darwin" else "generic"  # the M1 has the A14's cores
    levels = ("x86-64-v4", "x86-64-v3", "x86-64-v2")
    return next((level for level in levels if not missing_features(CPU_FEATURES[level])), "x86-64")


def missing_features(required: Iterable[str]) -> tuple[str, ...]:
    """The required features that this CPU lacks, sorted."""
    return tuple(sorted(set(required) - cpu_features()))
