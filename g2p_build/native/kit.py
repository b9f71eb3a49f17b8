"""The kit: everything from which an app's own tools build the library. It is for platforms that we cannot link for.

It holds the kernels as an object file (for Apple's platforms static libraries in an XCFramework), the C that calls
them, the core with its header, and a project for the platform's tools: a Swift package or a CMake project.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["RESOURCES", "SLICES", "Slice", "kit", "kit_files"]


@dataclass(frozen=True)
class Slice:
    """A platform of an XCFramework. All of them run the same kernels: only a number in the object file differs."""

    name: str  # a folder of the framework
    platform: str  # Apple's word for it
    variant: str | None  # "simulator", or none
    number: int  # of the platform in an object file, by <mach-o/loader.h>
    least: int | None  # the oldest major version of the system; None: as the target's triple says


SLICES = (
    Slice("ios-arm64", "ios", None, 2, None),
    Slice("ios-arm64-simulator", "ios", "simulator", 7, None),
    Slice("macos-arm64", "macos", None, 1, 11),
)

RESOURCES = "Sources/{title}/Weights"
"""The folder of a Swift package for what its API opens by itself. Apple signs no bundle with a folder "Resources"."""


def kit_files(name: str, sources: Sequence[str], swift: Sequence[str], triple: str) -> tuple[str, ...]:
    """The names of a kit's files, sorted.

    Args:
        name: the library's.
        sources: names of the C files and headers.
        swift: names of the Swift files of an API over them; may be empty.
        triple: the target's.
    """
    if "apple" not in triple:
        return tuple(sorted([*sources, "CMakeLists.txt", "kernels.o"]))
    framework = [f"{_framework(name)}/{file}" for file in ("Info.plist", *(_static(name, each) for each in SLICES))]
    placed = [_place(name, file) for file in (*sources, "module.modulemap", *swift)]
    resources = [f"{RESOURCES.format(title=name.upper())}/README.txt"] if swift else []
    return tuple(sorted(["Package.swift", *framework, *placed, *resources]))


def _framework(name: str) -> str:
    return f"{name.upper()}Kernels.xcframework"


def _static(name: str, each: Slice) -> str:
    """The path of a slice's static library of kernels inside the framework."""
    return f"{each.name}/lib{name}kernels.a"


def _place(name: str, file: str) -> str:
    """The path of a file in a Swift package."""
    if file.endswith(".swift"):
        return f"Sources/{name.upper()}/{file}"
    public = "include/" if file in (f"{name}.h", "module.modulemap") else ""
    return f"Sources/C{name.upper()}/{public}{file}"


def kit(
    name: str,
    sources: Mapping[str, str | Path],
    swift: Mapping[str, Path],
    kernels: Mapping[str, Path],
    triple: str,
    out: Path,
) -> None:
    """Writes a kit.

    Args:
        name: the library's.
        sources: name of a C file or header → its text, or its path.
        swift: name of a Swift file → its path; may be empty. Only Apple's platforms take them.
        kernels: the object file as ``kernels.o``; for Apple's platforms the name of a slice → a static library with it.
        triple: the target's.
        out: an empty folder.
    """
    import plistlib  # late: an up-to-date build calls only `kit_files`

    units = sorted(file for file in sources if file.endswith(".c"))
    if "apple" in triple:
        framework, title = _framework(name), name.upper()
        modules = f'module C{title} {{\n  header "{name}.h"\n  export *\n}}\n'
        placed = {**sources, **swift, "module.modulemap": modules}
        files: dict[str, str | bytes | Path] = {_place(name, file): source for file, source in placed.items()}
        files |= {f"{framework}/{_static(name, each)}": kernels[each.name] for each in SLICES}
        files[f"{framework}/Info.plist"] = plistlib.dumps(_info(name))
        files["Package.swift"] = _package(name, sources, bool(swift))
        if swift:
            files[f"{RESOURCES.format(title=title)}/README.txt"] = _README
    else:
        cmake = _CMAKE.replace("SOURCES", "\n  ".join(units)).replace("TITLE", name)
        files = {**sources, "kernels.o": kernels["kernels.o"], "CMakeLists.txt": cmake}
    for file, source in files.items():
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, Path):
            shutil.copyfile(source, out / file)
        else:
            (out / file).write_bytes(source.encode() if isinstance(source, str) else source)


def _info(name: str) -> dict[str, Any]:
    """An XCFramework's Info.plist."""
    libraries = [
        {
            "LibraryIdentifier": each.name,
            "LibraryPath": f"lib{name}kernels.a",
            "SupportedArchitectures": ["arm64"],
            "SupportedPlatform": each.platform,
        }
        | ({"SupportedPlatformVariant": each.variant} if each.variant else {})
        for each in SLICES
    ]
    return {"AvailableLibraries": libraries, "CFBundlePackageType": "XFWK", "XCFrameworkFormatVersion": "1.0"}


def _package(name: str, sources: Iterable[str], has_api: bool) -> str:
    title = name.upper()
    api = _API.replace("TITLE", title) if has_api else ""
    product = title if has_api else f"C{title}"
    included = ", ".join(f'"{file}"' for file in sorted(sources) if file.endswith(".inc"))
    return (
        _PACKAGE.replace("PRODUCT", product).replace("API", api).replace("INCLUDED", included).replace("TITLE", title)
    )


_API = """
    .target(name: "TITLE", dependencies: ["CTITLE"], resources: [.copy("Weights")]),"""

_PACKAGE = """// swift-tools-version:5.9
import PackageDescription

let package = Package(
  name: "TITLE",
  platforms: [.iOS(.v14), .macOS(.v11)],
  products: [.library(name: "PRODUCT", targets: ["PRODUCT"])],
  targets: [
    .target(name: "CTITLE", dependencies: ["TITLEKernels"], exclude: [INCLUDED]),API
    .binaryTarget(name: "TITLEKernels", path: "TITLEKernels.xcframework"),
  ],
  cLanguageStandard: .c11
)
"""

_README = "Put the other archives of the variant here: weights.tar, and for speech voices.tar.\n"

_CMAKE = """cmake_minimum_required(VERSION 3.18)
project(TITLE C)

# target_link_libraries(your_app PRIVATE TITLE)
add_library(TITLE STATIC
  SOURCES
  ${CMAKE_CURRENT_SOURCE_DIR}/kernels.o)
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/kernels.o PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
set_target_properties(TITLE PROPERTIES C_STANDARD 11 C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
target_include_directories(TITLE PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
if(NOT ANDROID)
  find_package(Threads REQUIRED)
  target_link_libraries(TITLE PUBLIC Threads::Threads)
endif()
target_link_libraries(TITLE PUBLIC m)
"""
