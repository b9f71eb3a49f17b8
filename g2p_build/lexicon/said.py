"""Asks a model for its pronunciations of many words."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.runtime import tokenizer
from g2p_build.runtime.errors import G2PError

__all__ = ["said_by_model"]

CHUNK = 2048  # words between two steps of the progress bar


def said_by_model(
    library: Path, weights: Path, model: Mapping[str, Any], words: Mapping[str, Iterable[str]]
) -> dict[str, dict[str, str]]:
    """What the model says for each word that it takes: language → word → phonemes, in the order of the words.

    Args:
        library: a shared library that runs here.
        weights: its weights.
        model: ``model`` of its manifest.
        words: language → words.

    Raises:
        BuildError: the library does not run. One line.
    """
    from rich.console import Console
    from rich.progress import Progress

    from g2p_build.runtime.standalone import open_model

    found: dict[str, dict[str, str]] = {lang: {} for lang in words}
    try:
        opened = open_model(library, weights)
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
            for lang in words:
                taken = [word for word in words[lang] if _takes(model, word, lang)]
                bar = progress.add_task(lang, total=len(taken))
                for start in range(0, len(taken), CHUNK):
                    chunk = taken[start : start + CHUNK]
                    for word, ids in zip(chunk, opened.tokens(chunk, lang, threads=0), strict=True):
                        found[lang][word] = tokenizer.decode(model, ids)
                    progress.advance(bar, len(chunk))
    except G2PError as error:
        raise BuildError(f"the model cannot be asked for its pronunciations: {error}") from None
    return found


def _takes(model: Mapping[str, Any], word: str, lang: str) -> bool:
    try:
        tokenizer.encode(model, word, lang)
    except G2PError:
        return False
    return True
