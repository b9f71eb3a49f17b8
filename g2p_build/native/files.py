"""The names of the files that a target's library consists of. They are known before anything is built."""

from functools import cache
from pathlib import Path

from g2p_build.native.kit import kit_files

__all__ = ["CORE", "WEB", "core_files", "linked_files", "shared_name", "web_files"]

CORE = Path(__file__).with_name("core")
"""The core's C files and headers."""

WEB = Path(__file__).with_name("web")
"""The files that a WebAssembly module needs besides: a small C library, and the ES module that loads it."""


@cache
def core_files() -> dict[str, Path]:
    """The core's files by name."""
    return {path.name: path for path in sorted(CORE.iterdir()) if path.suffix in (".c", ".h")}


@cache
def web_files() -> dict[str, Path]:
    """The files for a WebAssembly module by name."""
    return {path.name: path for path in sorted(WEB.iterdir())}


def linked_files(triple: str, package: str) -> tuple[str, ...]:
    """The names of a standalone library's files, or of the kit's that an app's tools make one from; sorted."""
    if package == "objects":
        return kit_files([*core_files(), "contract.c", "program.c"], triple)
    if package == "module":
        return tuple(sorted(["g2p.h", "g2p.wasm", "sizes.json", *(name for name in web_files() if name != "libc.c")]))
    return tuple(sorted([shared_name(triple), "g2p.h", "libg2p.a", "sizes.json"]))


def shared_name(triple: str) -> str:
    """The name of the shared library on a platform."""
    return "libg2p.dylib" if "apple" in triple else "libg2p.so"
