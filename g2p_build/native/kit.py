"""The kit: everything from which an app's own tools build the library. It is for platforms that we cannot link for.

It holds the kernels as an object file (for Apple's platforms a static library in an XCFramework), the C that calls
them, the core with its header, and a project for the platform's tools: a Swift package or a CMake project.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["kit", "kit_files"]

_FRAMEWORK = "G2PKernels.xcframework"
_LIBRARY = f"{_FRAMEWORK}/ios-arm64/libg2pkernels.a"


def kit_files(sources: Sequence[str], triple: str) -> tuple[str, ...]:
    """The names of a kit's files, sorted.

    Args:
        sources: names of the C files and headers.
        triple: the target's.
    """
    if "apple" in triple:
        project = ["Package.swift", "module.modulemap", f"{_FRAMEWORK}/Info.plist", _LIBRARY]
    else:
        project = ["CMakeLists.txt", "kernels.o"]
    return tuple(sorted([*sources, *project]))


def kit(sources: Mapping[str, str | Path], kernels: Path, triple: str, out: Path) -> None:
    """Writes a kit.

    Args:
        sources: file name → its text, or its path.
        kernels: the object file.
        triple: the target's.
        out: an empty folder.

    Raises:
        BuildError: the archiver refuses the kernels.
    """
    import plistlib  # late: an up-to-date build calls only `kit_files`

    from g2p_build.compiler.link import static_library

    for name, source in sources.items():
        if isinstance(source, Path):
            shutil.copyfile(source, out / name)
        else:
            (out / name).write_text(source, encoding="utf-8")
    units = sorted(name for name in sources if name.endswith(".c"))
    if "apple" in triple:
        (out / _LIBRARY).parent.mkdir(parents=True)
        static_library([kernels], out / _LIBRARY)
        (out / _FRAMEWORK / "Info.plist").write_bytes(plistlib.dumps(_INFO))
        (out / "module.modulemap").write_text('module CG2P {\n  header "g2p.h"\n  export *\n}\n')
        (out / "Package.swift").write_text(_PACKAGE.replace("SOURCES", ", ".join(f'"{unit}"' for unit in units)))
    else:
        shutil.copyfile(kernels, out / "kernels.o")
        (out / "CMakeLists.txt").write_text(_CMAKE.replace("SOURCES", "\n  ".join(units)))


_INFO = {
    "AvailableLibraries": [
        {
            "LibraryIdentifier": "ios-arm64",
            "LibraryPath": "libg2pkernels.a",
            "SupportedArchitectures": ["arm64"],
            "SupportedPlatform": "ios",
        }
    ],
    "CFBundlePackageType": "XFWK",
    "XCFrameworkFormatVersion": "1.0",
}

_PACKAGE = """// swift-tools-version:5.9
import PackageDescription

let package = Package(
  name: "G2P",
  platforms: [.iOS(.v14)],
  products: [.library(name: "CG2P", targets: ["CG2P"])],
  targets: [
    .target(
      name: "CG2P",
      dependencies: ["G2PKernels"],
      path: ".",
      sources: [SOURCES],
      publicHeadersPath: "."
    ),
    .binaryTarget(name: "G2PKernels", path: "G2PKernels.xcframework"),
  ],
  cLanguageStandard: .c11
)
"""

_CMAKE = """cmake_minimum_required(VERSION 3.18)
project(g2p C)

# target_link_libraries(your_app PRIVATE g2p)
add_library(g2p STATIC
  SOURCES
  ${CMAKE_CURRENT_SOURCE_DIR}/kernels.o)
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/kernels.o PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
set_target_properties(g2p PROPERTIES C_STANDARD 11 C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
target_include_directories(g2p PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
if(NOT ANDROID)
  find_package(Threads REQUIRED)
  target_link_libraries(g2p PUBLIC Threads::Threads)
endif()
target_link_libraries(g2p PUBLIC m)
"""
