"""What is pronounced: real words, or made-up ones of one length where the weights are random."""

import random
import string
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.pronounce.setup import Batch, Word
from g2p_build.config.variant import Variant
from g2p_build.families.g2p.checkpoint import g2p_checkpoint
from g2p_build.reference import golden
from g2p_build.reference.scores import read_dictionary

__all__ = ["PROMPT_BYTES", "batches", "buckets", "evenly", "listed", "made_up", "real"]

PROMPT_BYTES = 20
"""Length of a made-up word with its prompt."""

_LENGTHS = (16, 24, 32, 48, 64, 96, 128)


def real(path: str) -> dict[str, list[str]]:
    """The words of a dictionary (a file, or a folder of them) by language; without a path, the golden set's sixty.

    Raises:
        BuildError: there is no such file, or one of its lines is malformed.
    """
    if not path:
        return golden.words()
    return {language: [word for word, _ in rows] for language, rows in read_dictionary(Path(path)).items()}


def made_up(variant: Variant, size: int, language: str = "eng-us") -> dict[str, list[str]]:
    """Seeded words for random weights: eight, or two batches where that is more."""
    generator = random.Random(0)
    letters = max(1, PROMPT_BYTES - len(_prompt(variant, language, "")))
    made = ["".join(generator.choices(string.ascii_lowercase, k=letters)) for _ in range(max(8, 2 * size))]
    return {language: made}


def evenly(words: Mapping[str, Sequence[str]], most: int) -> dict[str, list[str]]:
    """At most so many words of each language, spread over its list."""
    return {
        language: [listed[number * len(listed) // most] for number in range(most)] if len(listed) > most else [*listed]
        for language, listed in words.items()
    }


def batches(variant: Variant, words: Mapping[str, Iterable[str]], size: int) -> list[Batch]:
    """Whole batches of one language each; a language's words come again until its last batch is full.

    Words that are too long for the variant are left out.
    """
    found: list[Batch] = []
    for language, several in words.items():
        made = listed(variant, {language: several})
        wanted = -(-len(made) // size) * size
        rows = sorted((made[number % len(made)] for number in range(wanted)), key=lambda word: -len(word.ids))
        found += [rows[start : start + size] for start in range(0, wanted, size)]
    return found


def listed(variant: Variant, words: Mapping[str, Iterable[str]]) -> list[Word]:
    """All words as one list, language after language; those that are too long for the variant are left out."""
    made = (
        Word(language, word, tuple(_prompt(variant, language, word)))
        for language, several in words.items()
        for word in several
    )
    return [word for word in made if len(word.ids) <= variant.max_lens.input]


def buckets(batches: Iterable[Batch]) -> tuple[int, ...]:
    """The input lengths that a careful user would make static programs for, to fit these batches."""
    longest = {max(len(word.ids) for word in batch) for batch in batches}
    return tuple(sorted({next((n for n in _LENGTHS if n >= length), length) for length in longest}))


def _prompt(variant: Variant, language: str, word: str) -> list[int]:
    checkpoint = g2p_checkpoint(variant)
    ids = [
        byte + checkpoint.byte_offset for byte in checkpoint.resolved_prompt.format(lang=language, word=word).encode()
    ]
    return [*ids, checkpoint.eos_id] if checkpoint.append_eos else ids
