"""This project's own runtime on a standalone library. Threads pronounce independent batches with one model.

Forced tokens need a variant that is made for them: see `counterparts.endless`.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.pronounce.setup import Batch, Pronounce, PronounceList, Setup, Word, independent
from g2p_build.runtime import archive

__all__ = ["DISTRIBUTIONS", "IMPORTS", "LIBRARIES", "model_files", "open_list", "open_model"]

IMPORTS = ("g2p_build.runtime.loading",)
DISTRIBUTIONS = ()
LIBRARIES = ("/libg2p.",)


def model_files(setup: Setup) -> list[Path]:
    """The archive of the weights. The library counts with those that the process has mapped."""
    manifest = Path(setup.folder)
    return [archive.find(manifest, json.loads(manifest.read_bytes())["archives"]["weights"]["file"])]


def open_model(setup: Setup) -> Pronounce:
    """Loads the manifest that `setup.folder` is."""
    tokens = _tokens(setup, 1)

    def pronounce(batch: Batch) -> list[list[int]]:
        return tokens([word.text for word in batch], batch[0].language)

    return independent([pronounce] * setup.threads)


def open_list(setup: Setup) -> PronounceList:
    """The same for whole lists: the library itself sorts them and shares them between its threads."""
    tokens = _tokens(setup, setup.threads)

    def pronounce(words: Sequence[Word], most: int) -> list[list[int]]:
        return tokens([word.text for word in words], [word.language for word in words])

    return pronounce


def _tokens(setup: Setup, threads: int) -> Callable[[list[str], str | list[str]], list[list[int]]]:
    from g2p_build.runtime import load

    g2p = load(setup.folder, threads)
    engine: Any = g2p._engine
    wanted = setup.forced_tokens
    if wanted is None:
        return g2p.tokens

    def forced(words: list[str], lang: str | list[str]) -> list[list[int]]:
        found: list[list[int]] = engine.tokens(words, lang, threads, most_ids=wanted)
        for word, ids in zip(words, found, strict=True):
            if len(ids) != wanted:
                raise RuntimeError(f"{word!r} ended after {len(ids)} of {wanted} tokens: set another checkpoint.seed")
        return found

    return forced
