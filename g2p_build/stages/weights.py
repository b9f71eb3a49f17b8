"""Stage: checkpoint tensors → one safetensors file in the layout and dtype that the kernels want."""

from __future__ import annotations

import contextlib
import json
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from g2p_build.models.architecture import Architecture

from g2p_build.errors import BuildError
from g2p_build.runtime import tokenizer
from g2p_build.runtime.errors import G2PError
from g2p_build.stages.protocol import Stage

__all__ = ["ALIGNMENT", "STAGE", "build", "memory", "save_aligned"]

ALIGNMENT = 64  # bytes, a cache line: kernels assume that a tensor's address is a multiple of this

MOST_WORDS = 200
"""Calibration words of a language. A hundred are enough for six languages of the embedded checkpoint."""

LONGEST = 128
"""Tokens of a calibration word's input, and of its output, at most."""

DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int8": "I8"}  # as safetensors spells them


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own: the weights as read, packed, and as bytes.

    With calibration they are in float64 too, beside sums that are about as large.
    """
    return (8 if "calibration" in params else 3) * sum(path.stat().st_size for path in inputs.values())


def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The calibration words: "calibration/eng-us.tsv" → path.

    Args:
        folders: none, or one: a folder of files LANG.tsv, or one such file.

    Raises:
        BuildError: it is not there.
    """
    found: dict[str, Path] = {}
    for place in folders:
        files = sorted(place.glob("*.tsv")) if place.is_dir() else [place]
        if not files or not files[0].is_file():
            raise BuildError(f"calibration {place} is not there: give a file LANG.tsv, or a folder of files LANG.tsv")
        found |= {f"calibration/{file.name}": file for file in files}
    return found


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `weights.safetensors`.

    Args:
        params: `dtype` (a key of `DTYPES`); with int8 perhaps `calibration`: how words become ids, as the tokenizer
            stage takes it.
        inputs: `architecture.json`, `model.safetensors`, and the files from `source_files`: their lines begin with a
            word. `MOST_WORDS` of each are taken, evenly from beginning to end.
        out: an empty folder.

    Raises:
        BuildError: a weight is too large for the dtype, or no calibration word is one that the model takes.
    """
    from safetensors.torch import load_file

    from g2p_build.models import architecture, weights

    arch = architecture.from_json(json.loads(inputs["architecture.json"].read_bytes()))
    state = load_file(inputs["model.safetensors"])
    grams, words = None, 0
    if "calibration" in params:
        ids = _inputs(params["calibration"], inputs)
        grams, words = _grams(arch, state, params["calibration"], ids), len(ids)
    about = {"dtype": params["dtype"]} | ({"calibration_words": str(words)} if words else {})
    save_aligned(weights.pack(arch, state, params["dtype"], grams), out / "weights.safetensors", about)


def _inputs(prompted: Mapping[str, Any], inputs: Mapping[str, Path]) -> list[list[int]]:
    """The ids of the calibration words that the model takes."""
    model = {**prompted, "max_input_len": LONGEST}
    found = []
    for name, path in sorted(inputs.items()):
        lang = path.stem
        if not name.startswith("calibration/") or (model["languages"] and lang not in model["languages"]):
            continue
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise BuildError(f"{path} is not UTF-8: save it in that encoding") from None
        words = [line.split("\t")[0] for line in lines if line.strip()]
        for word in words[:: -(-len(words) // MOST_WORDS) or 1]:
            with contextlib.suppress(G2PError):
                found.append(tokenizer.encode(model, word, lang))
    if not found:
        raise BuildError("no calibration word is one that the model takes: give words of its languages")
    return found


def _grams(
    arch: Architecture, state: Mapping[str, torch.Tensor], prompted: Mapping[str, Any], ids: Sequence[list[int]]
) -> dict[str, torch.Tensor]:
    from rich.console import Console
    from rich.progress import Progress

    from g2p_build.models import calibration

    outputs = calibration.Outputs(prompted["decoder_start_id"], prompted["eos_id"], LONGEST)
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task("calibration", total=len(ids))
        return calibration.grams(arch, state, ids, outputs, lambda count: progress.advance(bar, count))


def save_aligned(tensors: Mapping[str, torch.Tensor], path: Path, about: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file with each tensor at a multiple of `ALIGNMENT` bytes, so that it can be used in place.

    The format (https://github.com/huggingface/safetensors#format) allows no gaps between tensors. So the bytes between
    them are tensors too: `_padding.0` and so on, of dtype U8. The header is padded with spaces, as the
    format allows.

    Args:
        tensors: name → tensor, contiguous, of one of `DTYPES`; written in this order.
        path: the file to write.
        about: what the header's metadata says besides.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt", **(about or {})}}
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


STAGE = Stage(build, tools=("safetensors", "torch"), memory=memory, source_files=source_files, shows_progress=True)
