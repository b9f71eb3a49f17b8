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
    it asks for, `kernels.o` has other forms of some kernels, which are chosen when the library runs. For WebAssembly,
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
    from g2p_build.compiler.kernels.code import LEAST_ROWS
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
        # Only matmuls of bytes have other forms.
        more = extended(target) if any(_is_int8(entry) for each in functions for entry in each["inputs"]) else []
        kernels_object(planned, target, out / "kernels.o", symbols)
        extensions = []
        for (features, other), faster in zip(
            more, more_kernels(module, planned, [target for _, target in more]), strict=True
        ):
            if not faster.functions_items():
                continue
            found = {variable.name_hint: kernel for variable, kernel in faster.functions_items()}
            least = {
                name: int(kernel.attrs[LEAST_ROWS]) for name, kernel in found.items() if LEAST_ROWS in kernel.attrs
            }
            extensions.append(Extension(features, f"{symbols}{features[-1]}_", frozenset(found), least))
            kernels_object(faster, other, out / f"{features[-1]}.o", extensions[-1].symbols)
        if extensions:
            objects = [out / "kernels.o", *(out / f"{extension.features[-1]}.o" for extension in extensions)]
            join_objects(objects, out / "kernels.o")
        program = emit(planned, functions, symbols, extensions)
        (out / "program.inc").write_text(program, encoding="utf-8")
        if params["triple"].startswith("wasm"):
            second = relaxed(target)
            again = lowered(module, second, "standalone", "plan")
            if emit(again, functions, symbols) != program:
                raise AssertionError("the kernels for relaxed SIMD are called otherwise: program.inc is not theirs")
            kernels_object(again, second, out / "relaxed.o", symbols)
    else:
        vm_objects(planned, target, out)


def _is_int8(entry: Mapping[str, Any]) -> bool:
    return bool(entry["dtype"] == "int8")


STAGE = Stage(build, tools=("apache-tvm", "apache-tvm-ffi", "ziglang"), memory=memory)
