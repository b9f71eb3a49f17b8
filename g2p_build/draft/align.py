"""Aligns the letters of words with parts of their pronunciations, by expectation and maximisation.

A word's letters, and an end behind them, each take the next 0 to `LONGEST` characters of its pronunciation. How
probable a part is for a letter is learnt from many words together, after "Applying Many-to-Many Alignments and Hidden
Markov Models to Letter-to-Phoneme Conversion" (Jiampojamarn, Kondrak, Sherif, 2007).
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BEFORE", "BEHIND", "LONGEST", "align"]

LONGEST = 6  # characters of one letter's part
BEFORE, BEHIND = 1, 2  # what stands before a word's first letter, and behind its last

ROUNDS = 6
SAMPLE = 10_000  # words that are learnt from
GROUP = 1_000  # words that are computed at once
SLOTS = 1 << 22  # of pairs of a letter and a part, by a hash; the few that meet share their probability
FIRST = np.array([0.3, 1.0, 0.4, 0.1, 0.02, 0.004, 0.001])  # what a part of each length is at first worth
LEAST = 1e-9  # the probability of a pair that the sample has not


def align(pairs: Sequence[tuple[str, str]], progress: Callable[[int], None] = lambda done: None) -> list[list[str]]:
    """The parts of each word's pronunciation, one for each letter and one for the end.

    The same pairs in the same order give the same parts.

    Args:
        pairs: Words and their pronunciations.
        progress: Is told how many words more are finished.

    Returns:
        For each pair the parts, which joined are its pronunciation; an empty list if it is too long for its letters.
    """
    found: list[list[str]] = [[] for _ in pairs]
    fitting = [n for n, (word, said) in enumerate(pairs) if len(said) <= LONGEST * (len(word) + 1)]
    fitting.sort(key=lambda n: (len(pairs[n][0]), len(pairs[n][1]), n))
    sample = [[pairs[n] for n in group] for group in _groups(fitting[:: len(fitting) // SAMPLE + 1], pairs)]
    chances, worth = np.ones(SLOTS), FIRST
    for _ in range(ROUNDS):
        counts = np.zeros(SLOTS)
        for group in sample:
            _count(group, chances, worth, counts)
        chances, worth = np.maximum(counts / max(counts.sum(), 1), LEAST), np.ones_like(FIRST)
    for numbers in _groups(fitting, pairs):
        for n, parts in zip(numbers, _best([pairs[n] for n in numbers], chances), strict=True):
            found[n] = parts
        progress(len(numbers))
    return found


def _groups(numbers: Sequence[int], pairs: Sequence[tuple[str, str]]) -> Iterator[list[int]]:
    """Sorted words in groups, each of words with the same number of letters."""
    for _, same in itertools.groupby(numbers, lambda n: len(pairs[n][0])):
        yield from _batched(list(same))


def _batched(numbers: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(numbers), GROUP):
        yield numbers[at : at + GROUP]


def _slots(group: Sequence[tuple[str, str]]) -> tuple[NDArray[np.int64], list[list[NDArray[np.int64]]]]:
    """The pronunciations' lengths [W], and for each letter and each length of a part the slots [W, M + 1 - length]."""
    ends = np.array([len(said) for _, said in group])
    longest = int(ends.max())
    said = np.array([[*map(ord, text.ljust(longest, "\0"))] for _, text in group], np.uint64).reshape(
        len(group), longest
    )
    letters = np.array([[*map(ord, word), BEHIND] for word, _ in group], np.uint64)
    parts = [np.zeros((len(group), longest + 1), np.uint64)]
    for length in range(1, min(LONGEST, longest) + 1):
        before = parts[-1][:, : longest + 1 - length]
        parts.append((before + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) ^ said[:, length - 1 :])
    factor, shift = np.uint64(0xD6E8FEB86659FD93), np.uint64(40)
    return ends, [
        [
            (((part * np.uint64(31) + letter[:, None]) * factor) >> shift).astype(np.int64) & (SLOTS - 1)
            for part in parts
        ]
        for letter in letters.T
    ]


def _forward(
    ends: NDArray[np.int64], chances: list[list[NDArray[np.float64]]], largest: bool
) -> list[NDArray[np.float64]]:
    """For each number of letters and of characters [W, M + 1] the sum over ways to align them, or the best one's."""
    width = chances[0][0].shape[1]
    found = [np.zeros((len(ends), width))]
    found[0][:, 0] = 1
    for letter in chances:
        following = np.zeros_like(found[-1])
        for length, chance in enumerate(letter):
            reached = found[-1][:, : width - length] * chance
            if largest:
                np.maximum(following[:, length:], reached, out=following[:, length:])
            else:
                following[:, length:] += reached
        found.append(following)
    return found


def _count(
    group: Sequence[tuple[str, str]],
    chances: NDArray[np.float64],
    worth: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> None:
    """Adds how often each pair is expected in a group."""
    ends, slots = _slots(group)
    probable = [[chances[slot] * worth[length] for length, slot in enumerate(letter)] for letter in slots]
    forward = _forward(ends, probable, largest=False)
    rows, width = np.arange(len(ends)), forward[0].shape[1]
    backward = np.zeros_like(forward[0])
    total = forward[-1][rows, ends]
    backward[rows, ends] = 1 / np.where(total > 0, total, np.inf)
    for before, letter, chance in zip(reversed(forward[:-1]), reversed(slots), reversed(probable), strict=True):
        earlier = np.zeros_like(backward)
        for length, (slot, share) in enumerate(zip(letter, chance, strict=True)):
            leads = share * backward[:, length:]
            earlier[:, : width - length] += leads
            weight = before[:, : width - length] * leads
            used = weight > 1e-6
            np.add.at(counts, slot[used], weight[used])
        backward = earlier


def _best(group: Sequence[tuple[str, str]], chances: NDArray[np.float64]) -> list[list[str]]:
    """The most probable parts of each word."""
    ends, slots = _slots(group)
    probable = [[chances[slot] for slot in letter] for letter in slots]
    forward = _forward(ends, probable, largest=True)
    rows, at = np.arange(len(ends)), ends.copy()
    taken = np.zeros((len(slots), len(ends)), np.int64)
    for number in range(len(slots) - 1, -1, -1):
        best = np.full(len(ends), -1.0)
        for length, chance in enumerate(probable[number]):
            start = at - length
            inside = start >= 0
            start = np.where(inside, start, 0)
            value = np.where(
                inside, forward[number][rows, start] * chance[rows, np.minimum(start, chance.shape[1] - 1)], -1
            )
            better = value > best
            best, taken[number] = np.where(better, value, best), np.where(better, length, taken[number])
        at = at - taken[number]
    found = []
    for (_, said), lengths in zip(group, taken.T.tolist(), strict=True):
        cuts = [0, *itertools.accumulate(lengths)]
        found.append([said[a:b] for a, b in itertools.pairwise(cuts)] if cuts[-1] == len(said) else [])
    return found
