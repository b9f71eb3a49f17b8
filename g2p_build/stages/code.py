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
    """Writes the object code, and `functions.json` with the workspace in bytes that each function needs.

    For the engine `standalone` the object code is `kernels.o`, and `program.inc` is the C that calls it. The symbols
    contain a digest of the kernels, so that one program can link different libraries. For the engine `vm` the object
    code is `lib0.o` (kernels) and `devc.o` (the virtual machine's bytecode).

    Args:
        params: the target's `kind`, `triple`, `cpu`, `features`, `engine`.
        inputs: `program.json`, `functions.json`.
        out: an empty folder.

    Raises:
        BuildError: the compiler does not know the target.
    """
    import tvm

    from g2p_build.compiler.emit_c import emit
    from g2p_build.compiler.passes.plain_calls import SYMBOLS
    from g2p_build.compiler.pipeline import kernels_object, lowered, target_of, vm_objects
    from g2p_build.compiler.workspace import workspace_bytes

    module = tvm.ir.load_json(inputs["program.json"].read_text(encoding="utf-8"))
    functions = json.loads(inputs["functions.json"].read_bytes())
    target = target_of(params)
    planned = lowered(module, target, params["engine"], "plan")
    for function in functions:
        function["workspace_bytes"] = workspace_bytes(planned[function["name"]])
    (out / "functions.json").write_bytes(canonical_json(functions) + b"\n")
    if params["engine"] == "standalone":
        own = hashlib.sha256(tvm.ir.save_json(planned).encode() + canonical_json(params)).hexdigest()[:12]
        symbols = f"{SYMBOLS}{own}_"
        (out / "program.inc").write_text(emit(planned, functions, symbols), encoding="utf-8")
        kernels_object(planned, target, out / "kernels.o", symbols)
    else:
        vm_objects(planned, target, out)


STAGE = Stage(build, tools=("apache-tvm", "apache-tvm-ffi"), memory=memory)
