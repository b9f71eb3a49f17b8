"""The names of what is linked for a target: known before anything is built."""

from functools import cache
from pathlib import Path

from g2p_build.native.kit import kit_files

__all__ = ["CORE", "G2P", "GENERATED", "VARIANT", "WEB", "linked_files", "loaders", "shared_name", "source_files"]

CORE = Path(__file__).with_name("core")
"""C files and headers that every family's library has."""

G2P = Path(__file__).with_name("g2p")
"""Those of the family g2p."""

WEB = Path(__file__).with_name("web")
"""What a WebAssembly module of that family has besides: its C library, and what loads it."""

VARIANT = "variant.h"
"""The header by which a program that links several libraries names one's variant."""

GENERATED = ("default.c", "model.inc", "program.inc", "variant.c", VARIANT)
"""What is written for each library, beside the files that are the same in all."""


@cache
def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The files of some folders by name."""
    return {path.name: path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()}


def loaders(web: Path) -> tuple[str, ...]:
    """The files that lie beside a WebAssembly module: those of its folder that are not compiled."""
    return tuple(file for file in source_files((web,)) if not file.endswith(".c"))


def linked_files(name: str, folders: tuple[Path, ...], web: Path, triple: str, package: str) -> tuple[str, ...]:
    """The files of a standalone library, or of what an app's tools make one from, sorted.

    Args:
        name: The library's.
        folders: Of its C files and headers.
        web: Of what a WebAssembly module has besides.
        triple: The target's.
        package: The target's.
    """
    if package == "objects":
        return kit_files(name, [*source_files(folders), *GENERATED], triple)
    if package == "module":
        return tuple(sorted([f"{name}.h", f"{name}.wasm", "sizes.json", *loaders(web)]))
    return tuple(sorted([shared_name(name, triple), f"{name}.h", f"lib{name}.a", "sizes.json", VARIANT]))


def shared_name(name: str, triple: str) -> str:
    """What a shared library is called on a platform."""
    return f"lib{name}.dylib" if "apple" in triple else f"lib{name}.so"
