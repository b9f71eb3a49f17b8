"""Stage: a Kokoro's architecture → a Relax module with the weights as inputs, and the signatures of its functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build", "memory"]


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own."""
    return 300_000_000


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `program.json` (the Relax module) and `functions.json` (names, shapes and dtypes, as in the manifest).

    Args:
        params: `dtype`: of the filters.
        inputs: `architecture.json`.
        out: an empty folder.
    """
    import torch
    import tvm

    from g2p_build.compiler.export import export
    from g2p_build.models.kokoro.architecture import expected, from_json
    from g2p_build.models.kokoro.programs import programs
    from g2p_build.models.kokoro.weights import pack
    from g2p_build.models.program import TensorSpec

    architecture = from_json(json.loads(inputs["architecture.json"].read_bytes()))
    # Tensors without memory have the shapes that packing gives.
    state = {name: torch.empty(shape, device="meta") for name, shape in expected(architecture).items()}
    packed = pack(architecture, state, params["dtype"])
    specs = {
        name: TensorSpec(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in packed.items()
    }
    module, functions = export(programs(architecture, specs))
    (out / "program.json").write_text(tvm.ir.save_json(module), encoding="utf-8")
    (out / "functions.json").write_bytes(canonical_json(functions) + b"\n")


STAGE = Stage(build, tools=("apache-tvm", "apache-tvm-ffi", "torch"), memory=memory)
