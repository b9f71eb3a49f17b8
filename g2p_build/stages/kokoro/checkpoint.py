"""Stage: a Kokoro checkpoint (hub, folder, packages, random) → its architecture, its weights and its symbols."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.checkpoints.kokoro.config import architecture_from_shape, vocabulary_of
from g2p_build.checkpoints.kokoro.files import find_files, local_files
from g2p_build.models.kokoro.architecture import KOKORO_82M, expected, to_json
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["ARCHITECTURE", "STAGE", "VOCABULARY", "WEIGHTS", "build", "memory", "source_files"]

ARCHITECTURE = "architecture.json"
VOCABULARY = "vocabulary.json"
WEIGHTS = "model.safetensors"


def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The files of the checkpoint in a folder: name → path. No folder (`hub`, `packages`, `random`) gives no files.

    Raises:
        BuildError: the folder does not hold a checkpoint.
    """
    return {name: path for folder in folders for name, path in local_files(folder).items()}


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own: three times the weights in float32."""
    if params["source"] == "random":
        sizes = expected(architecture_from_shape(params["shape"])).values()
        return 3 * 4 * sum(map(math.prod, sizes))
    if params["source"] == "path":
        return 3 * sum(path.stat().st_size for path in inputs.values())
    return 3 * 4 * sum(map(math.prod, expected(KOKORO_82M).values()))


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `architecture.json`, `model.safetensors`, and `vocabulary.json`: the id of each symbol.

    The tensors are those of `expected`: float32, with upstream's names and weight norm folded, sorted by name.

    Args:
        params: `source` ("path", "hub", "packages" or "random"); `repo` and `revision` for the hub; `shape` (as for
            `architecture_from_shape`) and `seed` for random weights.
        inputs: the files from `source_files`.
        out: an empty folder.

    Raises:
        BuildError: the checkpoint cannot be fetched or read, it has no symbols, or its model cannot be built.
    """
    from safetensors.torch import save_file

    from g2p_build.checkpoints.files import CONFIG, read_config
    from g2p_build.checkpoints.kokoro.dequantise import dequantised
    from g2p_build.checkpoints.kokoro.packages import model_file, symbols_config
    from g2p_build.checkpoints.kokoro.phonemes import own_vocabulary
    from g2p_build.checkpoints.kokoro.random_weights import random_checkpoint
    from g2p_build.checkpoints.kokoro.read import read_checkpoint

    if params["source"] == "random":
        architecture, state = random_checkpoint(params["shape"], params["seed"])
        vocabulary = vocabulary_of({"vocab": own_vocabulary()}, architecture.n_token)
    elif params["source"] == "packages":
        architecture, vocabulary = KOKORO_82M, vocabulary_of(symbols_config(), KOKORO_82M.n_token)
        state = dequantised(model_file(), architecture)
    else:
        files = inputs
        if params["source"] == "hub":
            from g2p_build.checkpoints.hub import download

            files = download(params["repo"], params["revision"], find_files)
        architecture, state = read_checkpoint(files)
        vocabulary = vocabulary_of(read_config(files[CONFIG]) if CONFIG in files else {}, architecture.n_token)
    (out / ARCHITECTURE).write_bytes(canonical_json(to_json(architecture)))
    (out / VOCABULARY).write_bytes(canonical_json(vocabulary))
    save_file(dict(sorted(state.items())), out / WEIGHTS, metadata={"format": "pt"})


STAGE = Stage(build, tools=("torch", "safetensors"), memory=memory, source_files=source_files, shows_progress=True)
