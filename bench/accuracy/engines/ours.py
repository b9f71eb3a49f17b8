"""This project's own runtime: a published variant, the model alone or with the lexicon that it was built with."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from bench.accuracy.contender import CannotRun, Opened, Say
from bench.accuracy.words import Language
from bench.pronounce.child import library_bytes
from g2p_build.runtime import G2P, G2PError, load
from g2p_build.runtime.tokenizer import decode

__all__ = ["has_lexicon", "opened"]


def has_lexicon(manifest: Path) -> bool:
    """Whether a variant was built with a lexicon."""
    return bool(json.loads(manifest.read_bytes()).get("lexicon"))


def opened(manifest: Path, lexicon: bool, language: Language, say: Say) -> Opened:
    """Loads a variant.

    Args:
        manifest: of a published variant.
        lexicon: whether words that its lexicon has are looked up.
        language: whose words it will be asked for.
        say: unused; nothing here takes long.

    Raises:
        CannotRun: it cannot be loaded here, or does not know the language.
    """
    try:
        g2p = load(manifest, threads=1)
    except G2PError as error:
        raise CannotRun(str(error)) from None
    if g2p.languages is not None and language.code not in g2p.languages:
        raise CannotRun(f"the checkpoint does not know {language.code}")

    def said(words: Sequence[str]) -> list[str]:
        if lexicon:
            return g2p(words, language.code)
        # Ids are what the model generates, so no lexicon takes part.
        return [decode(g2p.manifest["model"], ids) for ids in g2p.tokens(words, language.code)]

    def pronounce(words: Sequence[str]) -> list[str]:
        taken = [word for word in words if _takes(g2p, word, language.code)]
        found = dict(zip(taken, said(taken), strict=True))
        return [found.get(word, "") for word in words]

    def ms(words: Sequence[str]) -> float:
        taken = [word for word in words if _takes(g2p, word, language.code)]
        started = time.perf_counter()
        for word in taken:
            said([word])
        return (time.perf_counter() - started) / len(taken) * 1e3

    said([language.timed[0]])  # so that the library is mapped
    archives = g2p.manifest["archives"]
    data = sum(entry["size"] for part, entry in archives.items() if part != "library")
    return Opened(pronounce, ms, data, library_bytes(("/libg2p.",)))


def _takes(g2p: G2P, word: str, lang: str) -> bool:
    try:
        g2p.check(word, lang)
    except G2PError:
        return False
    return True
