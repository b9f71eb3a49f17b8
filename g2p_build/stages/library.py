"""Stage: Relax module → object code for the target."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.store.files import canonical_json

__all__ = ["TOOLS", "build", "memory"]

TOOLS = ("apache-tvm", "apache-tvm-ffi", "ziglang")


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Bytes that a run and its linker take at most beyond the worker's own: they grow with the module."""
    return 200_000_000 + 60 * inputs["program.json"].stat().st_size


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes the kernels and what calls them, and `functions.json`: the functions with the workspace that each needs.

    For a standalone library that is `kernels.o` and `program.c`, which the stage `link` makes a library of. For the
    virtual machine it is `model.so` with the runtime library that it needs, or `lib0.o` and `devc.o`.

    Args:
        params: the target's `kind`, `triple`, `cpu`, `features`, `link`; for the virtual machine `library` (`shared`,
            `objects`).
        inputs: `program.json`, `functions.json`.
        out: an empty folder.

    Raises:
        BuildError: the compiler does not know the target.
    """
    import tvm

    from g2p_build.compiler.emit_c import emit
    from g2p_build.compiler.pipeline import kernels_object, lowered, target_of, vm_objects
    from g2p_build.compiler.workspace import workspace_bytes

    module = tvm.ir.load_json(inputs["program.json"].read_text(encoding="utf-8"))
    functions = json.loads(inputs["functions.json"].read_bytes())
    target = target_of(params)
    planned = lowered(module, target, params["link"], "plan")
    for function in functions:
        function["workspace_bytes"] = workspace_bytes(planned[function["name"]])
    (out / "functions.json").write_bytes(canonical_json(functions) + b"\n")
    if params["link"] == "standalone":
        (out / "program.c").write_text(emit(planned, functions), encoding="utf-8")
        kernels_object(planned, target, out / "kernels.o")
    else:
        _link_vm(vm_objects(planned, target, out), params, out)


def _link_vm(objects: list[Path], params: Mapping[str, Any], out: Path) -> None:
    import tvm

    from g2p_build.compiler.link import link_shared

    if params["library"] == "objects":
        return
    link_shared(objects, params["triple"], out / "model.so")
    for path in objects:
        path.unlink()
    shutil.copyfile(_runtime_library(Path(tvm.__file__).parent), out / "libtvm_runtime.so")


def _runtime_library(package: Path) -> Path:
    [found] = sorted(package.glob("lib/libtvm_runtime.so")) or sorted(package.glob("lib/libtvm_runtime.dylib"))
    return found
