"""What a checkpoint is trained on: examples of a dictionary, how often each language comes, and batches of them."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from g2p_build.errors import BuildError
from g2p_build.reference.generate import EOS, ids_of, tokens_of
from g2p_build.reference.scores import Entry

__all__ = ["PIECE", "POOL", "Example", "Source", "batches_of", "examples_of", "pad", "piece_of", "shares_of"]

MAX_IN, MAX_OUT = 64, 96
"""Ids; longer examples are left out."""

PIECE = 32
"""Rows that go through the model together, at most: fewer have less padding, and more are no faster."""

POOL = 64
"""Batches drawn together: the more, the less padding."""

Example = tuple[list[int], list[int]]
"""The ids of a prompt (without end token) and of its label (with one)."""


@dataclass(frozen=True)
class Source:
    """Where a language's rows come from.

    Attributes:
        rows: its examples.
        share: the part of all draws that is this language's.
        by_use: the part of its draws that goes by use; in the rest all rows come before one comes again.
        use: how often each row is drawn by use, added up over the rows before it.
    """

    rows: Sequence[Example]
    share: float
    by_use: float = 0.0
    use: Sequence[float] = ()


def shares_of(text: str | None, counts: Mapping[str, int]) -> dict[str, float]:
    """How often each language is drawn, adding up to 1; by the square roots of the counts where nobody says.

    Args:
        text: `LANG=SHARE,...`, or None.
        counts: words of each language in the data.

    Raises:
        BuildError: the text is malformed, names a language without data, or a share is not above 0.
    """
    if text is None:
        weights = {language: math.sqrt(count) for language, count in counts.items()}
    else:
        weights = {}
        for part in text.split(","):
            language, _, share = part.partition("=")
            try:
                weights[language.strip()] = float(share)
            except ValueError:
                raise BuildError(f"--shares {part!r} is not LANG=SHARE: write eng-us=0.4,fin=0.6") from None
    for language, weight in weights.items():
        if language not in counts:
            raise BuildError(f"--shares names {language!r}, but the data have {', '.join(counts)}")
        if not 0 < weight < math.inf:
            raise BuildError(f"--shares {language}={weight:g} is not above 0")
    return {language: weights[language] / sum(weights.values()) for language in sorted(weights)}


def examples_of(prompt: str, language: str, rows: Sequence[Entry]) -> dict[str, Example]:
    """The examples of a language by word: each with its first pronunciation, those that are too long left out.

    Raises:
        BuildError: all of them are too long.
    """
    examples = {word: (tokens_of(prompt, language, word), [*ids_of(ipa[0]), EOS]) for word, ipa in rows}
    fitting = {word: (x, y) for word, (x, y) in examples.items() if len(x) <= MAX_IN and len(y) <= MAX_OUT}
    if not fitting:
        raise BuildError(f"no word of {language} fits: prompts are bounded by {MAX_IN} bytes, labels by {MAX_OUT}")
    return fitting


def batches_of(sources: Mapping[str, Source], size: int, seed: int, start: int = 0) -> Iterator[list[list[Example]]]:
    """Endless batches, each as pieces of rows of about one length, so that there is little padding.

    The batches of a pool are drawn together: rows by share, sorted by length, cut into pieces, the pieces shuffled.
    A batch of several pieces then has several lengths in it, as a batch of rows drawn one by one has.

    Args:
        sources: where the rows of each language come from.
        size: rows a batch; `piece_of` says which sizes there are.
        seed: of the draws; the batches depend on nothing but the arguments.
        start: batches to leave out, which takes no time.
    """
    piece = piece_of(size)
    for number in itertools.count(start // POOL):
        pool = [row for language in sorted(sources) for row in _drawn(sources, language, size * POOL, seed, number)]
        pool.sort(key=lambda row: (len(row[0]), len(row[1])))
        pieces = [pool[i : i + piece] for i in range(0, len(pool), piece)]
        random.Random(f"{seed} {number}").shuffle(pieces)
        batches = [pieces[i : i + size // piece] for i in range(0, len(pieces), size // piece)]
        yield from batches[start % POOL if number == start // POOL else 0 :]


def piece_of(size: int) -> int:
    """Rows that go through the model together: a fourth of a batch, at most `PIECE`.

    Raises:
        BuildError: they do not add up to a batch.
    """
    piece = min(max(1, size // 4), PIECE)
    if size % piece:
        unit = 4 if size < 4 * PIECE else PIECE
        raise BuildError(f"a batch of {size} words cannot be cut into equal parts: give a multiple of {unit}")
    return piece


def _drawn(sources: Mapping[str, Source], language: str, size: int, seed: int, number: int) -> list[Example]:
    """A language's rows in a pool: its part drawn by use, the rest one after the other in an order shuffled anew."""
    source = sources[language]
    before = sum(sources[other].share for other in sorted(sources) if other < language)
    count = round((before + source.share) * size) - round(before * size)
    by_use = round(count * source.by_use)
    draw = random.Random(f"{seed} {language} {number}")
    drawn = draw.choices(source.rows, cum_weights=source.use, k=by_use) if by_use else []
    for position in range(number * (count - by_use), (number + 1) * (count - by_use)):
        turn, index = divmod(position, len(source.rows))
        drawn.append(source.rows[_shuffled(len(source.rows), f"{seed} {language} turn {turn}")[index]])
    return drawn


@lru_cache(maxsize=32)
def _shuffled(count: int, seed: str) -> list[int]:
    return random.Random(seed).sample(range(count), count)


def pad(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    """Rows of ids as one int64 tensor [rows, longest], `value` after the shorter ones."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])
