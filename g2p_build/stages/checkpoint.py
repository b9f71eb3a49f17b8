"""Stage: what the config names (embedded, hub, folder, random) → an architecture and one canonical file of weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.checkpoints.files import EMBEDDED, local_files
from g2p_build.models.architecture import to_json
from g2p_build.store.files import canonical_json

__all__ = ["ARCHITECTURE", "SHOWS_PROGRESS", "TOOLS", "WEIGHTS", "build", "memory", "source_files"]

TOOLS = ("torch", "safetensors")

SHOWS_PROGRESS = True

ARCHITECTURE = "architecture.json"
WEIGHTS = "model.safetensors"


def source_files(params: Mapping[str, Any]) -> dict[str, Path]:
    """The local files that this stage will read: name in the checkpoint → path. None for `hub` and `random`.

    Args:
        params: `source`, and `path` where the source is "path".

    Raises:
        BuildError: the folder does not hold a checkpoint.
    """
    if params["source"] == "embedded":
        return local_files(EMBEDDED)
    if params["source"] == "path":
        return local_files(Path(params["path"]))
    return {}


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Bytes that a run takes at most beyond the worker's own: less than three times the weights in float32."""
    if params["source"] == "hub":
        return 3 * 10**9  # of byt5-small, the largest released: its size is not known before it has been fetched
    if params["source"] == "random":
        shape = params["shape"]
        attention = 4 * shape["d_model"] * shape["d_kv"] * shape["num_heads"]
        block = 2 * attention + 3 * shape["d_model"] * shape["d_ff"]
        blocks = shape["num_layers"] + shape["num_decoder_layers"]
        return 3 * 4 * (blocks * block + 2 * shape["vocab_size"] * shape["d_model"])
    return 3 * sum(path.stat().st_size for path in inputs.values())


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `architecture.json` and `model.safetensors` (float32, transformers' names, sorted, the embedding once).

    Args:
        params: `source` ("embedded", "path", "hub" or "random"); `repo` and `revision` for the hub; `shape` (fields
            as in transformers' T5Config) and `seed` for random weights.
        inputs: what `source_files` gave.
        out: an empty folder.

    Raises:
        BuildError: the checkpoint cannot be had, or is not one that can be built.
    """
    from safetensors.torch import save_file

    from g2p_build.checkpoints.random_weights import random_checkpoint
    from g2p_build.checkpoints.tensors import read_checkpoint

    if params["source"] == "random":
        architecture, state = random_checkpoint(params["shape"], params["seed"])
    elif params["source"] == "hub":
        from g2p_build.checkpoints.hub import download

        architecture, state = read_checkpoint(download(params["repo"], params["revision"]))
    else:
        architecture, state = read_checkpoint(inputs)
    (out / ARCHITECTURE).write_bytes(canonical_json(to_json(architecture)))
    save_file(dict(sorted(state.items())), out / WEIGHTS, metadata={"format": "pt"})
