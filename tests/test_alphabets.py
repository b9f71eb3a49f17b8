"""The alphabets that a dictionary's words give."""

from pathlib import Path

import pytest

from g2p_build.training.alphabets import alphabet, main


def test_a_character_is_of_the_alphabet_if_enough_words_have_it() -> None:
    assert alphabet(["ab", "ba", "bb", "a-a", "c"]) == "ab"
    assert alphabet(["ab", "c"], least=1) == "abc"
    assert alphabet([]) == ""


def test_characters_are_those_of_the_form() -> None:
    assert alphabet(["Ce\u0301", "É"], least=1) == "cé"


def test_the_command_says_what_it_would_refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part, words in (("train", "ab ba aab"), ("dev", "ab"), ("test", "a7 b")):
        (tmp_path / part).mkdir()
        lines = "".join(f"{word}\tx\n" for word in words.split())
        (tmp_path / part / "xyz.tsv").write_text(lines, encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "xyz\tab",
        "xyz\tdev: 0 of 1 refused []",
        "xyz\ttest: 1 of 2 refused ['a7']",
    ]


def test_a_folder_without_dictionaries_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("alphabets: ")
