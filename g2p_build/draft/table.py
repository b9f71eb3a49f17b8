"""Writes draft tables. docs/drafts.md describes the format, `native/g2p/draft.c` reads it."""

import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from g2p_build.draft.align import BEFORE, BEHIND, align
from g2p_build.errors import BuildError

__all__ = ["contexts", "write_table"]

MAGIC = b"g2pdrf\0\1"
HEADER = struct.Struct("<8s2I")  # magic, bytes of the table, languages
LANGUAGE = struct.Struct("<32s12I")  # code; the place and the number of each of the six arrays below
LONGEST_CODE = 31  # bytes of a language's code

MOST_PARTS = 1024  # that an entry can name
MOST_OTHERS = 48  # parts that a letter is known to be said as
MOST_COST = 255
ENTRY_BYTES = 4
BUCKET_ENTRIES = 8  # on average
SURE = 15  # the highest confidence
HELD_OUT = 10  # a word of so many says how often the others are right

LEVELS = (
    (0, 0, 0),
    (0, 1, 0),
    (1, 1, 0),
    (1, 1, 2),
    (1, 2, 2),
    (2, 2, 2),
    (2, 2, 4),
    (2, 3, 4),
    (3, 3, 4),
    (3, 4, 4),
    (4, 5, 6),
)
"""What is looked at: letters before the one that is said, letters behind it, bytes said before it. Each includes the
ones above it, and the last one that the table has counts."""

WIDEST = 8  # letters or bytes that a level looks at on one side

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class _Places:
    """Every letter of every word, and what it is said as."""

    letters: NDArray[np.uint64]  # of all words one after the other, with `WIDEST` more at both ends of each
    said: NDArray[np.uint64]  # bytes, with `WIDEST` zeros before each word's
    at: NDArray[np.int64]  # where in `letters` each is
    start: NDArray[np.int64]  # and where in `said` its part begins
    part: NDArray[np.int64]  # the part's number
    word: NDArray[np.int64]  # which word it is in

    def some(self, chosen: NDArray[np.bool_]) -> "_Places":
        """Some of them."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in ("at", "start", "part", "word")})


def write_table(
    pairs: Mapping[str, Sequence[tuple[str, str]]],
    max_bytes: int,
    progress: Callable[[str, int], None] = lambda lang, done: None,
) -> bytes:
    """A table. The same pairs in the same order give the same bytes.

    Args:
        pairs: Language → words in their language's form, each with one pronunciation.
        max_bytes: Of one language's part of the table.
        progress: Is told a language, and how many more of its words are aligned.

    Raises:
        BuildError: A code does not fit into a table, or `max_bytes` is too few. One line.
    """
    coded = {}
    for lang in sorted(lang for lang in pairs if pairs[lang]):
        aligned = align(pairs[lang], lambda done, lang=lang: progress(lang, done))  # type: ignore[misc]
        coded[lang] = _language(pairs[lang], aligned, max_bytes)
    at = HEADER.size + LANGUAGE.size * len(coded)
    records, blocks = [], []
    for lang, arrays in coded.items():
        places = []
        for array, count in arrays:
            places += [at, count]
            blocks.append(array + bytes(-len(array) % 4))
            at += len(blocks[-1])
        records.append(LANGUAGE.pack(_code(lang), *places))
    return b"".join([HEADER.pack(MAGIC, at, len(coded)), *records, *blocks])


def _code(lang: str) -> bytes:
    written = lang.encode()
    if not 0 < len(written) <= LONGEST_CODE or b"\0" in written:
        raise BuildError(f"{lang!r} is no code of a language: a draft table takes 1 to {LONGEST_CODE} bytes")
    return written


def _language(
    pairs: Sequence[tuple[str, str]], aligned: Sequence[Sequence[str]], max_bytes: int
) -> list[tuple[bytes, int]]:
    """The six arrays of a language, each with the number of what is in it."""
    used = Counter(part.encode() for parts in aligned for part in parts)
    common = sorted(used, key=lambda part: (-used[part], part))
    parts = [b"", *[part for part in common if part][: MOST_PARTS - 1]]
    numbers = {part: number for number, part in enumerate(parts)}
    places = _places(pairs, aligned, numbers)
    letters, others = _letters(places)
    texts = b"".join(parts)
    ends = np.cumsum([0, *map(len, parts)])
    levels = b"".join(bytes([*level, 0]) for level in LEVELS)
    left = max_bytes - len(letters) - len(others) - 2 * len(ends) - len(texts) - len(levels)
    buckets, entries = _entries(places, left)
    return [
        (letters, len(letters) // 8),
        (others, len(others) // 4),
        (ends.astype("<u2").tobytes() + texts, len(parts)),
        (levels, len(LEVELS)),
        (buckets, len(buckets) // 4 - 1),
        (entries, len(entries) // ENTRY_BYTES),
    ]


def _places(
    pairs: Sequence[tuple[str, str]], aligned: Sequence[Sequence[str]], numbers: Mapping[bytes, int]
) -> _Places:
    letters: list[int] = []
    said = bytearray()
    at, start, part, words = [], [], [], []
    for place, ((word, _), parts) in enumerate(zip(pairs, aligned, strict=True)):
        if not parts:
            continue
        letters += [BEFORE] * WIDEST
        said += bytes(WIDEST)
        for number, each in enumerate(parts):
            coded = each.encode()
            if coded in numbers:  # else it is rare, and nothing is learnt from it
                at.append(len(letters) + number)
                start.append(len(said))
                part.append(numbers[coded])
                words.append(place)
            said += coded
        letters += [*map(ord, word), *[BEHIND] * (WIDEST + 1)]
    return _Places(
        np.array(letters, np.uint64),
        np.frombuffer(bytes(said), np.uint8).astype(np.uint64),
        np.array(at, np.int64),
        np.array(start, np.int64),
        np.array(part, np.int64),
        np.array(words, np.int64),
    )


def _letters(places: _Places) -> tuple[bytes, bytes]:
    """Each letter with what it is said as: a code and where its parts begin; a part's number and its cost."""
    letters: list[bytes] = []
    others: list[bytes] = []
    own = places.letters[places.at]
    for letter in np.unique(own).tolist():
        found = Counter(places.part[own == letter].tolist())
        total = sum(found.values())
        letters.append(struct.pack("<2I", letter, len(others)))
        best = sorted(found, key=lambda part: (-found[part], part))[:MOST_OTHERS]
        for part in best:
            cost = min(MOST_COST, round(-4 * float(np.log2(found[part] / total))))
            others.append(struct.pack("<HBB", part, cost, 0))
    letters.append(struct.pack("<2I", 0xFFFFFFFF, len(others)))
    return b"".join(letters), b"".join(others)


def _hashes(places: _Places, level: int) -> NDArray[np.uint64]:
    """What is looked at around each letter, as a number. `hash_of` in draft.c is the same."""
    before, behind, bytes_said = LEVELS[level]
    found = np.full(len(places.at), level + 1, np.uint64)
    shift = np.uint64(29)
    seen = [places.letters[places.at + offset] for offset in range(-before, behind + 1)]
    seen += [places.said[places.start - offset] for offset in range(1, bytes_said + 1)]
    for each in seen:
        found = (found ^ each) * _MIX
        found ^= found >> shift
    return found


@dataclass(frozen=True)
class _Level:
    """The contexts of a level that would change what is said."""

    hashes: NDArray[np.uint64]
    part: NDArray[np.int64]
    sure: NDArray[np.int64]
    gain: NDArray[np.int64]  # places that would be right and were not


def _entries(places: _Places, room: int) -> tuple[bytes, bytes]:
    """The table of contexts: where each bucket's entries begin, and the entries.

    A context is kept where, for its letter, the ones above it are wrong `least` times more often.
    """
    looked = [_hashes(places, level) for level in range(len(LEVELS))]
    sure = _calibrated(places, looked)
    least = 1
    while room >= 2 * 4:
        kept = _kept(places, looked, least)
        count = sum(len(level.hashes) for level in kept)
        buckets = max(1, -(-count // BUCKET_ENTRIES))
        if count * ENTRY_BYTES + (buckets + 1) * 4 <= room:
            return _in_buckets([replace(level, sure=sure[level.sure]) for level in kept], buckets)
        least += -(-least // 4)
    raise BuildError(f"a draft table cannot be so small: {8 - room} bytes more are needed for a language")


def _kept(places: _Places, looked: Sequence[NDArray[np.uint64]], least: int) -> list[_Level]:
    answer = np.full(len(places.at), -1, np.int64)
    found = []
    for hashes in looked:
        contexts, inverse = np.unique(hashes, return_inverse=True)
        pairs, counts = np.unique(inverse * MOST_PARTS + places.part, return_counts=True)
        context, part = pairs // MOST_PARTS, pairs % MOST_PARTS
        order = np.lexsort((part, -counts, context))
        first = np.concatenate([[True], context[order][1:] != context[order][:-1]])
        best, most = part[order][first], counts[order][first]
        total = np.bincount(inverse, minlength=len(contexts))
        right = np.bincount(inverse, answer == places.part, len(contexts)).astype(np.int64)
        keep = most - right >= least
        found.append(_Level(contexts[keep], best[keep], _sure(most[keep], total[keep]), (most - right)[keep]))
        answer = np.where(keep[inverse], best[inverse], answer)
    return found


def _calibrated(places: _Places, looked: Sequence[NDArray[np.uint64]]) -> NDArray[np.int64]:
    """How sure contexts are that counts make 0, 1 … `SURE` sure: by words that have no part in the counts."""
    held_out = places.word % HELD_OUT == 0
    if held_out.all() or not held_out.any():
        return np.arange(SURE + 1)
    kept = _kept(places.some(~held_out), [hashes[~held_out] for hashes in looked], 1)
    answer = np.full(int(held_out.sum()), -1, np.int64)
    raw = np.zeros_like(answer)
    for level, hashes in zip(kept, looked, strict=True):
        asked = hashes[held_out]
        place = np.minimum(np.searchsorted(level.hashes, asked), max(len(level.hashes) - 1, 0))
        found = level.hashes[place] == asked if len(level.hashes) else np.zeros(len(asked), bool)
        if found.any():
            answer = np.where(found, level.part[place], answer)
            raw = np.where(found, level.sure[place], raw)
    total = np.bincount(raw, minlength=SURE + 1)
    right = np.bincount(raw, answer == places.part[held_out], SURE + 1)
    return _confidence((right + 0.9) / (total + 1.0))


def _sure(most: NDArray[np.int64], total: NDArray[np.int64]) -> NDArray[np.int64]:
    """How sure counts make a context, of 0 to `SURE`."""
    return _confidence((most + 0.3) / (total + 1.0))


def _confidence(p: NDArray[np.float64]) -> NDArray[np.int64]:
    """Probabilities in `SURE` steps: p = 1 - (1 - sure / SURE) ** 2."""
    return np.clip(np.round(SURE * (1 - np.sqrt(1 - p))), 0, SURE).astype(np.int64)


def _in_buckets(kept: Sequence[_Level], buckets: int) -> tuple[bytes, bytes]:
    hashes = np.concatenate([level.hashes for level in kept])
    part = np.concatenate([level.part for level in kept]).astype(np.uint64)
    sure = np.concatenate([level.sure for level in kept]).astype(np.uint64)
    bucket = (hashes >> np.uint64(32)) * np.uint64(buckets) >> np.uint64(32)
    entry = hashes % np.uint64(1 << 18) | part << np.uint64(18) | sure << np.uint64(28)
    order = np.lexsort((entry, bucket))
    starts = np.searchsorted(bucket[order], np.arange(buckets + 1, dtype=np.uint64))
    return starts.astype("<u4").tobytes(), entry[order].astype("<u4").tobytes()


def contexts(table: bytes) -> dict[str, int]:
    """How many contexts a table has an answer for, by language.

    Raises:
        ValueError, struct.error: it is no table, or is damaged.
    """
    magic, size, count = HEADER.unpack_from(table)
    if magic != MAGIC or size != len(table):
        raise ValueError("no draft table")
    found = {}
    for number in range(count):
        code, *places = LANGUAGE.unpack_from(table, HEADER.size + number * LANGUAGE.size)
        found[code.rstrip(b"\0").decode()] = places[-1]
    return found
