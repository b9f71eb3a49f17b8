"""Texts: words with their pronunciations, and what is between them."""

import json
import subprocess
import sys

import pytest
from conftest import DEFAULT, Tree

from g2p_build.runtime import G2P, errors, load


@pytest.fixture(scope="module")
def g2p(built: Tree) -> G2P:
    return load(built.root / "manifests" / f"{DEFAULT}.json")


def said(g2p: G2P, text: str, lang: str = "eng-us") -> str:
    return "".join(part.result.phonemes if part.result else part.text for part in g2p.text(text, lang))


def test_words_are_pronounced_and_the_rest_stays(g2p: G2P) -> None:
    text = "Hello, London: I\u2019m in the U.S. \N{EN DASH} 2 knights\N{HORIZONTAL ELLIPSIS} \U0001f600\n"
    parts = g2p.text(text)
    assert "".join(part.text for part in parts) == text
    assert all(text[part.start :].startswith(part.text) for part in parts)
    words = [part.text for part in parts if part.kind == "word"]
    assert words == ["Hello", "London", "I\u2019m", "in", "the", "U.S.", "knights"]
    assert [part.result.phonemes for part in parts if part.result] == g2p(words)
    assert {part.text: part.kind for part in parts if part.kind != "word"} == {
        ",": "other",
        " ": "space",
        ":": "other",
        "\N{EN DASH}": "other",
        "2": "number",
        "\N{HORIZONTAL ELLIPSIS}": "other",
        "\U0001f600": "other",
        "\n": "space",
    }


def test_numbers_are_left_to_the_caller_and_what_is_no_word_says_so(g2p: G2P) -> None:
    kinds = {part.text: part for part in g2p.text("3.14 1,000 mp3 знак")}
    assert kinds["3.14"].kind == kinds["1,000"].kind == "number"
    for word in ("mp3", "знак"):
        result = kinds[word].result
        assert result and isinstance(result.error, errors.ForeignCharacter)


def test_full_stops_belong_to_words_that_have_some(g2p: G2P) -> None:
    assert [part.text for part in g2p.text("at 5 a.m. in the U.S... etc. U.S.")] == [
        *("at", " ", "5", " ", "a.m.", " ", "in", " ", "the", " ", "U.S", ".", ".", ".", " ", "etc", ".", " ", "U.S."),
    ]


def test_letters_without_spaces_stay_together(g2p: G2P) -> None:
    assert [part.text for part in g2p.text("สวัสดี ครับ!", "tha")] == ["สวัสดี", " ", "ครับ", "!"]
    assert said(g2p, "Hà Nội", "vie-n") == " ".join(g2p(["Hà", "Nội"], "vie-n"))


def test_texts_that_are_none(g2p: G2P) -> None:
    assert g2p.text("") == []
    for text, place in (("\ud800", 0), ("\udc80 a", 0), (".\ud800", 1)):
        with pytest.raises(errors.InvalidWord, match=f"not valid UTF-8 at byte {place}"):
            g2p.text(text)
    with pytest.raises(errors.InvalidWord, match="not valid UTF-8 at byte 2"):
        g2p.text("a \ud83d")
    with pytest.raises(TypeError, match="text is a string, not list"):
        g2p.text(["a"])  # type: ignore[arg-type]
    [part] = g2p.text("knight", "eng-uk")
    assert part.result and isinstance(part.result.error, errors.UnknownLanguage)


def test_the_command_keeps_what_is_between_words(built: Tree) -> None:
    manifest = str(built.root / "manifests" / f"{DEFAULT}.json")

    def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "g2p_build.runtime.cli", "text", "--manifest", manifest, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True)

    result = run("That knight, 2 days.", "day mp3")
    assert result.stdout.decode() == "ˈðæt ˈnaɪt, 2 ˈdeɪz.\nˈdeɪ mp3\n"
    assert "'3' (U+0033, a digit)" in result.stderr.decode() and result.returncode == 0
    lines = run("--json", stdin=b"The knight,\n\nday\n").stdout.decode().splitlines()
    assert [len(json.loads(line)["parts"]) for line in lines] == [4, 0, 1]
    assert json.loads(lines[0])["parts"][2] == {"text": "knight", "start": 4, "kind": "word", "phonemes": "ˈnaɪt"}
    [line] = run("--json", "привет").stdout.decode().splitlines()
    [part] = json.loads(line)["parts"]
    assert part["phonemes"] is None and part["error"]["code"] == "ForeignCharacter"
    broken = run(stdin=b"day\n\xff\n")
    assert (broken.returncode, broken.stdout.decode()) == (2, "ˈdeɪ\n") and b"text 2 is not UTF-8" in broken.stderr
