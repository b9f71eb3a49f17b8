"""The kit: everything from which an app's own tools build the library. It is for platforms that we cannot link for.

It holds the kernels as an object file (for Apple's platforms a static library in an XCFramework), the C that calls
them, the core with its header, and a project for the platform's tools: a Swift package or a CMake project.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["kit", "kit_files"]


def kit_files(name: str, sources: Sequence[str], triple: str) -> tuple[str, ...]:
    """The names of a kit's files, sorted.

    Args:
        name: the library's.
        sources: names of the C files and headers.
        triple: the target's.
    """
    if "apple" in triple:
        framework = _framework(name)
        project = ["Package.swift", "module.modulemap", f"{framework}/Info.plist", f"{framework}/{_static(name)}"]
    else:
        project = ["CMakeLists.txt", "kernels.o"]
    return tuple(sorted([*sources, *project]))


def _framework(name: str) -> str:
    return f"{name.upper()}Kernels.xcframework"


def _static(name: str) -> str:
    """The path of the static library of kernels inside the framework."""
    return f"ios-arm64/lib{name}kernels.a"


def kit(name: str, sources: Mapping[str, str | Path], kernels: Path, triple: str, out: Path) -> None:
    """Writes a kit.

    Args:
        name: the library's.
        sources: file name → its text, or its path.
        kernels: the object file; for Apple's platforms a static library with it.
        triple: the target's.
        out: an empty folder.
    """
    import plistlib  # late: an up-to-date build calls only `kit_files`

    for file, source in sources.items():
        if isinstance(source, Path):
            shutil.copyfile(source, out / file)
        else:
            (out / file).write_text(source, encoding="utf-8")
    units = sorted(file for file in sources if file.endswith(".c"))
    if "apple" in triple:
        framework, title = out / _framework(name), name.upper()
        (framework / _static(name)).parent.mkdir(parents=True)
        shutil.copyfile(kernels, framework / _static(name))
        (framework / "Info.plist").write_bytes(plistlib.dumps(_info(name)))
        (out / "module.modulemap").write_text(f'module C{title} {{\n  header "{name}.h"\n  export *\n}}\n')
        listed = ", ".join(f'"{unit}"' for unit in units)
        (out / "Package.swift").write_text(_PACKAGE.replace("SOURCES", listed).replace("TITLE", title))
    else:
        shutil.copyfile(kernels, out / "kernels.o")
        (out / "CMakeLists.txt").write_text(_CMAKE.replace("SOURCES", "\n  ".join(units)).replace("TITLE", name))


def _info(name: str) -> dict[str, Any]:
    """An XCFramework's Info.plist."""
    library = {
        "LibraryIdentifier": "ios-arm64",
        "LibraryPath": _static(name).partition("/")[2],
        "SupportedArchitectures": ["arm64"],
        "SupportedPlatform": "ios",
    }
    return {"AvailableLibraries": [library], "CFBundlePackageType": "XFWK", "XCFrameworkFormatVersion": "1.0"}


_PACKAGE = """// swift-tools-version:5.9
import PackageDescription

let package = Package(
  name: "TITLE",
  platforms: [.iOS(.v14)],
  products: [.library(name: "CTITLE", targets: ["CTITLE"])],
  targets: [
    .target(
      name: "CTITLE",
      dependencies: ["TITLEKernels"],
      path: ".",
      sources: [SOURCES],
      publicHeadersPath: "."
    ),
    .binaryTarget(name: "TITLEKernels", path: "TITLEKernels.xcframework"),
  ],
  cLanguageStandard: .c11
)
"""

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
