"""A speech library, called through its C interface (``tts.h``) by ctypes. It needs no numpy.

A call releases the interpreter lock while it runs, and any number of threads may call at once.
"""

from __future__ import annotations

import ctypes
import functools
import os
import queue
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g2p_build.runtime import abi
from g2p_build.runtime.abi import Error, Text, close_at_end, encoded, failure, zeroless
from g2p_build.runtime.cancel import Cancel, interruptible
from g2p_build.runtime.errors import G2PError, LibraryFailed, UnknownPhoneme
from g2p_build.runtime.standalone import Interface

__all__ = ["ABI_VERSION", "MOST_MIXED", "Bounds", "Model", "Piece", "Timing", "open_model"]

ABI_VERSION = 1
"""The version of ``tts.h`` that this file was written for."""

MOST_MIXED = 8
"""Voices that may be mixed."""

_SKIP_UNKNOWN, _EARLY = 1, 2  # flags of a request
_UNKNOWN_PHONEME = 19
_TOO_SMALL = 8
_AHEAD = 1  # finished pieces that wait to be taken, besides the one in the making
_LOOKS = 0.1  # seconds between two looks whether somebody still wants a finished piece


@dataclass(frozen=True)
class Timing:
    """Where a character of the phonemes is in the sound.

    Attributes:
        place: its index in the phonemes.
        symbol: the character.
        first: its first sample, of the utterance.
        samples: how many it has.
    """

    place: int
    symbol: str
    first: int
    samples: int


@dataclass(frozen=True)
class Piece:
    """A piece of an utterance. The pieces' samples, one behind the other, are the utterance.

    Attributes:
        first: its first sample, of the utterance.
        samples: float32 from -1 to 1, one channel, in the machine's byte order: `array.array("f")` takes them.
        timings: of its characters, in their order. Before the first and behind the last is some silence.
    """

    first: int
    samples: bytes
    timings: tuple[Timing, ...]


@dataclass(frozen=True)
class Bounds:
    """What a model takes and gives.

    Attributes:
        symbols: that a piece of an utterance may have. Longer phonemes are split.
        sample_rate: of the sound, in hertz.
        frame: samples of a frame: each character lasts whole frames.
        slowest: the least speed.
        fastest: the greatest.
    """

    symbols: int
    sample_rate: int
    frame: int
    slowest: float
    fastest: float


class _Bounds(ctypes.Structure):
    _fields_ = [
        ("symbols", ctypes.c_size_t),
        ("sample_rate", ctypes.c_uint32),
        ("frame", ctypes.c_uint32),
        ("slowest", ctypes.c_float),
        ("fastest", ctypes.c_float),
    ]


class _Options(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("threads", ctypes.c_uint32),
        ("allocator", ctypes.c_void_p),
        ("variant", ctypes.c_void_p),
    ]


class _Share(ctypes.Structure):
    _fields_ = [("voice", ctypes.c_char_p), ("weight", ctypes.c_float)]


class _Request(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("phonemes", Text),
        ("voice", ctypes.c_char_p),
        ("mixture", ctypes.POINTER(_Share)),
        ("mixture_count", ctypes.c_size_t),
        ("speed", ctypes.c_float),
        ("seed", ctypes.c_uint64),
        ("threads", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cancel", ctypes.c_void_p),
    ]


class _Timing(ctypes.Structure):
    _fields_ = [
        ("start", ctypes.c_size_t),
        ("size", ctypes.c_size_t),
        ("first", ctypes.c_uint64),
        ("samples", ctypes.c_uint32),
    ]


class _Piece(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("first", ctypes.c_uint64),
        ("samples", ctypes.c_void_p),
        ("samples_count", ctypes.c_size_t),
        ("timings", ctypes.POINTER(_Timing)),
        ("timings_count", ctypes.c_size_t),
    ]


class _TextRequest(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("text", Text),
        ("lang", ctypes.c_char_p),
        ("g2p", ctypes.c_void_p),
        ("next_part", ctypes.c_void_p),
        ("pronounce", ctypes.c_void_p),
        ("cancel", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Piece))


class Model:
    """An open model with its voices. It is closed when nobody holds it any more. Made by `open_model`."""

    def __init__(self, library: Any, handle: ctypes.c_void_p) -> None:
        self._library, self._handle, self._process = library, handle, os.getpid()
        close_at_end(self, library.tts_close, handle)

    def bounds(self) -> Bounds:
        """What the model takes and gives."""
        found = self._library.tts_limits(self._handle)
        return Bounds(found.symbols, found.sample_rate, found.frame, found.slowest, found.fastest)

    def add_voices(self, path: Path) -> None:
        """Adds the voices of a file.

        Raises:
            InvalidVoices: it is damaged.
        """
        error = Error()
        if self._library.tts_add_voices(self._handle, os.fsencode(path), ctypes.byref(error)):
            raise failure(error.status, error.message)

    def voices(self) -> tuple[str, ...]:
        """The names of the voices."""
        needed, error = ctypes.c_size_t(), Error()
        outputs = ctypes.byref(needed), ctypes.byref(error)
        memory = ctypes.create_string_buffer(1)
        while self._library.tts_voices(self._handle, memory, len(memory), *outputs):
            if error.status != _TOO_SMALL:
                raise failure(error.status, error.message)
            memory = ctypes.create_string_buffer(needed.value)
        return tuple(name.decode() for name in memory.raw.split(b"\0") if name)

    def phonemes(self, text: str, lang: str, g2p: Interface) -> str:
        """What is spoken for a text. Ctrl-C ends the call.

        Args:
            text: of any length.
            lang: the language of its words.
            g2p: pronounces them.

        Raises:
            G2PError: the model has no table for the language; the text has a number; a word cannot be pronounced, or
                has a phoneme that the table has not.
        """
        if not hasattr(self._library, "tts_text"):
            raise LibraryFailed("the library is from before it took texts: build it again")
        data, cancel, found, error = encoded(text), Cancel(), Text(), Error()
        memory = ctypes.create_string_buffer(data, len(data) + 1)
        request = _TextRequest(
            size=ctypes.sizeof(_TextRequest),
            text=Text(ctypes.addressof(memory), len(data)),
            lang=zeroless(lang),
            g2p=g2p.handle,
            next_part=g2p.next_part,
            pronounce=g2p.pronounce,
            cancel=ctypes.addressof(cancel.flag),
        )
        given = (self._handle, ctypes.byref(request), ctypes.byref(found), ctypes.byref(error))
        held = (self, memory, g2p, cancel)

        def run() -> int:
            _ = held  # what the library reads lives as long as the call, after a second Ctrl-C too
            return int(self._library.tts_text(*given))

        if interruptible(run, len(data), cancel):
            raise failure(error.status, error.message)
        try:
            return ctypes.string_at(found.data, found.size).decode() if found.size else ""
        finally:
            self._library.tts_free_text(self._handle, ctypes.byref(found))

    def speak(
        self,
        phonemes: str,
        shares: Mapping[str, float],
        speed: float,
        seed: int,
        threads: int,
        early: bool,
        skip_unknown: bool,
    ) -> Generator[Piece, None, None]:
        """The pieces of an utterance, each as soon as it is made.

        The library calls back in the thread that called it, so it is called in another thread. That thread is at most
        two pieces ahead of whoever takes them. Its work ends before the iterator does, also where the iterator is
        closed or forgotten in the middle.

        Args:
            phonemes: what to say.
            shares: voice → its weight; one or more.
            speed: within the bounds.
            seed: of the noise; below 2**64.
            threads: that may work on it; 0: as many as the model was opened with.
            early: whether the first piece may be short.
            skip_unknown: whether unknown characters are left out.

        Raises:
            UnknownPhoneme, UnknownVoice, EmptyWord, InvalidWord: it cannot be spoken. Then there is no piece.
            G2PError: the library failed.
        """
        pieces: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()  # None ends them
        room = threading.Semaphore(_AHEAD)
        cancel, ended, failed = ctypes.c_int32(0), threading.Event(), list[BaseException]()
        takers = [threading.main_thread(), threading.current_thread()]

        def hand_over(piece: Piece) -> bool:
            while not room.acquire(timeout=_LOOKS):
                # The interpreter waits for this thread when it ends. Then nobody is left who could take a piece.
                if cancel.value or not any(taker.is_alive() for taker in takers):
                    return False
            pieces.put(piece)
            return True

        def run() -> None:
            try:
                call = (phonemes, shares, speed, seed, threads, early, skip_unknown)
                self._speak(*call, cancel=cancel, take=hand_over)
            except BaseException as error:
                failed.append(error)
            finally:
                ended.set()
                pieces.put(None)

        # Not a daemon: the interpreter waits for it before it closes the model.
        worker = threading.Thread(target=run, name="tts")
        try:
            worker.start()
            while (piece := pieces.get()) is not None:
                room.release()
                yield piece
                takers[1] = threading.current_thread()
            if failed:
                raise failed[0]
        finally:
            cancel.value = 1
            # It is the worker itself where the collector finds a forgotten iterator there.
            if worker.ident is not None and threading.current_thread() is not worker:
                ended.wait()
            failed.clear()  # its traceback holds this frame

    def _speak(
        self,
        phonemes: str,
        shares: Mapping[str, float],
        speed: float,
        seed: int,
        threads: int,
        early: bool,
        skip_unknown: bool,
        cancel: ctypes.c_int32,
        take: Any,
    ) -> None:
        """Speaks in this thread. `take` gets each piece, and says whether there should be more."""
        data, error, wrong = encoded(phonemes), Error(), list[BaseException]()
        mixture = (_Share * len(shares))(*(_Share(zeroless(name), weight) for name, weight in shares.items()))
        reached, place = 0, 0  # of the phonemes: a byte, and the character that begins there

        def made(_: int | None, given: Any) -> int:
            nonlocal reached, place
            try:
                found, timings = given.contents, []
                for timing in found.timings[: found.timings_count]:
                    place += len(data[reached : timing.start].decode())
                    reached = timing.start
                    timings.append(Timing(place, phonemes[place], timing.first, timing.samples))
                samples = ctypes.string_at(found.samples, found.samples_count * ctypes.sizeof(ctypes.c_float))
                return 0 if take(Piece(found.first, samples, tuple(timings))) else 1
            except BaseException as other:  # ctypes would print it and go on
                wrong.append(other)
                return 1

        memory = ctypes.create_string_buffer(data, len(data) + 1)
        request = _Request(
            size=ctypes.sizeof(_Request),
            phonemes=Text(ctypes.addressof(memory), len(data)),
            mixture=mixture,
            mixture_count=len(mixture),
            speed=speed,
            seed=seed,
            # A forked child does not have its parent's threads, and may not be able to start any.
            threads=threads if os.getpid() == self._process else 1,
            flags=(_EARLY if early else 0) | (_SKIP_UNKNOWN if skip_unknown else 0),
            cancel=ctypes.addressof(cancel),
        )
        callback = _Callback(made)
        given = (ctypes.byref(request), callback, None, ctypes.byref(error))
        if self._library.tts_speak(self._handle, *given):
            raise wrong[0] if wrong else _explained(data, error)


def _explained(data: bytes, error: Error) -> G2PError:
    if error.status != _UNKNOWN_PHONEME:
        return failure(error.status, error.message)
    place = len(data[: error.word].decode())
    symbol = data[error.word :].decode()[0]
    return UnknownPhoneme(
        f"the model has no symbol for {symbol!r} (U+{ord(symbol):04X}), character {place + 1} of the phonemes: "
        "give another, or skip what is unknown",
        place,
    )


def open_model(library: Path, weights: Path, voices: Path, threads: int) -> Model:
    """Opens a model with its voices. As long as somebody holds it, the same arguments give the same model.

    Args:
        library: path of the shared library.
        weights: path of the safetensors file.
        voices: path of the file of voices.
        threads: of a call that does not say; 0: one for each processor that this process may use.

    Raises:
        LibraryFailed: the library does not load, or has another version of the interface.
        InvalidWeights, InvalidVoices: a file is damaged, or not the model's.
        UnsupportedCPU: the library uses instructions that this processor lacks.
    """
    return abi.shared(
        (library, weights, voices, threads), functools.partial(_opened, library, weights, voices, threads)
    )


def _opened(path: Path, weights: Path, voices: Path, threads: int) -> Model:
    library = abi.open_library(path, "tts_abi_version", ABI_VERSION)
    library.tts_limits.restype = _Bounds
    library.tts_limits.argtypes = [ctypes.c_void_p]
    library.tts_open.argtypes = [ctypes.c_char_p, *[ctypes.c_void_p] * 3]
    library.tts_add_voices.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    library.tts_voices.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_void_p] * 2]
    library.tts_speak.argtypes = [ctypes.c_void_p, ctypes.c_void_p, _Callback, *[ctypes.c_void_p] * 2]
    if hasattr(library, "tts_text"):
        library.tts_text.argtypes = [ctypes.c_void_p] * 4
        library.tts_free_text.argtypes, library.tts_free_text.restype = [ctypes.c_void_p] * 2, None
    handle, error = ctypes.c_void_p(), Error()
    options = _Options(size=ctypes.sizeof(_Options), threads=threads)
    given = ctypes.byref(options), ctypes.byref(handle), ctypes.byref(error)
    if library.tts_open(os.fsencode(weights), *given):
        raise failure(error.status, error.message)
    model = Model(library, handle)
    model.add_voices(voices)
    return model
