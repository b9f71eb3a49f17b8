"""Stage: a checkpoint that the config names (embedded, hub, folder, random) → its architecture and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.checkpoints.files import local_files, special_ids
from g2p_build.models.architecture import to_json
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["ARCHITECTURE", "SPECIAL", "STAGE", "WEIGHTS", "build", "memory", "source_files"]

ARCHITECTURE = "architecture.json"
SPECIAL = "special_ids.json"
WEIGHTS = "model.safetensors"


def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The files of the checkpoint in a folder: name → path. No folder (`hub`, `random`) gives no files.

    Raises:
        BuildError: the folder does not hold a checkpoint.
    """
    return {name: path for folder in folders for name, path in local_files(folder).items()}


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own: three times the weights in float32."""
    if params["source"] == "hub":
        return 3 * 10**9  # enough for byt5-small, the largest; the size is not known before the download
    if params["source"] == "random":
        shape = params["shape"]
        attention = 4 * shape["d_model"] * shape["d_kv"] * shape["num_heads"]
        block = 2 * attention + 3 * shape["d_model"] * shape["d_ff"]
        blocks = shape["num_layers"] + shape["num_decoder_layers"]
        return 3 * 4 * (blocks * block + 2 * shape["vocab_size"] * shape["d_model"])
    return 3 * sum(path.stat().st_size for path in inputs.values())


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `architecture.json`, `model.safetensors`, and `special_ids.json`: the ids that the files name.

    The tensors are float32, have transformers' names and are sorted by name. The embedding is there once.

    Args:
        params: `source` ("path", "hub" or "random"); `repo` and `revision` for the hub; `shape` (fields
            as in transformers' T5Config) and `seed` for random weights.
        inputs: the files from `source_files`.
        out: an empty folder.

    Raises:
        BuildError: the checkpoint cannot be fetched or read, or its model cannot be built.
    """
    from safetensors.torch import save_file

    from g2p_build.checkpoints.random_weights import random_checkpoint
    from g2p_build.checkpoints.tensors import read_checkpoint

    if params["source"] == "random":
        architecture, state = random_checkpoint(params["shape"], params["seed"])
        ids = {}
    else:
        files = inputs
        if params["source"] == "hub":
            from g2p_build.checkpoints.hub import download

            files = download(params["repo"], params["revision"])
        ids = special_ids(files)
        architecture, state = read_checkpoint(files)
    (out / SPECIAL).write_bytes(canonical_json(ids))
    (out / ARCHITECTURE).write_bytes(canonical_json(to_json(architecture)))
    save_file(dict(sorted(state.items())), out / WEIGHTS, metadata={"format": "pt"})


STAGE = Stage(build, tools=("torch", "safetensors"), memory=memory, source_files=source_files, shows_progress=True)
