"""The names of the files that a target's library consists of. They are known before anything is built."""

from functools import cache
from pathlib import Path

from g2p_build.native.finding import finding_files
from g2p_build.native.kit import kit_files

__all__ = [
    "ANDROID",
    "BIONIC",
    "CORE",
    "DART",
    "G2P",
    "GENERATED",
    "KOTLIN",
    "RELAXED",
    "RELAXED_SIMD",
    "SWIFT",
    "SYSTEM",
    "TTS",
    "VARIANT",
    "WEB",
    "linked_files",
    "loaders",
    "relaxed_name",
    "shared_name",
    "source_files",
]

CORE = Path(__file__).with_name("core")
"""The folder of C files and headers that every family's library has."""

G2P = Path(__file__).with_name("g2p")
"""The folder of C files and headers that only the family g2p has."""

TTS = Path(__file__).with_name("tts")
"""The folder of C files and headers that only the family kokoro has."""

WEB = Path(__file__).with_name("web")
"""The folder with what every WebAssembly module needs besides: a small C library, and what its loader reads files with.

A folder in it, named after the library, has the loader of each family."""

ANDROID = Path(__file__).with_name("android")
"""The folder with what the functions share that a virtual machine calls.

A folder in it, named after the library, has those of each family."""

SWIFT = Path(__file__).with_name("swift")
"""The folder with what the Swift APIs over the C interfaces have in common.

A folder in it, named after the library, has the API of each family."""

SYSTEM = Path(__file__).with_name("bionic")
"""The folder with the header that stands in for those of Android's C library."""

DART = Path(__file__).with_name("dart")
"""The folder with the Dart API over the C interface of the family g2p."""

KOTLIN = Path(__file__).with_name("kotlin")
"""The folder with the little of Android's own classes that ours are compiled with.

A folder in it, named after the library, has the classes of each family."""

BIONIC = tuple(
    f"{name}.h"
    for name in (
        "errno",
        "fcntl",
        "pthread",
        "sched",
        "stdlib",
        "string",
        "sys/auxv",
        "sys/mman",
        "sys/stat",
        "time",
        "unistd",
    )
)
"""The headers of Android's C library in whose place `bionic.h` is included."""

VARIANT = "variant.h"
"""The header with which a program that links several libraries names the variant of one of them."""

RELAXED = "relaxed.mjs"
"""What the loader of a WebAssembly module has to know of the second one beside it."""

RELAXED_SIMD = "relaxed_simd"
"""The feature that this second module needs, spelled as CPUs' features are."""

GENERATED = ("default.c", "library.h", "model.inc", "program.inc", "variant.c", VARIANT)
"""The files that are written for each library. All other C files are the same in every library."""


@cache
def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The files of some folders by name."""
    return {path.name: path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()}


def loaders(web: tuple[Path, ...]) -> tuple[str, ...]:
    """The files that lie beside a WebAssembly module: the files of its folders that are not C."""
    return tuple(sorted(file for file in source_files(web) if not file.endswith(".c")))


def linked_files(
    name: str, folders: tuple[Path, ...], web: tuple[Path, ...], swift: tuple[Path, ...], triple: str, package: str
) -> tuple[str, ...]:
    """The names of a standalone library's files, or of the kit's that an app's tools make one from; sorted.

    Args:
        name: the library's.
        folders: with its C files and headers.
        web: the folders with what a WebAssembly module needs besides.
        swift: the folders with a Swift API; none if there is no API.
        triple: the target's.
        package: the target's.
    """
    if package == "objects":
        sources = sorted({*source_files(folders), *GENERATED})
        return kit_files(name, sources, list(source_files(swift)), triple)
    if package == "module":
        modules = (f"{name}.wasm", relaxed_name(name), RELAXED)
        return tuple(sorted([f"{name}.h", "sizes.json", *modules, *loaders(web)]))
    libraries = [shared_name(name, triple), f"lib{name}.a"]
    return tuple(sorted([*libraries, f"{name}.h", "sizes.json", VARIANT, *finding_files(name)]))


def relaxed_name(name: str) -> str:
    """The name of the WebAssembly module for engines with relaxed SIMD."""
    return f"{name}-relaxed.wasm"


def shared_name(name: str, triple: str) -> str:
    """The name of the shared library on a platform."""
    return f"lib{name}.dylib" if "apple" in triple else f"lib{name}.so"
