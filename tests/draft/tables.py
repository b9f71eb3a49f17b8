"""Draft tables that no build makes: each letter is said as whatever a test likes."""

import struct
from collections.abc import Mapping

from g2p_build.draft.table import HEADER, LANGUAGE, MAGIC

MASK = (1 << 64) - 1


def table_of(lang: str, parts: Mapping[str, bytes], sure: int = 15, others: Mapping[str, bytes] | None = None) -> bytes:
    """A table of one language.

    Args:
        lang: the language.
        parts: letter → what is guessed for it; the letter "\\2" is the end of a word.
        sure: how sure the table says that it is, of 0 to 15.
        others: letter → what it is known to be said as, with which the guess goes on after a mistake; as `parts`, if
            it is None.
    """
    texts = list(dict.fromkeys([*parts.values(), *(others or {}).values()]))
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text))
    known = dict(sorted((parts if others is None else others).items()))
    letters = [struct.pack("<2I", ord(letter), number) for number, letter in enumerate(known)]
    letters.append(struct.pack("<2I", 0xFFFFFFFF, len(known)))
    entries = [_entry(letter, texts.index(part), sure) for letter, part in parts.items()]
    arrays = [
        (b"".join(letters), len(letters)),
        (b"".join(struct.pack("<HBB", texts.index(part), 0, 0) for part in known.values()), len(known)),
        (struct.pack(f"<{len(ends)}H", *ends) + b"".join(texts), len(texts)),
        (bytes(4), 1),
        (struct.pack("<2I", 0, len(entries)), 1),
        (b"".join(entries), len(entries)),
    ]
    at, places, blocks = HEADER.size + LANGUAGE.size, [], []
    for array, count in arrays:
        places += [at, count]
        blocks.append(array)
        at += len(array)
    return b"".join([HEADER.pack(MAGIC, at, 1), LANGUAGE.pack(lang.encode(), *places), *blocks])


def _entry(letter: str, part: int, sure: int) -> bytes:
    found = (1 ^ ord(letter)) * 0x9E3779B97F4A7C15 & MASK
    found ^= found >> 29
    return struct.pack("<I", found % (1 << 18) | part << 18 | sure << 28)
