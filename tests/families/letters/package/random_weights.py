"""Stage: seed → weights."""

from pathlib import Path
from typing import Any

from g2p_build.stages.protocol import Stage

__all__ = ["STAGE", "build"]


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `model.safetensors`: a row for each byte, and two matrices."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(params["seed"])
    shapes = {"table": (256, params["width"]), "first": (params["width"], 48), "second": (48, params["classes"])}
    save_file(
        {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}, out / "model.safetensors"
    )


STAGE = Stage(build, tools=("safetensors", "torch"))
