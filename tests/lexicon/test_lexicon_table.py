"""The table of a lexicon: what is written is read again, and a damaged table never crashes its reader."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2p_build.errors import BuildError
from g2p_build.lexicon.table import write_table
from g2p_build.runtime.errors import G2PError, InvalidLexicon
from g2p_build.runtime.lexicon import HEADER, MAGIC, Table

CODES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=31)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=","), min_size=1, max_size=60)
LANGUAGES = st.dictionaries(TEXTS, st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=40)
LEXICONS = st.dictionaries(CODES, LANGUAGES, max_size=3)


def read(data: bytes) -> dict[str, dict[str, list[str]]]:
    table = Table(data, "lexicon.g2plex")
    return {lang: dict(table.entries(lang)) for lang in table.words}


@given(LEXICONS)
def test_what_is_written_is_read_again(lexicon: dict[str, dict[str, list[str]]]) -> None:
    table = Table(data := write_table(lexicon), "lexicon.g2plex")
    assert read(data) == lexicon
    assert table.words == {lang: len(words) for lang, words in lexicon.items()}
    for lang, words in lexicon.items():
        assert {word: table.find(lang, word) for word in words} == words
        assert all(table.find(lang, word + "x") == words.get(word + "x", []) for word in words)
        assert table.find(lang, "") == table.find(f"{lang}+", "a") == []


@given(st.sets(st.binary(min_size=1, max_size=3).map(bytes.hex), min_size=1, max_size=100))
def test_words_are_found_wherever_a_block_ends(words: set[str]) -> None:
    table = Table(write_table({"xx": {word: [word.upper()] for word in words}}), "lexicon.g2plex")
    assert all(table.find("xx", word) == [word.upper()] for word in words)
    assert [word for word, _ in table.entries("xx")] == sorted(words)


def test_words_are_in_the_order_of_their_bytes_and_languages_too() -> None:
    words = ["zoo", "Zoo", "äiti", "a", "😀", "\uffff"]
    data = write_table({"fin": {word: ["x"] for word in words}, "eng-us": {"a": ["x"]}})
    assert [word for word, _ in Table(data, "").entries("fin")] == sorted(words, key=str.encode)
    assert list(Table(data, "").words) == ["eng-us", "fin"]


@pytest.mark.parametrize("word", ["ab" * 127 + "c", "é" * 127, "".join(map(chr, range(0x100, 0x17F)))])
def test_the_longest_words_and_pronunciations_fit(word: str) -> None:
    said = ["p" * 499, "".join(random.Random(7).choices("".join(map(chr, range(128, 2000))), k=250))]
    others = {f"{number:x}" * 3: [f"{number}"] for number in range(1000)}
    lexicon = {"a" * 31: others | {word: said}}
    assert read(write_table(lexicon)) == lexicon


MISTAKES = [
    ({"xx": {"": ["a"]}}, "the word '' of xx has 0 bytes: give 1 to 255"),
    ({"xx": {"é" * 128: ["a"]}}, "has 256 bytes: give 1 to 255"),
    ({"xx": {"a": []}}, "the word 'a' of xx: a pronunciation is empty, or has a comma in it"),
    ({"xx": {"a": ["b", ""]}}, "the word 'a' of xx: a pronunciation is empty, or has a comma in it"),
    ({"xx": {"a": ["b,c"]}}, "the word 'a' of xx: a pronunciation is empty, or has a comma in it"),
    ({"xx": {"a": ["b" * 500, "c" * 500]}}, "the pronunciations of 'a' of xx have 1001 bytes: give at most 1000"),
    ({"x" * 32: {"a": ["b"]}}, "is no code of a language: a lexicon takes 1 to 31 bytes"),
]


@pytest.mark.parametrize(("lexicon", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_what_does_not_fit_is_refused_in_one_line(lexicon: dict[str, dict[str, list[str]]], said: str) -> None:
    with pytest.raises(BuildError) as caught:
        write_table(lexicon)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def words_like(count: int) -> dict[str, list[str]]:
    """Words that have beginnings and parts in common, as a language's have."""
    chosen = random.Random(4711)
    parts = ["kala", "talo", "puu", "ssa", "lle", "n", "ko", "hän"]
    words = {"".join(chosen.choices(parts, k=4)) for _ in range(count)}
    return {word: [f"ˈ{word}".replace("ä", "æ").replace("a", "ɑ")] for word in words}


def test_the_same_words_give_the_same_bytes_in_any_order() -> None:
    words = words_like(500)
    backwards = dict(reversed(words.items()))
    assert write_table({"fin": words, "est": backwards}) == write_table({"est": words, "fin": backwards})


def test_symbols_make_a_table_less_than_half_as_long_as_its_texts() -> None:
    words = words_like(3000)
    table = write_table({"fin": words})
    assert len(table) < sum(len(f"{word}\t{said}\n".encode()) for word, [said] in words.items()) / 2


def test_languages_without_words_are_left_out_and_a_table_may_be_empty() -> None:
    assert write_table({"fin": {}}) == write_table({}) == HEADER.pack(MAGIC, 16, 0)
    assert Table(write_table({}), "").words == {}


# Damaged tables

WHOLE = write_table({"eng-us": words_like(60), "fin": words_like(40), "xx": {"é" * 127: ["é" * 499]}})
WORDS = [(lang, word) for lang, words in read(WHOLE).items() for word in words]


def asked(data: bytes) -> None:
    """Looks words up in a table and lists it. It may refuse, with its own error and one line, and do nothing else."""
    try:
        table = Table(data, "lexicon.g2plex")
        for lang in table.words:
            try:
                assert all(
                    isinstance(said, str) for _, pronunciations in table.entries(lang) for said in pronunciations
                )
            except InvalidLexicon as error:
                assert "\n" not in str(error)
        for lang, word in WORDS[::9]:
            assert isinstance(table.find(lang, word), list)
    except G2PError as error:
        assert "lexicon.g2plex is not a whole lexicon" in str(error) and "\n" not in str(error)


@given(st.lists(st.integers(0, len(WHOLE) * 8 - 1), min_size=1, max_size=8))
@settings(max_examples=300)
def test_flipped_bits_are_refused_or_answered(bits: list[int]) -> None:
    data = bytearray(WHOLE)
    for bit in bits:
        data[bit // 8] ^= 1 << bit % 8
    asked(bytes(data))


HEADER_BITS = (HEADER.size + 3 * 48) * 8


@given(st.integers(0, HEADER_BITS - 1), st.integers(0, HEADER_BITS - 1))
def test_flipped_bits_of_the_header_are_refused_or_answered(one: int, other: int) -> None:
    data = bytearray(WHOLE)
    data[one // 8] ^= 1 << one % 8
    data[other // 8] ^= 1 << other % 8
    asked(bytes(data))


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=64))
def test_overwritten_bytes_are_refused_or_answered(at: int, put: bytes) -> None:
    asked((WHOLE[:at] + put + WHOLE[at + len(put) :])[: len(WHOLE)])


@given(st.integers(0, len(WHOLE) - 1))
def test_a_table_that_ends_early_is_refused(size: int) -> None:
    with pytest.raises(InvalidLexicon, match=r"lexicon.g2plex is not a whole lexicon: it "):
        Table(WHOLE[:size], "lexicon.g2plex")


def test_a_table_of_another_version_is_refused() -> None:
    with pytest.raises(InvalidLexicon, match="does not begin as one of this version does"):
        Table(WHOLE[:7] + b"\2" + WHOLE[8:], "lexicon.g2plex")
