"""Finds and reads voices: tables of styles, a row for each length of an utterance."""

from __future__ import annotations

import difflib
import hashlib
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from g2p_build.checkpoints.tensors import unpickled
from g2p_build.errors import BuildError

__all__ = ["on_hub", "random_voices", "read_voices"]

ZIP = b"PK\x03\x04"  # kokoro-onnx publishes a file of several arrays that is called *.bin

DEVIATION = 0.2  # about that of published voices


def on_hub(names: Sequence[str]) -> Callable[[Callable[[str], Path | None], str], dict[str, Path]]:
    """Collects the files of some voices from a repository like upstream's: for `hub.download`."""

    def find(get: Callable[[str], Path | None], where: str) -> dict[str, Path]:
        found = {}
        for name in names:
            path = get(f"voices/{name}.pt")
            if path is None:
                raise BuildError(f"{where} has no voices/{name}.pt: check the voice's name")
            found[f"{name}.pt"] = path
        return found

    return find


def read_voices(files: Mapping[str, Path], names: Sequence[str], shape: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Some voices, in the order of their names.

    Args:
        files: name → path. A file of one voice is called after it.
        names: the voices.
        shape: of each: the rows, and the width of a style.

    Returns:
        Voice → float32 of `shape`, contiguous.

    Raises:
        BuildError: a voice is not there, or there twice, or damaged, of another shape, or not finite.
    """
    held: dict[str, str] = {}
    for file, path in files.items():
        for name in _held(file, path):
            if name in held and name in names:
                raise BuildError(f"the voice {name} is in both {held[name]} and {file}: leave one of them")
            held[name] = file
    found = {}
    for name in sorted(set(names)):
        if name not in held:
            near = difflib.get_close_matches(name, held, 3, 0.4) or sorted(held)[:5]
            raise BuildError(f"no file has a voice {name}: of {len(held)} voices, there is {', '.join(near)}")
        found[name] = _shaped(name, _read(name, held[name], files[held[name]], shape), held[name], shape)
    return found


def random_voices(names: Sequence[str], shape: tuple[int, int], seed: int) -> dict[str, torch.Tensor]:
    """Voices for random weights, each from its name and the seed: the same on every machine."""
    found = {}
    bound = math.sqrt(3) * DEVIATION
    for name in sorted(set(names)):
        digest = hashlib.sha256(f"{seed}:voice:{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        found[name] = torch.rand(shape, generator=generator).mul_(2 * bound).sub_(bound)
    return found


def _held(file: str, path: Path) -> list[str]:
    """The voices that a file holds."""
    if not _is_zip(file, path):
        return [Path(file).stem]
    try:
        with zipfile.ZipFile(path) as several:
            return [name.removesuffix(".npy") for name in several.namelist()]
    except Exception as error:  # on damaged bytes, of many kinds
        raise _damaged(file, error) from None


def _is_zip(file: str, path: Path) -> bool:
    if not file.endswith(".bin"):
        return file.endswith(".npz")
    with path.open("rb") as opened:
        return opened.read(len(ZIP)) == ZIP


def _read(name: str, file: str, path: Path, shape: tuple[int, int]) -> torch.Tensor:
    """The values as they are stored."""
    if file.endswith(".pt"):
        found = unpickled(file, path)
        if not isinstance(found, torch.Tensor):
            raise BuildError(f"{file} holds no tensor but {type(found).__name__}: a voice is one tensor")
        return found
    try:
        array = _array(name, file, path)
    except Exception as error:  # on damaged bytes, NumPy and zlib raise exceptions of many kinds
        raise _damaged(file, error) from None
    if array.dtype.kind != "f":
        raise BuildError(f"the voice {name} in {file} is {array.dtype}: floats are needed")
    if file.endswith(".bin") and array.ndim == 1:
        if array.size != math.prod(shape):
            raise BuildError(
                f"{file} has {path.stat().st_size} bytes: a voice of {shape[0]} rows of {shape[1]} float32 has "
                f"{4 * math.prod(shape)}"
            )
        array = array.reshape(shape)
    with np.errstate(over="ignore"):  # what becomes infinite is refused behind
        return torch.from_numpy(array.astype("<f4"))


def _array(name: str, file: str, path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    if _is_zip(file, path):
        with np.load(path, allow_pickle=False) as several:
            return np.asarray(several[name])
    if file.endswith(".npy"):
        return np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a header may claim any size
    return np.frombuffer(path.read_bytes(), dtype="<f4")


def _shaped(name: str, values: torch.Tensor, file: str, shape: tuple[int, int]) -> torch.Tensor:
    """The values as a table. Upstream has an axis of one between rows and styles."""
    if not values.is_floating_point() or values.layout != torch.strided or values.is_meta:
        what = "without values" if values.is_meta else f"{values.dtype}, {values.layout}"
        raise BuildError(f"the voice {name} in {file} is {what}: plain floats are needed")
    if tuple(values.shape) not in (shape, (shape[0], 1, shape[1])):
        raise BuildError(
            f"the voice {name} in {file} has shape {list(values.shape)}: this model's are {list(shape)} "
            f"or {[shape[0], 1, shape[1]]}"
        )
    table = values.detach().to(torch.float32).reshape(shape).contiguous().clone()
    if not bool(torch.isfinite(table).all()):
        raise BuildError(f"the voice {name} in {file} has values that are NaN or infinite: fetch it again")
    return table


def _damaged(file: str, error: BaseException) -> BuildError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return BuildError(f"{file} is truncated or no file of voices ({reason}): fetch it again")
