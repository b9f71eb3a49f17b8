"""Reads a Kokoro checkpoint's files: its architecture, and its tensors in one canonical form."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import torch

from g2p_build.checkpoints.files import CONFIG, read_config
from g2p_build.checkpoints.kokoro.config import architecture_of
from g2p_build.checkpoints.tensors import Reader, finite_float32, open_tensors, unpickled
from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import Architecture, expected

__all__ = ["canonical", "read_checkpoint"]

UNUSED = re.compile(
    r"bert\.pooler\..*|bert\.embeddings\.(position_ids|token_type_ids)|decoder\.generator\.stft\..*"
    r"|decoder\.generator\.m_source\.(l_sin_gen|noi_source).*"
)
"""Tensors that no sound depends on: what upstream's modules keep besides."""

INSTANCE_NORM = re.compile(r".*\.norm\.(weight|bias)")
"""Factors and summands of norms that are always one and zero. Files before upstream's 0.9 lack them."""

WRAPPER = re.compile(r"^(?:module\.)?(bert|bert_encoder|predictor|text_encoder|decoder)\.(?:module\.)?")

WEIGHT_NORM = {
    ".weight_g": ".weight_v",
    ".parametrizations.weight.original0": ".parametrizations.weight.original1",
}
"""How torch's weight norm calls the lengths → the directions."""


def read_checkpoint(files: Mapping[str, Path]) -> tuple[Architecture, dict[str, torch.Tensor]]:
    """Reads a checkpoint, and checks everything that would make the compiled model wrong.

    Args:
        files: name → path, as from `files.find_files`. A file of torch.save holds a table of tensors by name, or as
            upstream's, a table of such tables by module.

    Returns:
        The architecture, and the tensors that `expected` lists for it, in that order. Each is float32, contiguous, with
        memory of its own.

    Raises:
        BuildError: a file is damaged or holds code; or tensors are missing, of another shape than the config says,
            unknown, or not finite floats.
    """
    config = read_config(files[CONFIG]) if CONFIG in files else {}
    with ExitStack() as stack:
        readers: dict[str, Reader] = {}
        for file, path in sorted(files.items()):
            if file == CONFIG:
                continue
            for name, reader in _open(file, path, stack).items():
                own = WRAPPER.sub(r"\1.", name)
                if own in readers:
                    raise BuildError(f"the tensor {own} is in {file} twice")
                readers[own] = reader
        tensors = {name: finite_float32(name, each) for name, each in readers.items() if not UNUSED.fullmatch(name)}
    tensors = _folded(tensors)
    architecture = architecture_of(config, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    return architecture, canonical(architecture, tensors)


def canonical(architecture: Architecture, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of an architecture in `expected`'s order. Instance norms' that are not there become one and zero.

    Args:
        architecture: what the shapes must be.
        tensors: by upstream's names, with weight norm folded.

    Raises:
        BuildError: one is missing, unknown, or of another shape.
    """
    wanted = expected(architecture)
    missing = [name for name in wanted if name not in tensors and not INSTANCE_NORM.fullmatch(name)]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BuildError(
            f"the checkpoint lacks the tensor {missing[0]}{more}: it is truncated, or not the model that its "
            "config.json describes"
        )
    unknown = [name for name in tensors if name not in wanted]
    if unknown:
        near = difflib.get_close_matches(unknown[0], wanted, 1, 0.9)
        raise BuildError(
            f"the checkpoint has a tensor that its config.json does not describe: {unknown[0]}"
            + (f" (near {near[0]})" if near else "")
        )
    found = {}
    for name, shape in wanted.items():
        if name not in tensors:
            found[name] = torch.ones(shape) if name.endswith(".weight") else torch.zeros(shape)
            continue
        if tuple(tensors[name].shape) != shape:
            raise BuildError(
                f"the tensor {name} has shape {list(tensors[name].shape)}, but a model of this config has {list(shape)}"
            )
        found[name] = tensors[name]
    return found


def _open(file: str, path: Path, stack: ExitStack) -> dict[str, Reader]:
    if file.endswith(".safetensors"):
        return dict(open_tensors(file, path, stack))
    found = unpickled(file, path)
    if isinstance(found, Mapping) and all(isinstance(value, Mapping) for value in found.values()):
        # A name may begin with "module.", and that of a module that is one layer is "weight".
        flat = {
            f"{module}.{str(name).removeprefix('module.')}": value
            for module, table in found.items()
            for name, value in table.items()
        }
        if len(flat) < sum(map(len, found.values())):
            raise BuildError(f"{file} has a tensor both with and without 'module.' before its name: remove one")
        found = flat
    if (
        not isinstance(found, Mapping)
        or not found
        or not all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in found.items())
    ):
        raise BuildError(f"{file} is not a table of tensors by name, nor one of such tables by module")
    return {name: Reader(file, value, name) for name, value in found.items()}


def _folded(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors with each pair of weight norm's as one: a row's direction times its length."""
    folded = dict(tensors)
    for name, length in tensors.items():
        for lengths, directions in WEIGHT_NORM.items():
            stem = name.removesuffix(lengths)
            if stem == name or stem + directions not in tensors:
                continue
            weight = f"{stem}.weight"
            if weight in tensors:
                raise BuildError(f"the checkpoint has {weight} both whole and as {lengths[1:]}: remove one")
            del folded[name]
            folded[weight] = _scaled(folded.pop(stem + directions), length, weight)
    return folded


def _scaled(directions: torch.Tensor, lengths: torch.Tensor, name: str) -> torch.Tensor:
    if directions.dim() < 1 or lengths.numel() != directions.shape[0]:
        raise BuildError(
            f"the weight norm of {name} has {lengths.numel()} lengths for a tensor of shape {list(directions.shape)}"
        )
    rows = directions.to(torch.float64).flatten(1) if directions.dim() > 1 else directions.to(torch.float64)[:, None]
    # Processors sum in different orders. Rounded, the norms are the same on all of them, and so are the weights' bytes.
    norms = rows.norm(dim=1, keepdim=True).to(torch.float32).to(torch.float64)
    # A row of zeros has no direction: it stays zero. (Rounded weights have such rows.)
    scaled = rows * torch.where(norms > 0, lengths.reshape(-1, 1).to(torch.float64) / norms, 0.0)
    return scaled.reshape(directions.shape).to(torch.float32)
