"""Writes lexicons as tables. docs/lexicon.md describes the format, `g2p_build.runtime.lexicon` reads it.

Texts are made short by symbols, after "FSST: Fast Random Access String Compression" (Boncz, Neumann, Leis, 2020).
"""

import itertools
import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence

from g2p_build.errors import BuildError
from g2p_build.runtime.lexicon import (
    BLOCK_WORDS,
    ESCAPE,
    HEADER,
    LANGUAGE,
    LONGEST_PRONUNCIATIONS,
    LONGEST_WORD,
    MAGIC,
    SYMBOL_BYTES,
    SYMBOLS,
)

__all__ = ["write_table"]

LONGEST_CODE = 31  # bytes of a language's code
LONGEST_SYMBOL = SYMBOL_BYTES - 1
ALL_ESCAPED = 127  # bytes of a word that can be coded whatever the symbols are: a byte becomes two, of at most 255
SAMPLE = 200_000  # bytes that symbols are chosen by
ROUNDS = 10


def write_table(lexicon: Mapping[str, Mapping[str, Sequence[str]]]) -> bytes:
    """A table. The same words give the same bytes, in whatever order they come.

    Args:
        lexicon: language → word → pronunciations. Words are in their language's form, in all but case. Languages
            without words are left out.

    Raises:
        BuildError: a word, a pronunciation or a code does not fit into a table.
    """
    languages = [(_code(code), _entries(code, lexicon[code])) for code in sorted(lexicon) if lexicon[code]]
    coded = [_language(entries) for _, entries in languages]
    symbols_at = HEADER.size + LANGUAGE.size * len(languages)
    offsets_at = symbols_at + SYMBOLS * SYMBOL_BYTES * len(languages)
    blocks_at = offsets_at + 4 * sum(len(blocks) + 1 for _, blocks in coded)
    records: list[bytes] = []
    offsets: list[int] = []
    for number, ((code, entries), (_, blocks)) in enumerate(zip(languages, coded, strict=True)):
        at = symbols_at + SYMBOLS * SYMBOL_BYTES * number, offsets_at + 4 * len(offsets)
        records.append(LANGUAGE.pack(code, *at, len(blocks), len(entries)))
        offsets += itertools.accumulate(map(len, blocks), initial=blocks_at)
        blocks_at = offsets[-1]
    if blocks_at >= 1 << 32:
        raise BuildError(f"a lexicon of {blocks_at} bytes is too large: offsets have four bytes")
    return b"".join(
        [
            HEADER.pack(MAGIC, blocks_at, len(languages)),
            *records,
            *(symbols for symbols, _ in coded),
            struct.pack(f"<{len(offsets)}I", *offsets),
            *(block for _, blocks in coded for block in blocks),
        ]
    )


def _code(code: str) -> bytes:
    written = code.encode()
    if not 0 < len(written) <= LONGEST_CODE or b"\0" in written:
        raise BuildError(f"{code!r} is no code of a language: a lexicon takes 1 to {LONGEST_CODE} bytes")
    return written


def _entries(code: str, words: Mapping[str, Sequence[str]]) -> list[tuple[bytes, bytes]]:
    """The words of a language with their pronunciations, sorted."""
    found = []
    for word, pronunciations in words.items():
        text = ",".join(pronunciations).encode()
        if not 0 < len(word.encode()) <= LONGEST_WORD:
            raise BuildError(
                f"the word {word[:40]!r} of {code} has {len(word.encode())} bytes: give 1 to {LONGEST_WORD}"
            )
        if not pronunciations or not all(text.split(b",")) or text.count(b",") != len(pronunciations) - 1:
            raise BuildError(f"the word {word!r} of {code}: a pronunciation is empty, or has a comma in it")
        if len(text) > LONGEST_PRONUNCIATIONS:
            most = f"give at most {LONGEST_PRONUNCIATIONS}"
            raise BuildError(f"the pronunciations of {word!r} of {code} have {len(text)} bytes: {most}")
        found.append((word.encode(), text))
    return sorted(found)


def _language(entries: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, list[bytes]]:
    """A language's symbols as they are in a table, and its blocks."""
    blocks = [_without_beginnings(entries[at : at + BLOCK_WORDS]) for at in range(0, len(entries), BLOCK_WORDS)]
    rows = list(itertools.chain.from_iterable(blocks))
    long = {byte for word, _ in entries if len(word) > ALL_ESCAPED for byte in word}
    symbols = _symbols([(rest, said) for _, rest, said in rows], long)
    pattern, codes = _pattern(symbols), {symbol: bytes([code]) for code, symbol in enumerate(symbols)}

    def coded(text: bytes) -> bytes:
        return b"".join(codes.get(part) or bytes([ESCAPE]) + part for part in pattern.findall(text))

    def row(same: int, rest: bytes, said: bytes) -> bytes:
        rest, said = coded(rest), coded(said)
        size = bytes([len(said)]) if len(said) < 128 else bytes([len(said) & 127 | 128, len(said) >> 7])
        return bytes([same, len(rest)]) + rest + size + said

    padded = [bytes([len(symbol)]) + symbol.ljust(LONGEST_SYMBOL, b"\0") for symbol in symbols]
    return b"".join(padded).ljust(SYMBOLS * SYMBOL_BYTES, b"\0"), [b"".join(itertools.starmap(row, b)) for b in blocks]


def _without_beginnings(block: Sequence[tuple[bytes, bytes]]) -> list[tuple[int, bytes, bytes]]:
    """For each word of a block how many bytes of the word before it it begins with, the rest, its pronunciations."""
    found, before = [], b""
    for word, said in block:
        same = next((i for i, (a, b) in enumerate(zip(before, word, strict=False)) if a != b), len(before))
        found.append((same, word[same:], said))
        before = word
    return found


def _symbols(rows: Sequence[tuple[bytes, ...]], needed: set[int]) -> list[bytes]:
    """The symbols that make the texts of some rows short. Single bytes that are `needed` are among them.

    Each round codes a sample with the symbols of the round before it, and counts the symbols and the pairs of
    neighbours. The next symbols are those of them that save the most bytes. The best round counts.
    """
    step = sum(len(text) for row in rows for text in row) // SAMPLE + 1
    sample = [text for row in rows[::step] for text in row]
    singles = {bytes([byte]) for byte in needed}
    tried: list[tuple[int, list[bytes]]] = []
    symbols = sorted(singles)
    for _ in range(ROUNDS):
        pattern, counts = _pattern(symbols), Counter[bytes]()
        pairs = Counter[bytes]()
        for text in sample:
            parts = pattern.findall(text)
            counts.update(parts)
            pairs.update(a + b for a, b in itertools.pairwise(parts) if len(a) + len(b) <= LONGEST_SYMBOL)
        known = set(symbols)
        tried.append((sum(count * (1 if part in known else 2) for part, count in counts.items()), symbols))
        counts.update(pairs)
        best = sorted(counts.keys() - singles, key=lambda symbol: (-_saved(symbol, counts[symbol]), symbol))
        symbols = sorted([*singles, *best[: SYMBOLS - len(singles)]])
    return min(tried)[1]


def _saved(symbol: bytes, uses: int) -> int:
    """What a symbol is worth. A single byte is worth more than it saves by itself: longer symbols begin with one."""
    return uses * (len(symbol) if len(symbol) > 1 else SYMBOL_BYTES)


def _pattern(symbols: Sequence[bytes]) -> re.Pattern[bytes]:
    """Splits a text into symbols, the longest first, and into single bytes where there is none."""
    longest_first = sorted(symbols, key=lambda symbol: (-len(symbol), symbol))
    return re.compile(b"|".join([*map(re.escape, longest_first), b"."]), re.DOTALL)
