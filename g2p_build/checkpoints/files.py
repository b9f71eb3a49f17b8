"""Finds the files that make up a transformers checkpoint, in a folder or on the hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError

__all__ = ["CONFIG", "EMBEDDED", "WEIGHTS", "find_files", "local_files", "read_config"]

EMBEDDED = Path(__file__).resolve().parent / "embedded"
"""The folder of the checkpoint that comes with the package."""

CONFIG = "config.json"

WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Files that may hold weights. The first that exists is taken, as in transformers. An index names shards."""


def local_files(folder: Path) -> dict[str, Path]:
    """The files of the checkpoint in a folder: `config.json` and the weights, by name.

    Raises:
        BuildError: there is no such folder, or it lacks its config, its weights or a shard of them.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise BuildError(f"checkpoint folder {folder} {what}: give the folder that holds {CONFIG} and {WEIGHTS[0]}")

    def get(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    return find_files(get, f"checkpoint folder {folder}")


def find_files(get: Callable[[str], Path | None], where: str) -> dict[str, Path]:
    """Collects a checkpoint's files. It prefers safetensors to pickles.

    Args:
        get: from a file's name to a local path, or None if there is no such file.
        where: names the checkpoint in errors.

    Returns:
        name → path.

    Raises:
        BuildError: a file is missing, or the index of shards is not valid.
    """
    config = get(CONFIG)
    if config is None:
        raise BuildError(f"{where} has no {CONFIG}: it is not a transformers checkpoint")
    for name in WEIGHTS:
        weights = get(name)
        if weights is None:
            continue
        found = {CONFIG: config, name: weights}
        for shard in _shards(name, weights) if name.endswith(".json") else ():
            path = get(shard)
            if path is None:
                raise BuildError(f"{where} has no {shard}, which its {name} lists: the checkpoint is not complete")
            found[shard] = path
        return found
    raise BuildError(f"{where} has no weights: {', '.join(WEIGHTS[:3])} or an index of shards is needed")


def read_config(path: Path) -> dict[str, Any]:
    """The contents of a `config.json`.

    Raises:
        BuildError: it is not a JSON object.
    """
    return _json_object(CONFIG, path)


def _shards(name: str, path: Path) -> list[str]:
    weight_map = _json_object(name, path).get("weight_map")
    if (
        not isinstance(weight_map, Mapping)
        or not weight_map
        or not all(isinstance(v, str) for v in weight_map.values())
    ):
        raise BuildError(f"{name} has no weight_map from tensors to files: it is not an index of shards")
    suffix = "." + name.removesuffix(".index.json").rpartition(".")[2]
    for shard in weight_map.values():
        # Shards lie beside their index. A name that leads elsewhere could read any file of the machine.
        if not shard.endswith(suffix) or "/" in shard or "\\" in shard:
            raise BuildError(f"{name} lists {shard!r}: a shard is a {suffix} file beside its index")
    return sorted(set(weight_map.values()))


def _json_object(name: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BuildError(f"{name} is not JSON: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise BuildError(f"{name} is not a JSON object but {type(value).__name__}")
    return value
