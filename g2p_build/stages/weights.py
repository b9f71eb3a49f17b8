"""Stage: checkpoint tensors → one safetensors file in the layout and dtype that the kernels want."""

import json
from pathlib import Path
from typing import Any

__all__ = ["TOOLS", "build"]

TOOLS = ("safetensors", "torch")


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `weights.safetensors`, every tensor at a multiple of 64 bytes so that it can be used where it is mapped.

    Args:
        params: `dtype` (`float32`, `float16`).
        inputs: `architecture.json`, `model.safetensors`.
        out: an empty folder.

    Raises:
        BuildError: a weight is too large for the dtype.
    """
    from safetensors.torch import load_file

    from g2p_build.models import architecture, weights

    arch = architecture.from_json(json.loads(inputs["architecture.json"].read_text(encoding="utf-8")))
    packed = weights.pack(arch, load_file(inputs["model.safetensors"]), params["dtype"])
    weights.save_aligned(packed, out / "weights.safetensors")
