"""Loads a speech model, then turns phonemes into sound.

from g2p_build.runtime import tts
with tts.load("manifests/....json") as speech:
    for piece in speech.speak("həlˈoʊ wˈɜːld.", voice="af_heart"):
        play(piece.samples)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Generator, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from g2p_build.runtime import tts_library, variant
from g2p_build.runtime.abi import checked_threads
from g2p_build.runtime.errors import Closed, UnknownVoice
from g2p_build.runtime.kokoro_manifest import SECTION
from g2p_build.runtime.tts_library import MOST_MIXED, Model, Piece, Timing

if TYPE_CHECKING:
    from g2p_build.runtime.g2p import G2P

__all__ = ["TTS", "Piece", "Timing", "load"]

_MOST_WEIGHT = 1e6  # of a voice in a mixture
_SEEDS = 1 << 64


def load(manifest: str | PathLike[str] | None = None, threads: int = 0) -> TTS:
    """Opens the speech variant that a manifest describes, with its voices.

    All archives are checked against the manifest before any is opened. They are unpacked once, into a cache by digest.
    Weights and voices are mapped, not copied; everything in the process that loads them shares them.

    Args:
        manifest: path of the manifest. The default is the one that `index.choose` takes for this machine.
        threads: how many threads may work on an utterance that does not say; 0: one for each processor that this
            process may use (its affinity, its container's quota). At most 256.

    Raises:
        G2PError: the variant cannot be loaded. Each cause has a subclass: see `errors`.
        ValueError: ``threads`` is below 0 or above 256.
    """
    checked_threads(threads)
    path, data = variant.found(manifest, SECTION)
    files = data["files"]
    members = {
        "library": [*files["library"], files["model"]],
        "weights": [files["weights"]],
        "voices": [files["voices"]],
    }
    folders = variant.unpacked(path, data, members)
    library, weights = folders["library"] / files["library"][0], folders["weights"] / files["weights"]
    model = tts_library.open_model(library, weights, folders["voices"] / files["voices"], threads)
    return TTS(data, model, (load, (str(path.absolute()), threads)))


class TTS:
    """One loaded speech variant. Threads may share one. Made by `load`.

    It can be sent to another process (pickled): it is loaded there again. Used in a `with` statement, it is closed at
    the end.

    Attributes:
        manifest: the manifest, as read.
    """

    def __init__(self, data: dict[str, Any], model: Model, again: tuple[Callable[..., TTS], tuple[Any, ...]]) -> None:
        """Made by `load`.

        Args:
            data: the manifest.
            model: what speaks; others may share it.
            again: what loads the same variant in another process, and its arguments.
        """
        self.manifest = data
        self._open: Model | None = model
        self._again = again

    def __reduce__(self) -> tuple[Any, ...]:
        return self._again

    def __enter__(self) -> TTS:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the model. Its memory is freed when no other object of the same manifest, and no call, uses it."""
        self._open = None

    @property
    def _model(self) -> Model:
        if self._open is None:
            raise Closed(f"{self.manifest['name']} is closed: load it again")
        return self._open

    @property
    def voices(self) -> tuple[str, ...]:
        """The names of the voices."""
        return self._model.voices()

    @property
    def limits(self) -> dict[str, Any]:
        """The variant's bounds.

        ``symbols``: the most that a piece of an utterance has; longer phonemes are split. ``sample_rate``: of the
        sound, in hertz. ``frame``: samples of a frame; each character lasts whole frames. ``slowest``, ``fastest``: the
        speeds that there are.
        """
        return dataclasses.asdict(self._model.bounds())

    def info(self) -> dict[str, Any]:
        """Facts about this variant as plain data: name, fields, target, checkpoint, voices, languages, sizes."""
        data = self.manifest
        return {
            "name": data["name"],
            **{name: data["variant"][name] for name in ("checkpoint", "dtype")},
            "target": data["target"],
            "checkpoint": data["checkpoint"],
            "weights": data["model"]["weights"],
            "voices": list(self.voices),
            "limits": self.limits,
            "symbols": "".join(data["model"]["symbols"]),
            "languages": sorted(data["model"]["languages"]),
            "sizes": {part: entry["size"] for part, entry in data["archives"].items()},
            "toolchain": data["toolchain"],
            "digest": data["digest"],
        }

    def phonemes(self, text: str, g2p: G2P, lang: str = "eng-us") -> str:
        """What `speak` takes for a text: its words pronounced, its punctuation, at which a voice pauses.

        Ctrl-C ends the call.

        Args:
            text: of any length. Numbers are written out.
            g2p: pronounces the words.
            lang: their language, one of ``info()["languages"]``.

        Raises:
            UnknownLanguage: the speech model has no table for the language.
            ForeignCharacter: the text has a number; a word has a foreign character, or a phoneme that the table has
                not.
            G2PError: a word cannot be pronounced.
            LibraryFailed: the G2P variant runs on the virtual machine.
            InvalidWord: the text holds half a surrogate pair.
        """
        return self._model.phonemes(text, lang, g2p.interface())

    def speak(
        self,
        phonemes: str,
        voice: str | None = None,
        mix: Mapping[str, float] | None = None,
        speed: float = 1.0,
        seed: int = 0,
        threads: int | None = None,
        early: bool = False,
        skip_unknown: bool = False,
    ) -> Generator[Piece, None, None]:
        """The sound of phonemes, piece by piece, each as soon as it is made.

        Long phonemes are split at the ends of sentences, at other punctuation, at spaces. The next piece is made while
        the last is used. Whoever stops in the middle, by Ctrl-C or by closing the iterator, ends the work.

        The same phonemes, voice, speed and seed give the same bytes, with any number of threads.

        Args:
            phonemes: what to say, with spaces and punctuation.
            voice: one of `voices`.
            mix: in place of ``voice``: up to 8 voices, each with its share. Shares are taken in proportion.
            speed: 2 is twice as fast: see `limits`.
            seed: of the noise that a voice is made of, from 0 to 2**64 - 1.
            threads: how many threads may work on it; None: as `load` was told.
            early: whether the first piece ends as soon as it may, so that it is there sooner.
            skip_unknown: whether characters that the model has no symbol for are left out.

        Raises:
            ValueError, TypeError: an argument is none that there is.
            UnknownVoice: a voice is not among `voices`.
            Closed: the model was closed.
            UnknownPhoneme: a character has no symbol. The error has its place. This and what follows is raised in place
                of the first piece.
            EmptyWord: there is nothing to say.
            InvalidWord: the phonemes hold half a surrogate pair.
        """
        model = self._model
        if not isinstance(phonemes, str):
            raise TypeError(f"phonemes is a string, not {type(phonemes).__name__}")
        shares = self._shares(voice, mix)
        bounds = model.bounds()
        if not bounds.slowest <= speed <= bounds.fastest:
            raise ValueError(f"speed={speed}: give {bounds.slowest:g} to {bounds.fastest:g}")
        if not 0 <= seed < _SEEDS:
            raise ValueError(f"seed={seed}: give 0 to 2**64 - 1")
        checked_threads(threads or 0)
        return model.speak(phonemes, shares, speed, seed, threads or 0, early, skip_unknown)

    def say(
        self,
        phonemes: str,
        voice: str | None = None,
        mix: Mapping[str, float] | None = None,
        speed: float = 1.0,
        seed: int = 0,
        threads: int | None = None,
        skip_unknown: bool = False,
    ) -> bytes:
        """The whole sound of phonemes: samples as in `Piece`. Arguments and errors are those of `speak`."""
        pieces = self.speak(phonemes, voice, mix, speed, seed, threads, skip_unknown=skip_unknown)
        return b"".join(piece.samples for piece in pieces)

    def _shares(self, voice: str | None, mix: Mapping[str, float] | None) -> dict[str, float]:
        """Voices and their shares of what is said."""
        if voice is not None and mix is not None:
            raise ValueError("voice and mix say who speaks: give one of them")
        there = self.voices
        shares = mix if voice is None else {voice: 1.0}
        if shares is None:
            raise ValueError(f"nobody speaks: give a voice, of {', '.join(there)}")
        if not 1 <= len(shares) <= MOST_MIXED:
            raise ValueError(f"mix has {len(shares)} voices: give 1 to {MOST_MIXED}")
        for name, share in shares.items():
            if not isinstance(name, str):
                raise TypeError(f"a voice is a string, not {name!r}")
            if name not in there:
                raise UnknownVoice(f"no voice is named {name!r}: there is {', '.join(there)}")
            if not 0 <= share <= _MOST_WEIGHT:
                raise ValueError(f"mix: the share of {name!r} is {share}: give 0 to {_MOST_WEIGHT:,.0f}")
        if not math.fsum(shares.values()) > 0:
            raise ValueError("mix: no share is above 0: give one that is")
        return dict(shares)
