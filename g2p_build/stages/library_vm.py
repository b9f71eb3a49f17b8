"""Stage: object code → a library that an app loads with TVM's virtual machine."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.compiler.link import link_shared
from g2p_build.stages.protocol import Stage

__all__ = ["STAGE", "build", "memory"]

OBJECTS = ("lib0.o", "devc.o")  # they are linked in this order


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound in bytes of the memory for linking, without the worker's own."""
    return 300_000_000


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `model.so`, TVM's runtime library and its licence; for `objects` only copies the object files.

    Args:
        params: the target's `triple` and `package` (`shared`, `objects`).
        inputs: `lib0.o`, `devc.o`.
        out: an empty folder.

    Raises:
        BuildError: no library can be linked for the triple here, or zig refuses the objects.
    """
    linked = params["package"] == "shared"
    folder = out / "objects" if linked else out
    folder.mkdir(exist_ok=True)
    # A linker needs the file name's suffix, which blobs do not have.
    objects = [Path(shutil.copyfile(inputs[name], folder / name)) for name in OBJECTS]
    if not linked:
        return
    import tvm

    for name in ("LICENSE", "NOTICE"):
        shutil.copyfile(Path(tvm.__file__).parent / name, out / f"TVM-{name}")
    link_shared(objects, params["triple"], out / "model.so")
    shutil.copyfile(_runtime_library(Path(tvm.__file__).parent), out / "libtvm_runtime.so")


def _runtime_library(package: Path) -> Path:
    [found] = sorted(package.glob("lib/libtvm_runtime.so")) or sorted(package.glob("lib/libtvm_runtime.dylib"))
    return found


STAGE = Stage(build, tools=("apache-tvm", "ziglang"), memory=memory)
