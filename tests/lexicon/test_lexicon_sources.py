"""Lexicons out of files: lists and tables, one after the other, and how much words are used."""

from pathlib import Path

import pytest

from g2p_build.errors import BuildError
from g2p_build.lexicon.sources import merged, read_lexicon, read_use
from g2p_build.lexicon.table import write_table


def written(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_a_list_has_the_language_of_its_file_and_a_table_has_its_own(tmp_path: Path) -> None:
    words = {"talo": ["ˈtɑlo"], "kuu": ["ˈkuː", "ˈku"]}
    listed = written(tmp_path, "fin.tsv", "talo\tˈtɑlo\nkuu\tˈkuː,ˈku\n")
    table = written(tmp_path, "x.g2plex", write_table({"fin": words, "swa": {"a": ["b"]}}))
    assert read_lexicon(listed, "fin", None) == {"fin": words}
    assert read_lexicon(table, "eng-us", None) == {"fin": words, "swa": {"a": ["b"]}}


def test_the_first_lexicon_that_has_a_word_counts_with_all_its_pronunciations() -> None:
    first = {"fin": {"talo": ["1"]}, "swa": {"a": ["1"]}}
    second = {"fin": {"talo": ["2", "3"], "kuu": ["2"]}, "tha": {"x": ["2"]}}
    third = {"fin": {"kuu": ["3"], "yö": ["3"]}}
    assert merged([first, second, third]) == {
        "fin": {"talo": ["1"], "kuu": ["2"], "yö": ["3"]},
        "swa": {"a": ["1"]},
        "tha": {"x": ["2"]},
    }
    assert merged([]) == {}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("fin.tsv", "talo\tx\ntalo x\n", r"fin\.tsv:2: one tab is needed"),
        ("x.g2plex", write_table({"fin": {"a": ["b"]}})[:-1], r"x\.g2plex is not a whole lexicon: it has \d+ bytes"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path, name: str, data: str | bytes, said: str) -> None:
    with pytest.raises(BuildError, match=said) as caught:
        read_lexicon(written(tmp_path, name, data), "fin", None)
    assert "\n" not in str(caught.value)
    with pytest.raises(BuildError, match="cannot be read: No such file"):
        read_lexicon(tmp_path / "none.tsv", "fin", None)


def test_use_is_a_number_for_each_word(tmp_path: Path) -> None:
    path = written(tmp_path, "fin.tsv", "\ufefftalo\t0.5\r\n\nkuu\t7e-3\ntalo\t1\n")
    assert read_use(path, "fin", None) == {"talo": 1.5, "kuu": 0.007}


@pytest.mark.parametrize("line", ["talo", "talo\tmuch", "talo\t-1", "talo\tnan", "talo\tinf", "talo 1"])
def test_a_line_of_use_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(BuildError, match=r"fin.tsv:2: a word, a tab and its frequency are needed: 'talo"):
        read_use(written(tmp_path, "fin.tsv", f"kuu\t1\n{line}\n"), "fin", None)
