"""What a checkpoint is trained on: examples of a dictionary, how often each language comes, and batches of them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence

import torch

from g2p_build.errors import BuildError
from g2p_build.reference.generate import EOS, ids_of, tokens_of
from g2p_build.reference.scores import Entry

__all__ = ["Example", "batches_of", "examples_of", "pad", "shares_of"]

MAX_IN, MAX_OUT = 64, 96
"""Ids; longer examples are left out."""

Example = tuple[list[int], list[int]]
"""The ids of a prompt (without end token) and of its label (with one)."""


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


def examples_of(prompt: str, language: str, rows: Sequence[Entry]) -> list[Example]:
    """The examples of a language: each word with its first pronunciation, those that are too long left out.

    Raises:
        BuildError: all of them are too long.
    """
    pairs = [(tokens_of(prompt, language, word), [*ids_of(ipa[0]), EOS]) for word, ipa in rows]
    fitting = [(x, y) for x, y in pairs if len(x) <= MAX_IN and len(y) <= MAX_OUT]
    if not fitting:
        raise BuildError(f"no word of {language} fits: prompts are bounded by {MAX_IN} bytes, labels by {MAX_OUT}")
    left_out = f" ({len(pairs) - len(fitting):,} too long)" if len(fitting) < len(pairs) else ""
    print(f"{language}: {len(fitting):,} words{left_out}", flush=True)
    return fitting


def batches_of(
    data: Mapping[str, Sequence[Example]], shares: Mapping[str, float], size: int, seed: int
) -> Iterator[list[Example]]:
    """Endless batches of rows of about one length: draws rows by share, sorts them, cuts, shuffles the cuts.

    Args:
        data: the examples of each language; none of a language comes again before all have come.
        shares: how often each language is drawn.
        size: rows a batch.
        seed: of the draws; the batches depend on nothing but the arguments.
    """
    draw = random.Random(seed)
    left: dict[str, list[Example]] = {language: [] for language in shares}
    while True:
        pool = []
        for language in draw.choices(list(shares), weights=list(shares.values()), k=size * 24):
            if not left[language]:
                left[language] = draw.sample(data[language], len(data[language]))
            pool.append(left[language].pop())
        pool.sort(key=lambda row: (len(row[1]), len(row[0])))
        cuts = [pool[i : i + size] for i in range(0, len(pool), size)]
        draw.shuffle(cuts)
        yield from cuts


def pad(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    """Rows of ids as one int64 tensor [rows, longest], `value` after the shorter ones."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])
