"""Stage: object code → what an app loads: a library of TVM's virtual machine."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.compiler.link import link_shared
from g2p_build.stages.protocol import Stage

__all__ = ["STAGE", "build", "memory"]

OBJECTS = ("lib0.o", "devc.o")  # in the order in which they are linked


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Bytes that linking takes at most beyond the worker's own."""
    return 300_000_000


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `model.so` with the runtime library that it needs and that one's licence, or the object files as they are.

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
    # A linker goes by the ends of names, which blobs do not have.
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
