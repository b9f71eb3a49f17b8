"""Error rates: which pronunciation counts, and what is read of a dictionary."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g2p_build.errors import BuildError
from g2p_build.reference.scores import Score, edits, read_dictionary, score


@pytest.mark.parametrize(
    ("hypothesis", "references", "wrong", "distance", "characters"),
    [
        ("kæt", ["kæt"], 0, 0, 3),
        ("kæt", ["kɑt", "kæt"], 0, 0, 3),
        ("", ["kæt"], 1, 3, 3),
        ("kæts", ["kæt"], 1, 1, 3),
        # The closest counts edits a character: one of eight is closer than one of three.
        ("aaaaaaab", ["aab", "aaaaaaaa"], 1, 1, 8),
        # One of two, two of four: the first in the order of characters.
        ("ab", ["aczz", "ac"], 1, 1, 2),
        # Characters, not bytes; a combining mark is one.
        ("ˈnaɪt", ["naɪt"], 1, 1, 4),
        ("a\u0303", ["a"], 1, 1, 1),
    ],
)
def test_the_closest_pronunciation_counts(
    hypothesis: str, references: list[str], wrong: int, distance: int, characters: int
) -> None:
    assert score([hypothesis], [references]) == Score(1, wrong, distance, characters)
    assert score([hypothesis], [references[::-1]]) == Score(1, wrong, distance, characters)


def test_rates_are_of_all_words_together() -> None:
    result = score(["ab", "c", "xyz"], [["ab"], ["d"], ["xy"]])
    assert result == Score(words=3, wrong=2, edits=2, characters=5)
    assert result.per() == 2 / 5
    assert result.wer() == 2 / 3
    assert score([], []).per() == score([], []).wer() == 0.0


def test_as_many_hypotheses_as_words() -> None:
    with pytest.raises(ValueError):
        score(["a"], [["a"], ["b"]])


@given(st.text("abɪ", max_size=6), st.text("abɪ", max_size=6), st.text("abɪ", max_size=6))
def test_edits_are_a_distance(a: str, b: str, c: str) -> None:
    assert (edits(a, b) == 0) == (a == b)
    assert edits(a, b) == edits(b, a)
    assert edits(a, c) <= edits(a, b) + edits(b, c)
    assert abs(len(a) - len(b)) <= edits(a, b) <= max(len(a), len(b))


@given(st.text("abc", max_size=8), st.integers(0, 8))
def test_one_inserted_character_is_one_edit(text: str, at: int) -> None:
    assert edits(text, text[:at] + "x" + text[at:]) == 1


def test_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "swa.tsv").write_bytes("maji\tmaʄi\r\nmoto\tmoto, mɔto\r\n\r\n".encode())
    (tmp_path / "eng-us.tsv").write_text("\ufeffit's a\u2028b\tɪts\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("no dictionary", encoding="utf-8")
    swa = [("maji", ("maʄi",)), ("moto", ("moto", "mɔto"))]
    assert read_dictionary(tmp_path / "swa.tsv") == {"swa": swa}
    both = read_dictionary(tmp_path)
    assert list(both) == ["eng-us", "swa"]
    assert both == {"eng-us": [("it's a\u2028b", ("ɪts",))], "swa": swa}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"maji\tma\nmoto moto\n", ":2: one tab is needed between the word and its pronunciations: 'moto moto'"),
        (b"maji\tma\tti\n", ":1: one tab is needed"),
        (b"\n\nmaji\t \n", ":3: a pronunciation is empty"),
        (b"maji\tma,\n", ":1: a pronunciation is empty"),
        (b"\tma\n", ":1: the word is empty"),
        (b"maji\tma\nmoto\t\xff\n", ":2: not UTF-8"),
        (b" \n", " is empty"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "swa.tsv").write_bytes(content)
    with pytest.raises(BuildError) as caught:
        read_dictionary(tmp_path)
    assert f"swa.tsv{message}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="has no dictionaries"):
        read_dictionary(tmp_path)
    with pytest.raises(BuildError, match=r"absent\.tsv: No such file"):
        read_dictionary(tmp_path / "absent.tsv")


def test_scoring_needs_no_torch() -> None:
    code = "import sys, g2p_build.reference.scores; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
