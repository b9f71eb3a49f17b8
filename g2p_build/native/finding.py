"""The files by which a C or C++ project finds a library: for pkg-config and for CMake's find_package.

They name nothing outside the folder that they lie in, so an archive is unpacked anywhere, and moved.
"""

__all__ = ["finding", "finding_files"]


def finding_files(name: str) -> tuple[str, ...]:
    """The names of the files for a library called `name`, sorted."""
    return tuple(sorted([f"{name}-config-version.cmake", f"{name}-config.cmake", f"{name}.pc"]))


def finding(name: str, shared: str, triple: str, version: str) -> dict[str, str]:
    """The files for a library: name → text.

    Args:
        name: the library's, and the package's.
        shared: the file name of the shared library. The static one is ``libNAME.a``.
        triple: the target's.
        version: of the package: numbers with dots between them.
    """
    # Apple's and Android's C libraries have the threads in them.
    threads = "" if "apple" in triple or "android" in triple else " -lpthread"
    texts = {".pc": _PKG_CONFIG, "-config.cmake": _CMAKE, "-config-version.cmake": _CMAKE_VERSION}
    values = {"@NAME@": name, "@SHARED@": shared, "@VERSION@": version, "@THREADS@": threads}
    found = {}
    for suffix, text in texts.items():
        for key, value in values.items():
            text = text.replace(key, value)
        found[name + suffix] = text
    return found


_PKG_CONFIG = """prefix=${pcfiledir}

Name: @NAME@
Description: Speech models on the device, without a network
Version: @VERSION@
Cflags: -I${prefix}
Libs: -L${prefix} -l@NAME@
Libs.private: -lm@THREADS@
"""

_CMAKE = """# find_package(@NAME@ CONFIG REQUIRED)
# target_link_libraries(app PRIVATE @NAME@::@NAME@), or @NAME@::static
if(TARGET @NAME@::@NAME@)
  return()
endif()
include(CMakeFindDependencyMacro)
find_dependency(Threads)

add_library(@NAME@::@NAME@ SHARED IMPORTED)
set_target_properties(@NAME@::@NAME@ PROPERTIES
  IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/@SHARED@"
  INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}")
if(NOT APPLE)
  set_target_properties(@NAME@::@NAME@ PROPERTIES IMPORTED_NO_SONAME TRUE)
endif()

add_library(@NAME@::static STATIC IMPORTED)
set_target_properties(@NAME@::static PROPERTIES
  IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/lib@NAME@.a"
  IMPORTED_LINK_INTERFACE_LANGUAGES C
  INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}"
  INTERFACE_LINK_LIBRARIES "Threads::Threads;m")
"""

_CMAKE_VERSION = """set(PACKAGE_VERSION "@VERSION@")
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE) # the interface only grows
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
"""
