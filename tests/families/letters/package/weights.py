"""Stage: checkpoint tensors → one safetensors file in the layout that the kernels want."""

from pathlib import Path
from typing import Any

from g2p_build.stages.protocol import Stage

__all__ = ["STAGE", "build"]


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `weights.safetensors`."""
    from safetensors.torch import load_file

    from g2p_build.models.layout import pack_columns
    from g2p_build.stages.weights import save_aligned

    state = load_file(inputs["model.safetensors"])
    packed = {"table": state["table"], "first": pack_columns(state["first"]), "second": pack_columns(state["second"])}
    save_aligned(packed, out / "weights.safetensors")


STAGE = Stage(build, tools=("safetensors", "torch"))
