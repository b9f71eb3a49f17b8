"""Upstream's model under torch.compile.

Compiling takes minutes; what it made is kept in files (`prepare`), as it would be on a user's second day.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.speak.engines import eager
from bench.speak.engines.eager import DISTRIBUTIONS, IMPORTS, LIBRARIES, model_files
from bench.speak.setup import Setup, Speak, Utterance

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_model", "prepare"]


def prepare(setup: Setup, checkpoint: Path, out: Path, utterances: Sequence[Utterance]) -> None:
    """Compiles, by speaking all that will be spoken."""
    for name in ("architecture.json", "model.safetensors"):
        shutil.copyfile(checkpoint / name, out / name)
    speak = open_model(setup)
    for utterance in utterances:
        speak(utterance)


def open_model(setup: Setup) -> Speak:
    """Loads the checkpoint; compiles nothing where `prepare` did."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(setup.folder, "inductor"))
    import torch

    from bench.speak import upstream

    torch.set_num_threads(setup.threads)  # the code that is made depends on it
    model: Any = upstream.loaded(Path(setup.folder))
    # The whole has lengths in it that depend on values, where a graph would end anyway.
    for part in (model.bert, model.predictor.text_encoder, model.text_encoder, model.decoder):
        part.forward = torch.compile(part.forward, dynamic=True)
    model.predictor.F0Ntrain = torch.compile(model.predictor.F0Ntrain, dynamic=True)
    return eager.speaker(setup, model)
