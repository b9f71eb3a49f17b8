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

ALIGNMENT = 64  # bytes, a cache line: kernels assume that a tensor's address is a multiple of this

DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int8": "I8"}  # as safetensors spells them


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own: the weights as read, packed, and as bytes."""
    return 3 * sum(path.stat().st_size for path in inputs.values())


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `weights.safetensors`.

    Args:
        params: `dtype` (a key of `DTYPES`).
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
    """Writes a safetensors file with each tensor at a multiple of `ALIGNMENT` bytes, so that it can be used in place.

    The format (https://github.com/huggingface/safetensors#format) allows no gaps between tensors. So the bytes between
    them are tensors too: `_padding.0` and so on, of dtype U8. The header is padded with spaces, as the
    format allows.

    Args:
        tensors: name → tensor, contiguous, of one of `DTYPES`; written in this order.
        path: the file to write.
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
        add(name, DTYPES[str(tensor.dtype).removeprefix("torch.")], list(tensor.shape), _bytes(tensor))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)


def _bytes(tensor: torch.Tensor) -> bytes:
    import torch

    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()  # numpy has no bfloat16


STAGE = Stage(build, tools=("safetensors", "torch"), memory=memory)
