"""Object files to a shared library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from g2p_build.errors import BuildError

__all__ = ["LINKABLE", "link_shared"]

LINKABLE = {"x86_64-linux-gnu": "x86_64-linux-gnu.2.28", "aarch64-linux-gnu": "aarch64-linux-gnu.2.28"}
"""Triples that can be linked here, and zig's names for them: with the oldest C library that the result runs on."""


def link_shared(objects: Sequence[Path], triple: str, output: Path) -> None:
    """Links objects into a shared library that needs libc and libm only, and leaves other symbols to its loader.

    Args:
        objects: Relocatable object files for `triple`.
        triple: A key of `LINKABLE`.
        output: Where the library goes. Its bytes depend on those of the objects and their order, not on any path.

    Raises:
        BuildError: No library can be linked for the triple here, or the linker refuses the objects.
    """
    if triple not in LINKABLE:
        raise BuildError(
            f"cannot link a shared library for {triple!r} here (only for {' and '.join(LINKABLE)}): "
            "use library: objects"
        )
    with tempfile.TemporaryDirectory() as scratch:
        names = [f"{index}.o" for index in range(len(objects))]
        for name, source in zip(names, objects, strict=True):
            shutil.copyfile(source, Path(scratch, name))
        # Without -nostdlib zig would first compile a runtime of its own, which nothing here needs, for 20 seconds.
        command = [
            sys.executable,
            "-m",
            "ziglang",
            "cc",
            "-target",
            LINKABLE[triple],
            "-shared",
            "-nostdlib",
            *names,
            "-lm",
            "-lc",
            "-Wl,--build-id=none",
            "-s",
            "-o",
            "library.so",
        ]
        caches = {"ZIG_GLOBAL_CACHE_DIR": str(Path(scratch, "zig")), "ZIG_LOCAL_CACHE_DIR": str(Path(scratch, "zig"))}
        result = subprocess.run(command, cwd=scratch, env=os.environ | caches, capture_output=True, text=True)
        if result.returncode != 0:
            reason = next((line for line in result.stderr.splitlines() if "error" in line), result.stderr.strip())
            reason = reason or f"the linker ended with {result.returncode}"
            raise BuildError(f"linking for {triple} failed: {reason}")
        shutil.copyfile(Path(scratch, "library.so"), output)
