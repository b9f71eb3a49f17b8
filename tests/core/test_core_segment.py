"""Segments of texts are those of Unicode's word boundaries; in scripts without spaces, letters stay together."""

import pytest
from form_probe import FormProbe
from hypothesis import given, settings
from hypothesis import strategies as st

from g2p_build.native.unicode_tables import FOLDER

pytest_plugins = ["form_probe"]

TEXTS = {
    "Hello, world!": ["Hello", ",", " ", "world", "!"],
    "I\u2019m o'clock 'tis": ["I\u2019m", " ", "o'clock", " ", "'", "tis"],
    "U.S. e.g. 3.14, 1,000": ["U.S", ".", " ", "e.g", ".", " ", "3.14", ",", " ", "1,000"],
    "well-known": ["well", "-", "known"],
    "mp3 a_b": ["mp3", " ", "a_b"],
    "H\u00e0 No\u0302\u0323i": ["H\u00e0", " ", "No\u0302\u0323i"],
    "สวัสดี ครับ": ["สวัสดี", " ", "ครับ"],
    "a\r\nb  c": ["a", "\r\n", "b", "  ", "c"],
    "ok👩\u200d🔬🇫🇮🇸🇪": ["ok", "👩\u200d🔬", "🇫🇮", "🇸🇪"],
    "": [],
}


def test_texts_of_all_kinds(formed: FormProbe) -> None:
    assert dict(zip(TEXTS, formed.segments(list(TEXTS)), strict=True)) == TEXTS


def test_unicodes_own_test(formed: FormProbe) -> None:
    path = FOLDER / "auxiliary" / "WordBreakTest.txt"
    if not path.exists():
        pytest.skip("no Unicode files here: apt-get install unicode-data")
    wanted = []
    for line in path.read_text(encoding="utf-8").splitlines():
        marks = line.partition("#")[0].split()
        if marks:
            text = "".join("|" if mark == "÷" else "" if mark == "×" else chr(int(mark, 16)) for mark in marks)
            wanted.append(text.split("|")[1:-1])
    assert len(wanted) > 1800
    found = formed.segments(["".join(parts) for parts in wanted], whole=False)
    assert [pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1]] == []


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=40), st.booleans())
def test_segments_are_the_text(formed: FormProbe, text: str, whole: bool) -> None:
    [found] = formed.segments([text], whole)
    assert "".join(found) == text and "" not in found
