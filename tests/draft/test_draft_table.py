"""Alignments and tables: what they hold, and that the same pairs give the same bytes."""

import json
import struct

import pytest
from conftest import ROOT

from g2p_build.draft.align import align
from g2p_build.draft.table import HEADER, LANGUAGE, contexts, write_table
from g2p_build.errors import BuildError

PAIRS = [
    (row["word"].lower(), row["ipa"])
    for row in json.loads((ROOT / "g2p_build/reference/golden/embedded.json").read_text(encoding="utf-8"))["words"]
    if row["lang"] == "fin"
]


def test_the_parts_of_a_word_are_its_pronunciation() -> None:
    for (word, said), parts in zip(PAIRS, align(PAIRS), strict=True):
        assert "".join(parts) == said and len(parts) == len(word) + 1


def test_letters_take_what_they_mostly_stand_for() -> None:
    pairs = [("ab", "xy"), ("ba", "yx"), ("aab", "xxy"), ("b", "y"), ("bb", "yy"), ("a", "x")]
    assert align(pairs)[:3] == [["x", "y", ""], ["y", "x", ""], ["x", "x", "y", ""]]


def test_what_is_too_long_for_its_letters_or_empty_is_told_apart() -> None:
    assert align([("a", "x" * 100), ("a", ""), ("", "")]) == [[], ["", ""], [""]]
    assert align([]) == []


def test_the_same_pairs_give_the_same_table() -> None:
    table = write_table({"fin": PAIRS, "xx": []}, 50_000)
    assert table == write_table({"fin": list(PAIRS)}, 50_000)
    assert contexts(table).keys() == {"fin"}


def test_a_table_is_as_small_as_it_is_to_be() -> None:
    whole = len(write_table({"fin": PAIRS}, 50_000))
    for less in (8, 40, 100):
        bound = whole - HEADER.size - LANGUAGE.size - less
        assert (
            len(write_table({"fin": PAIRS}, bound)) - HEADER.size - LANGUAGE.size <= bound + 12
        )  # arrays end at 4 bytes
    with pytest.raises(BuildError, match=r"a draft table cannot be so small: \d+ bytes more are needed"):
        write_table({"fin": PAIRS}, 300)


def test_a_code_must_fit() -> None:
    with pytest.raises(BuildError, match="is no code of a language"):
        write_table({"x" * 32: [("a", "x")]}, 50_000)


@pytest.mark.parametrize("data", [b"", b"g2pdrf\0\1", write_table({"fin": PAIRS}, 50_000)[:-1], b"g2plex\0\1" * 4])
def test_damaged_tables_have_no_contexts(data: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        contexts(data)
