"""Stage: Relax module → object code for the target, and the C or bytecode that calls it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build", "memory"]


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own. It grows with the module."""
    return 200_000_000 + 60 * inputs["program.json"].stat().st_size


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes the object code, and `functions.json` with the workspace in bytes that each function needs: a number, or
    text like ``"64 + 512 * frames"``.

    For the engine `standalone` the object code is `kernels.o`, and `program.inc` is the C that calls it. The symbols
    contain a digest of the kernels, so that one program can link different libraries. For the engine `vm` the object
    code is `lib0.o` (kernels) and `devc.o` (the virtual machine's bytecode). Where many CPUs of a target have more than
    it asks for, `kernels.o` has second forms of some kernels, which are chosen when the library runs. For WebAssembly,
    whose modules have no such choice, `relaxed.o` has all kernels again, for engines with relaxed SIMD.

    Args:
        params: the target's `kind`, `triple`, `cpu`, `features`, `engine`.
        inputs: `program.json`, `functions.json`.
        out: an empty folder.

    Raises:
        BuildError: the compiler does not know the target.
    """
    import tvm

    from g2p_build.compiler.emit_c import Extension, emit
    from g2p_build.compiler.link import join_objects
    from g2p_build.compiler.passes.plain_calls import SYMBOLS
    from g2p_build.compiler.pipeline import (
        kernels_object,
        lowered,
        more_kernels,
        target_of,
        vm_objects,
        workspace_bytes,
    )
    from g2p_build.compiler.targets import extended, relaxed

    module = tvm.ir.load_json(inputs["program.json"].read_text(encoding="utf-8"))
    functions = json.loads(inputs["functions.json"].read_bytes())
    target = target_of(params)
    planned = lowered(module, target, params["engine"], "plan")
    for function in functions:
        needed = workspace_bytes(planned, function["name"])
        function["workspace_bytes"] = str(needed) if needed.each else needed.constant
    (out / "functions.json").write_bytes(canonical_json(functions) + b"\n")
    if params["engine"] == "standalone":
        own = hashlib.sha256(tvm.ir.save_json(planned).encode() + canonical_json(params)).hexdigest()[:12]
        symbols = f"{SYMBOLS}{own}_"
        if params["triple"].startswith("wasm"):
            other = relaxed(target)
            again = lowered(module, other, "standalone", "plan")
            if emit(again, functions, symbols) != emit(planned, functions, symbols):
                raise AssertionError("the kernels for relaxed SIMD are called otherwise: program.inc is not theirs")
            kernels_object(again, other, out / "relaxed.o", symbols)
        # Only matmuls of bytes have a second form.
        more = extended(target) if any(_is_int8(entry) for each in functions for entry in each["inputs"]) else None
        faster = more_kernels(module, planned, more[1]) if more else None
        if more is None or faster is None or not faster.functions_items():
            (out / "program.inc").write_text(emit(planned, functions, symbols), encoding="utf-8")
            kernels_object(planned, target, out / "kernels.o", symbols)
            return
        names = frozenset(variable.name_hint for variable, _ in faster.functions_items())
        extension = Extension(more[0], f"{symbols}{more[0]}_", names)
        (out / "program.inc").write_text(emit(planned, functions, symbols, extension), encoding="utf-8")
        kernels_object(planned, target, out / "plain.o", symbols)
        kernels_object(faster, more[1], out / "extended.o", extension.symbols)
        join_objects([out / "plain.o", out / "extended.o"], out / "kernels.o")
    else:
        vm_objects(planned, target, out)


def _is_int8(entry: Mapping[str, Any]) -> bool:
    return bool(entry["dtype"] == "int8")


STAGE = Stage(build, tools=("apache-tvm", "apache-tvm-ffi", "ziglang"), memory=memory)
