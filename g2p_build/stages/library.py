"""Stage: Relax module → object code for the target, linked where it is to run as it is."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["TOOLS", "build", "memory"]

TOOLS = ("apache-tvm", "apache-tvm-ffi", "ziglang")


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Bytes that a run and its linker take at most beyond the worker's own: they grow with the module."""
    return 200_000_000 + 60 * inputs["program.json"].stat().st_size


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `model.so` and the runtime library it needs, or `lib0.o` and `devc.o` for an app's own linker.

    Args:
        params: the target's `kind`, `triple`, `cpu`, `features`, `link` and `library` (`shared`, `objects`).
        inputs: `program.json`.
        out: an empty folder.

    Raises:
        BuildError: the compiler does not know the target.
    """
    import tvm

    from g2p_build.compiler.link import link_shared
    from g2p_build.compiler.pipeline import compile

    module = tvm.ir.load_json(inputs["program.json"].read_text(encoding="utf-8"))
    objects = compile(module, params, out)
    if params["library"] == "shared":
        link_shared(objects, params["triple"], out / "model.so")
        for path in objects:
            path.unlink()
        shutil.copyfile(_runtime_library(Path(tvm.__file__).parent), out / "libtvm_runtime.so")


def _runtime_library(package: Path) -> Path:
    [found] = sorted(package.glob("lib/libtvm_runtime.so")) or sorted(package.glob("lib/libtvm_runtime.dylib"))
    return found
