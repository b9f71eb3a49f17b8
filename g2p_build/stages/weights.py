"""Stage: checkpoint tensors → one safetensors file in the layout and dtype that the kernels want."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

from g2p_build.stages.protocol import Stage

__all__ = ["ALIGNMENT", "STAGE", "build", "memory", "save_aligned"]

ALIGNMENT = 64  # bytes: what kernels assume of a tensor's address, and a cache line

DTYPES = {"float32": "F32", "float16": "F16"}  # as safetensors spells them


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Bytes that a run takes at most beyond the worker's own: the weights as they are, packed, and as bytes."""
    return 3 * sum(path.stat().st_size for path in inputs.values())


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `weights.safetensors`.

    Args:
        params: `dtype` (`float32`, `float16`).
        inputs: `architecture.json`, `model.safetensors`.
        out: an empty folder.

    Raises:
        BuildError: a weight is too large for the dtype.
    """
    from safetensors.torch import load_file

    from g2p_build.models import architecture, weights

    arch = architecture.from_json(json.loads(inputs["architecture.json"].read_bytes()))
    packed = weights.pack(arch, load_file(inputs["model.safetensors"]), params["dtype"])
    save_aligned(packed, out / "weights.safetensors")


def save_aligned(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Writes a safetensors file with each tensor at a multiple of `ALIGNMENT` bytes, to be used where it is mapped.

    The format allows no gaps between tensors, so what fills one up to the next multiple is a tensor too
    (`_padding.0`, ..., of bytes). The header is padded with spaces, as the format provides.

    Args:
        tensors: contiguous, float32 or float16; written in this order.
        path: the file.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    parts: list[bytes] = []
    end = 0

    def add(name: str, dtype: str, shape: list[int], data: bytes) -> None:
        nonlocal end
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)

    for name, tensor in tensors.items():
        if missing := -end % ALIGNMENT:
            add(f"_padding.{len(parts)}", "U8", [missing], bytes(missing))
        add(name, DTYPES[str(tensor.dtype).removeprefix("torch.")], list(tensor.shape), tensor.numpy().tobytes())
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)


STAGE = Stage(build, tools=("safetensors", "torch"), memory=memory)
