"""Finds the files that make up a Kokoro checkpoint, in a folder or on the hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from g2p_build.checkpoints.files import CONFIG
from g2p_build.errors import BuildError

__all__ = ["VOICE_SUFFIXES", "WEIGHTS", "find_files", "local_files", "voice_files"]

WEIGHTS = ("model.safetensors", "kokoro-v1_0.safetensors", "kokoro-v1_0.pth", "kokoro-v1_1-zh.pth")
"""Names that a repository's weights may have. The first that exists is taken."""

VOICE_SUFFIXES = (".pt", ".bin", ".npy", ".npz")
"""What files of voices end with: a tensor of torch.save, raw float32, NumPy's arrays, several of those."""


def local_files(place: Path) -> dict[str, Path]:
    """The files of the checkpoint in a folder, by name: the weights, and `config.json` if it is there.

    Args:
        place: a folder with one of `WEIGHTS`, or with one file `*.safetensors` or `*.pth`; or such a file.

    Raises:
        BuildError: there are no weights, or several files that may be.
    """
    if place.is_file():
        weights = place
    elif place.is_dir():
        weights = _weights(place)
    else:
        raise BuildError(f"checkpoint {place} does not exist: give a folder with {CONFIG} and {WEIGHTS[0]} or a *.pth")
    config = weights.with_name(CONFIG)
    return {weights.name: weights} | ({CONFIG: config} if config.is_file() else {})


def _weights(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".pth") and path.is_file())
    if not found:
        raise BuildError(f"checkpoint folder {folder} has no weights: {WEIGHTS[0]} or a file *.pth is needed")
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:4])
        raise BuildError(f"checkpoint folder {folder} has {len(found)} files of weights ({names}): leave one of them")
    return found[0]


def find_files(get: Callable[[str], Path | None], where: str) -> dict[str, Path]:
    """Collects the files of a checkpoint that cannot be listed.

    Args:
        get: from a file's name to a local path, or None if there is no such file.
        where: names the checkpoint in errors.

    Raises:
        BuildError: a file is missing.
    """
    config = get(CONFIG)
    if config is None:
        raise BuildError(f"{where} has no {CONFIG}: it is not a Kokoro checkpoint")
    for name in WEIGHTS:
        if (weights := get(name)) is not None:
            return {CONFIG: config, name: weights}
    raise BuildError(f"{where} has no weights: one of {', '.join(WEIGHTS)} is needed")


def voice_files(places: Sequence[Path]) -> dict[str, Path]:
    """The files of voices in folders, and files that are named, by name.

    Raises:
        BuildError: a place is not there or has no such files, or two files have one name.
    """
    found: dict[str, Path] = {}
    for place in places:
        files = [place]
        if place.is_dir():
            files = sorted(path for path in place.iterdir() if path.suffix in VOICE_SUFFIXES)
        if not files or not files[0].is_file() or files[0].suffix not in VOICE_SUFFIXES:
            raise BuildError(f"voices {place}: give a folder of files {' '.join(VOICE_SUFFIXES)}, or one such file")
        for path in files:
            if path.name in found:
                raise BuildError(f"{path.name} is in {found[path.name].parent} and in {path.parent}: name one of them")
            found[path.name] = path
    return found
