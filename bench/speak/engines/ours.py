"""This project's own runtime. Threads share the work of an utterance."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.speak.setup import Setup, Speak, Utterance
from g2p_build.runtime import archive

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_first", "open_model"]

IMPORTS = ("g2p_build.runtime.tts",)
DISTRIBUTIONS = ()
LIBRARIES = ("/libtts.",)


def model_files(setup: Setup) -> list[Path]:
    """The archive of the weights, which has nothing else in it."""
    manifest = Path(setup.folder)
    return [archive.find(manifest, json.loads(manifest.read_bytes())["archives"]["weights"]["file"])]


def open_model(setup: Setup) -> Speak:
    """Loads the manifest that `setup.folder` is."""
    speech = _loaded(setup)

    def speak(utterance: Utterance) -> int:
        return sum(_samples(speech.speak(utterance.phonemes, setup.voice)))

    return speak


def open_first(setup: Setup) -> Speak:
    """The same, until the first piece is there, which is as short as it may be."""
    speech = _loaded(setup)

    def speak(utterance: Utterance) -> int:
        return next(_samples(speech.speak(utterance.phonemes, setup.voice, early=True)))

    return speak


def _loaded(setup: Setup) -> Any:
    from g2p_build.runtime import tts

    return tts.load(setup.folder, setup.threads)


def _samples(pieces: Any) -> Iterator[int]:
    for piece in pieces:
        yield len(piece.samples) // 4  # float32
