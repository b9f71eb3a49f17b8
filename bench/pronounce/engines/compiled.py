"""transformers' `generate` with the encoder and the decoder's step under torch.compile, and a static cache.

Compiling takes a minute or two; what it made is kept in files (`prepare`), as it would be on a user's second day.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from bench.pronounce.engines import eager
from bench.pronounce.engines.eager import DISTRIBUTIONS, IMPORTS, LIBRARIES, model_files
from bench.pronounce.setup import Pronounce, Setup, Word

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_model", "prepare"]


def prepare(setup: Setup, checkpoint: Path, out: Path) -> None:
    """Compiles, by pronouncing at every batch size and length."""
    for name in ("architecture.json", "model.safetensors"):
        shutil.copyfile(checkpoint / name, out / name)
    pronounce = open_model(setup)
    for rows in setup.batches:
        for length in (setup.buckets[0] - 1, *setup.buckets):
            pronounce([[Word("", "", (5,) * length)] * rows])


def open_model(setup: Setup) -> Pronounce:
    """Loads the checkpoint; compiles nothing where `prepare` did."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(setup.folder, "inductor"))
    import torch

    from bench.pronounce import plain
    from g2p_build.reference.pretrained import as_model

    torch.set_num_threads(setup.threads)  # the code that is made depends on it
    model: Any = as_model(*plain.read(Path(setup.folder)))
    model.encoder.forward = torch.compile(model.encoder.forward, dynamic=True)
    model.forward = torch.compile(model.forward, dynamic=True)
    return eager.pronouncer(setup, model, cache_implementation="static")
