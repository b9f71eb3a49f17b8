"""Lexicons as the runtime reads them: a user's lists, how a word is looked up, and the names of letters."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g2p_build.lexicon.table import write_table
from g2p_build.runtime.errors import InvalidLexicon
from g2p_build.runtime.lexicon import List, look_up, read, read_file, read_list, spelled, spellings

TEXT = {
    "form": "nfc",
    "case": "lower",
    "visible": True,
    "narrow": True,
    "strip": True,
    "pairs": {"’": "'"},
    "languages": {
        "eng-us": {
            "case": "lower",
            "pairs": {"\u0301": ""},
            "alphabet": "abcdefghijklmnopqrstuvwxyz'",
            "letters": {"f": "ˈɛf", "b": "ˈbi", "t": "ˈti", "v": "ˈvi"},
        }
    },
}
"""A form of text as manifests have it."""


def listed(text: str, lang: str = "eng-us") -> dict[str, list[str]]:
    return read_list(text.encode(), "mine.tsv", lang, TEXT)


def test_a_line_is_a_word_a_tab_and_its_pronunciations() -> None:
    assert listed("tomato\ttəˈmeɪtoʊ,təˈmɑtoʊ\nof\tˈəv\n") == {"tomato": ["təˈmeɪtoʊ", "təˈmɑtoʊ"], "of": ["ˈəv"]}


def test_a_byte_order_mark_blank_lines_and_other_line_ends_are_skipped() -> None:
    assert listed("\ufeffof\tˈəv\r\n\r\n \t \n\nhi\tˈhaɪ , hi") == {"of": ["ˈəv"], "hi": ["ˈhaɪ", "hi"]}
    assert listed("") == {}


def test_the_first_line_of_a_word_counts() -> None:
    assert listed("of\tˈəv\nof\tˈɔf\no’f\tx\no'f\ty") == {"of": ["ˈəv"], "o'f": ["x"]}


def test_words_are_in_the_form_in_all_but_case() -> None:
    assert listed("  Cafe\u0301 \tkæˈfeɪ\nＵＳ\tˈjuˈɛs\nfe\u0301e\tx") == {
        "Cafe": ["kæˈfeɪ"],
        "US": ["ˈjuˈɛs"],
        "fee": ["x"],
    }
    assert listed("Cafe\u0301\tx", "fin") == {"Café": ["x"]}
    assert read_list(b"Cafe\xcc\x81 \tx", "", "eng-us", None) == {"Cafe\u0301 ": ["x"]}


BAD = [
    ("of ˈəv", "one tab is needed, between the word and its pronunciations: 'of ˈəv'"),
    ("of\tˈəv\tx", "one tab is needed"),
    ("of\t", "a pronunciation is empty: 'of\\t'"),
    ("of\tˈəv,", "a pronunciation is empty"),
    ("of\tˈəv, ,x", "a pronunciation is empty"),
    ("\tˈəv", "the word '' must have 1 to 255 bytes"),
    ("\u200b\tˈəv", "must have 1 to 255 bytes"),
    ("é" * 128 + "\tx", "must have 1 to 255 bytes"),
    ("of\t" + "ə" * 501, "the pronunciations of 'of' have more than 1000 bytes"),
    ("of\tˈə\x00v", "a control character"),
    ("o\x1bf\tˈəv", "a control character"),
]


@pytest.mark.parametrize(("line", "said"), BAD)
def test_a_bad_line_is_named_with_its_file_and_number(line: str, said: str) -> None:
    with pytest.raises(InvalidLexicon) as caught:
        listed(f"hi\tˈhaɪ\n\n{line}\nhi\tˈhaɪ", "fin")
    assert str(caught.value).startswith("mine.tsv:3: ") and said in str(caught.value).replace("\\\\", "\\")
    assert "\n" not in str(caught.value)


def test_a_line_that_is_not_utf_8_is_named() -> None:
    with pytest.raises(InvalidLexicon, match=r"^mine.tsv:2: not UTF-8$"):
        read_list(b"a\tb\ncaf\xe9\tx\n", "mine.tsv", "eng-us", TEXT)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    try:
        found = read_list(data, "mine.tsv", "eng-us", TEXT)
    except InvalidLexicon as error:
        assert "\n" not in str(error)
    else:
        assert all(word and all(said) for word, said in found.items())


def test_data_are_a_table_or_a_list() -> None:
    table, words = write_table({"fin": {"talo": ["ˈtɑlo"]}}), "talo\tˈtɑlo\n".encode()
    for lexicon in (read(table, "a.g2plex", None, TEXT), read(words, "fin.tsv", "fin", TEXT)):
        assert (lexicon.find("fin", "talo"), lexicon.find("swa", "talo")) == (["ˈtɑlo"], [])
    with pytest.raises(
        InvalidLexicon, match=r"^a.g2plex is a table, which has its own languages: name none, not 'fin'"
    ):
        read(table, "a.g2plex", "fin", TEXT)
    with pytest.raises(InvalidLexicon, match=r"^fin.tsv is a list of words: name their language"):
        read(words, "fin.tsv", None, TEXT)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidLexicon, match=r"lexicon .*/none.tsv cannot be read: No such file"):
        read_file(tmp_path / "none.tsv")


# Looking up


def test_a_word_is_looked_up_as_it_was_typed_and_then_in_lower_case() -> None:
    assert spellings(TEXT, " Po\u200blish ", "eng-us") == ["Polish", "polish"]
    assert spellings(TEXT, "polish", "eng-us") == ["polish"]
    assert spellings(None, "Polish", "eng-us") == ["Polish"]
    lexicon = List({"eng-us": {"Polish": ["ˈpoʊɫɪʃ"], "polish": ["ˈpɑɫɪʃ"], "us": ["ˈəs"]}})
    asked = {word: look_up([lexicon], TEXT, word, "eng-us") for word in ("Polish", "POLISH", "pólish", "Us", "them")}
    assert asked == {
        "Polish": (0, ["ˈpoʊɫɪʃ"]),
        "POLISH": (0, ["ˈpɑɫɪʃ"]),
        "pólish": (0, ["ˈpɑɫɪʃ"]),
        "Us": (0, ["ˈəs"]),
        "them": None,
    }


def test_the_first_lexicon_that_has_a_word_counts_however_it_has_it() -> None:
    mine = List({"eng-us": {"us": ["mine"]}})
    other = List({"eng-us": {"US": ["other"], "them": ["other"]}})
    assert look_up([mine, other], TEXT, "US", "eng-us") == (0, ["mine"])
    assert look_up([other, mine], TEXT, "US", "eng-us") == (0, ["other"])
    assert look_up([mine, other], TEXT, "Them", "eng-us") == (1, ["other"])
    assert look_up([], TEXT, "us", "eng-us") is None


# Letters


@pytest.mark.parametrize(("word", "said"), [("TV", "ˈtiˈvi"), (" ＴＶ ", "ˈtiˈvi"), ("FBTVF", "ˈɛfˈbiˈtiˈviˈɛf")])
def test_a_word_of_capitals_with_names_is_spelled(word: str, said: str) -> None:
    assert spelled(TEXT, word, "eng-us") == said


@pytest.mark.parametrize("word", ["tv", "Tv", "T", "FBTVFB", "FBI", "T'V", "T.V.", "", "TV2"])
def test_any_other_word_is_not(word: str) -> None:
    assert spelled(TEXT, word, "eng-us") is None


def test_where_letters_have_no_names_nothing_is_spelled() -> None:
    assert spelled(TEXT, "TV", "fin") is None
    assert spelled(None, "TV", "eng-us") is None
