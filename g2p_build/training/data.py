"""The data of a run: the words it is trained on, those that are held out, and those it is scored on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from g2p_build.errors import BuildError
from g2p_build.reference.scores import Entry, read_dictionary
from g2p_build.training.batches import Source, examples_of
from g2p_build.training.use import frequencies_of, held_out

__all__ = ["Words", "scored_words", "sources_of", "split", "training_words"]

Words = Mapping[str, Sequence[Entry]]
"""Words and their pronunciations, by language."""


def training_words(data: Path) -> dict[str, list[Entry]]:
    """The dictionaries in train/.

    Raises:
        BuildError: there is no such folder, or a file in it is malformed.
    """
    folder = data / "train"
    if not folder.is_dir():
        raise BuildError(f"{folder} is not a folder: --data needs train/LANG.tsv in it")
    return read_dictionary(folder)


def scored_words(folder: Path, shares: Mapping[str, float]) -> dict[str, list[Entry]]:
    """The dictionaries of dev/ or test/ in the languages trained; none where there is no such folder.

    Raises:
        BuildError: a file is malformed.
    """
    found = read_dictionary(folder) if folder.is_dir() else {}
    return {language: rows for language, rows in found.items() if language in shares}


def split(
    words: Words, shares: Mapping[str, float], count: int
) -> tuple[dict[str, list[Entry]], dict[str, list[Entry]]]:
    """The words of each language to train on, and those that are held out.

    Args:
        words: all that there are.
        shares: the languages trained.
        count: words to hold out of each language.

    Raises:
        BuildError: no word of a language is left to train on.
    """
    kept: dict[str, list[Entry]] = {}
    held: dict[str, list[Entry]] = {}
    for language in shares:
        out = held_out(language, (word for word, _ in words[language]), count)
        kept[language] = [entry for entry in words[language] if entry[0] not in out]
        held[language] = [entry for entry in words[language] if entry[0] in out]
        if not kept[language]:
            raise BuildError(f"--hold-out {count} leaves no word of {language} to train on")
    return kept, held if count else {}


def sources_of(words: Words, shares: Mapping[str, float], by_use: float, prompt: str) -> dict[str, Source]:
    """Where the rows of each language come from. Prints a line for each language.

    Args:
        words: those to train on.
        shares: the part of all draws that is each language's.
        by_use: the part of a language's draws that goes by use, where its words' use is known.
        prompt: the template of the inputs.

    Raises:
        BuildError: no word of a language is short enough.
    """
    sources = {}
    for language, share in shares.items():
        examples = examples_of(prompt, language, words[language])
        known = frequencies_of(language) if by_use else {}
        # The root: words would otherwise come as seldom as they are used, most of them never.
        use = list(itertools.accumulate(known.get(word, 0.0) ** 0.5 for word in examples))
        part = by_use if use[-1] else 0.0
        sources[language] = Source(list(examples.values()), share, part, use if part else ())
        left_out = len(words[language]) - len(examples)
        print(
            f"{language}: {len(examples):,} words, share {share:.3f}, by use {part:g}"
            + (f" ({left_out:,} too long)" if left_out else ""),
            flush=True,
        )
    return sources
