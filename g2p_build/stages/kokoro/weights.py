"""Stage: a Kokoro checkpoint's tensors → one safetensors file in the layout that the kernels want."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.stages.protocol import Stage

__all__ = ["STAGE", "build", "memory"]


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own: the weights as read, packed, and as bytes."""
    return 4 * sum(path.stat().st_size for path in inputs.values())


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `weights.safetensors`.

    Args:
        params: `dtype`: of the filters; all other weights are float32.
        inputs: `architecture.json`, `model.safetensors`.
        out: an empty folder.

    Raises:
        BuildError: a weight is too large for the dtype.
    """
    from safetensors.torch import load_file

    from g2p_build.models.kokoro.architecture import from_json
    from g2p_build.models.kokoro.weights import pack
    from g2p_build.stages.weights import save_aligned

    architecture = from_json(json.loads(inputs["architecture.json"].read_bytes()))
    packed = pack(architecture, load_file(inputs["model.safetensors"]), params["dtype"])
    save_aligned(packed, out / "weights.safetensors", {"dtype": params["dtype"]})


STAGE = Stage(build, tools=("safetensors", "torch"), memory=memory)
