"""Pronounces words with the one model that this package holds.

It is a built variant with the thin runtime: no network, no cache, nothing else to install. `doit wheel` makes such
packages, in which this file is `__init__.py`.
"""

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from g2p_build.runtime import errors, standalone
from g2p_build.runtime.abi import checked_threads
from g2p_build.runtime.cancel import Cancel
from g2p_build.runtime.errors import G2PError
from g2p_build.runtime.g2p import G2P
from g2p_build.runtime.results import Part, Result

__all__ = [
    "G2P",
    "Cancel",
    "G2PError",
    "Part",
    "Result",
    "best",
    "errors",
    "load",
    "pronounce",
    "pronounce_all",
    "results",
    "text",
]

_HERE = Path(__file__).parent


def load(threads: int = 0, lexicon: bool = True) -> G2P:
    """An object of one's own, which words can be added to. All of them share the weights.

    Args:
        threads: how many threads may work on a list of words; 0: one for each processor that this process may use (its
            affinity, its container's quota). At most 256.
        lexicon: whether the model's own lexicon comes before it, where it has one.

    Raises:
        UnsupportedCPU: the library uses instructions that this processor lacks.
        G2PError: the package is damaged: install it again.
        ValueError: ``threads`` is below 0 or above 256.
    """
    checked_threads(threads)
    data = json.loads((_HERE / "manifest.json").read_bytes())
    files = data["files"]
    open_model = functools.partial(
        standalone.open_model,
        _HERE / files["library"][0],
        _HERE / files["weights"],
        lexicon=_HERE / files["lexicon"] if lexicon and files["lexicon"] else None,
        draft=_HERE / files["draft"] if files["draft"] else None,
    )
    private = functools.partial(open_model, shared=False)
    return G2P(data, open_model(), threads, private, (load, (threads, lexicon)))


def pronounce(word: str, lang: str = "eng-us") -> str:
    """The phonemes of a word.

    Raises:
        UnknownLanguage, EmptyWord, InvalidWord, ForeignCharacter, WordTooLong: it cannot be pronounced.
    """
    return _shared()([word], lang)[0]


def pronounce_all(words: Iterable[str], lang: str | Sequence[str] = "eng-us") -> list[str]:
    """The phonemes of each word: `G2P.__call__`, with its errors."""
    return _shared()(words, lang)


def results(words: Iterable[str], lang: str | Sequence[str] = "eng-us", *, scores: bool = False) -> list[Result]:
    """All that is known of each word. A wrong word has its own error, and ends nothing: `G2P.results`."""
    return _shared().results(words, lang, scores=scores)


def best(
    words: Iterable[str], lang: str | Sequence[str] = "eng-us", *, n: int = 3, beams: int | None = None
) -> list[list[Result]]:
    """The ``n`` best pronunciations of each word, the best first, with their scores: `G2P.best`."""
    return _shared().best(words, lang, n=n, beams=beams)


def text(text: str, lang: str = "eng-us", *, scores: bool = False) -> list[Part]:
    """The parts of a text: words with their pronunciations, and what is between them. `G2P.text`."""
    return _shared().text(text, lang, scores=scores)


@functools.cache
def _shared() -> G2P:
    return load()
