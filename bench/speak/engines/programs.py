"""This project's library with a clock around each of its programs: see `bench.speak.programs`."""

import ctypes
from pathlib import Path
from typing import Any

from bench.speak.setup import Setup, Speak, Utterance

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "details", "model_files", "open_model"]

IMPORTS = ()
DISTRIBUTIONS = ()
LIBRARIES = ()

_opened: list[Any] = []  # the library: it has one model


def model_files(setup: Setup) -> list[Path]:
    """The weights."""
    return [Path(setup.folder)]


def open_model(setup: Setup) -> Speak:
    """Opens the weights that `setup.folder` is."""
    library = ctypes.CDLL(setup.library)
    for name in ("begin", "speak", "role"):
        getattr(library, f"programs_{name}").restype = ctypes.c_char_p
    for name in ("role", "nanoseconds", "worked"):
        getattr(library, f"programs_{name}").argtypes = [ctypes.c_size_t]
    library.programs_nanoseconds.restype = library.programs_worked.restype = ctypes.c_uint64
    library.programs_peak.restype = ctypes.c_size_t
    _check(library.programs_begin(setup.folder.encode(), setup.voices.encode(), ctypes.c_uint32(setup.threads)))
    _opened.append(library)

    def speak(utterance: Utterance) -> int:
        samples = ctypes.c_uint64()
        _check(library.programs_speak(utterance.phonemes.encode(), setup.voice.encode(), ctypes.byref(samples)))
        return samples.value

    return speak


def details() -> dict[str, Any]:
    """Of the last utterance: by program, seconds on the clock and of processors; the most bytes that were asked for."""
    [library] = _opened
    seconds, number = {}, 0
    while (role := library.programs_role(number)) is not None:
        times = library.programs_nanoseconds(number), library.programs_worked(number)
        seconds[role.decode()] = [time / 1e9 for time in times]
        number += 1
    return {"programs": seconds, "own_bytes": library.programs_peak()}


def _check(wrong: bytes | None) -> None:
    if wrong is not None:
        raise RuntimeError(wrong.decode())
