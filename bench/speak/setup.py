"""What a contender's process is told, as plain data."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CHILD", "Setup", "Speak", "Utterance"]

CHILD = "bench.speak.child"
"""What runs in a contender's process."""


@dataclass(frozen=True)
class Setup:
    """How a contender is to be opened."""

    engine: str  # the module in bench.speak.engines
    dtype: str  # "float32", "float16" or "int8"
    threads: int
    folder: str  # what `prepare` made, or the checkpoint stage's files; our own runtime: the manifest
    voices: str  # the file of voices, safetensors
    voice: str
    library: str = ""  # of our programs with clocks in it


@dataclass(frozen=True)
class Utterance:
    """What is said: as our runtime takes it, and as ids for everybody else."""

    phonemes: str
    ids: tuple[int, ...]  # with 0 at both ends


Speak = Callable[[Utterance], int]
"""Speaks an utterance to its end: how many samples it has."""
