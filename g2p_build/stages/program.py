"""Stage: architecture → a Relax module with the weights as inputs, and the signatures of its functions."""

import json
from pathlib import Path
from typing import Any

from g2p_build.store.files import canonical_json

__all__ = ["TOOLS", "build"]

TOOLS = ("apache-tvm", "apache-tvm-ffi", "torch")


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `program.json` (the Relax module) and `functions.json` (names, shapes and dtypes, as in the manifest).

    Args:
        params: `batch` (a list), `max_lens` (`input`, `output`: tokens), `dtype`, `kv_cache`.
        inputs: `architecture.json`.
        out: an empty folder.
    """
    import tvm

    from g2p_build.compiler.export import export
    from g2p_build.models import architecture
    from g2p_build.models.programs import programs

    arch = architecture.from_json(json.loads(inputs["architecture.json"].read_text(encoding="utf-8")))
    lens = params["max_lens"]
    module, functions = export(
        programs(arch, params["batch"], lens["input"], lens["output"], params["dtype"], params["kv_cache"])
    )
    (out / "program.json").write_text(tvm.ir.save_json(module), encoding="utf-8")
    (out / "functions.json").write_bytes(canonical_json(functions) + b"\n")
