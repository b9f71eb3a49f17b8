from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2p_build.runtime import tokenizer
from g2p_build.runtime.errors import EmptyWord, InvalidWord, UnknownLanguage, WordTooLong

MODEL: dict[str, Any] = {
    "prompt": "<{lang}>: {word}",
    "byte_offset": 3,
    "vocab_size": 384,
    "pad_id": 0,
    "eos_id": 1,
    "unk_id": 2,
    "decoder_start_id": 0,
    "append_eos": False,
    "text": None,
    "languages": ["eng-us", "fin", "spa-latin", "vie-n"],
    "max_input_len": 64,
    "max_output_len": 128,
}


def model(**changes: Any) -> dict[str, Any]:
    return MODEL | changes


def test_an_id_is_a_byte_plus_three() -> None:
    assert tokenizer.encode(MODEL, "ñu", "fin") == [63, 105, 108, 113, 65, 61, 35, 198, 180, 120]
    assert tokenizer.encode(model(append_eos=True, prompt="{word}"), "a", "fin") == [100, 1]


@settings(deadline=None)  # the first imports transformers
@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=10))
def test_ids_and_text_are_as_in_transformers(word: str) -> None:
    from transformers import ByT5Tokenizer

    if not word.strip():
        return
    reference = ByT5Tokenizer()
    ids = tokenizer.encode(MODEL, word, "eng-us")
    assert ids == reference(f"<eng-us>: {word}", add_special_tokens=False).input_ids
    assert tokenizer.decode(MODEL, ids) == f"<eng-us>: {word}" == reference.decode(ids, skip_special_tokens=True)


@settings(deadline=None)  # the first imports transformers
@given(st.lists(st.integers(0, 383), max_size=20))
def test_any_ids_are_text_as_in_transformers(ids: list[int]) -> None:
    from transformers import ByT5Tokenizer

    reference = ByT5Tokenizer()
    assert tokenizer.decode(MODEL, ids) == reference.decode(ids, skip_special_tokens=True)


def test_broken_utf8_and_ids_of_no_byte_are_dropped() -> None:
    ids = [0, 100, 1, 2, 383, 259, 0xC3 + 3, 101, 3 + 0xC3, 3 + 0xB1]
    assert tokenizer.decode(MODEL, ids) == "abñ"


def test_a_word_is_never_read_as_a_template_or_a_special_token() -> None:
    for word in ("{lang}", "{word}", "</s>", "<pad>", "{", "%s", "\\n"):
        assert tokenizer.decode(MODEL, tokenizer.encode(MODEL, word, "fin")) == f"<fin>: {word}"


@pytest.mark.parametrize("word", ["don't", "l’eau", "naïve", "ไก่", "người", "क्‍ष", "a b", "-", "1"])
def test_words_that_are_accepted(word: str) -> None:
    assert tokenizer.decode(MODEL, tokenizer.encode(MODEL, word, "fin")) == f"<fin>: {word}"


@pytest.mark.parametrize("word", ["", " ", "\u3000", "\n", "\t "])
def test_empty_words(word: str) -> None:
    with pytest.raises(EmptyWord, match="empty"):
        tokenizer.encode(MODEL, word, "fin")


@pytest.mark.parametrize("word", ["a\tb", "a\n", "\0", "a\x7f", "a\x85", "a\u2028b", "a\ud800"])
def test_words_with_control_characters_or_half_characters(word: str) -> None:
    with pytest.raises(InvalidWord) as caught:
        tokenizer.encode(MODEL, word, "fin")
    assert str(caught.value).isprintable()


def test_the_bound_counts_bytes_including_the_prompt() -> None:
    room = 64 - len("<fin>: ")
    assert len(tokenizer.encode(MODEL, "a" * room, "fin")) == 64
    with pytest.raises(
        WordTooLong, match=f"is {room + 1} bytes, 65 with its prompt '<fin>: ...', and this variant takes 64"
    ):
        tokenizer.encode(MODEL, "a" * (room + 1), "fin")
    with pytest.raises(WordTooLong, match=r"is 57 bytes, 65 with its prompt '<fin>: \.\.\.' and end token"):
        tokenizer.encode(model(append_eos=True), "a" * room, "fin")
    with pytest.raises(WordTooLong, match="is 90 bytes, 97"):
        tokenizer.encode(MODEL, "ก" * 30, "fin")


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en-gb", "did you mean eng-us?"),
        ("ENG-US", "did you mean eng-us?"),
        ("spa", "did you mean spa-latin?"),
        ("xyz", "there are eng-us, fin, spa-latin, vie-n"),
        ("", "no language code"),
        ("a\nb", "no language code"),
    ],
)
def test_unknown_languages(lang: str, words: str) -> None:
    with pytest.raises(UnknownLanguage) as caught:
        tokenizer.encode(MODEL, "word", lang)
    assert words in str(caught.value)


def test_many_languages_are_not_all_listed() -> None:
    with pytest.raises(UnknownLanguage, match="the 26 that `g2p languages` lists"):
        tokenizer.encode(model(languages=[f"{letter * 3}" for letter in "abcdefghijklmnopqrstuvwxyz"]), "word", "123")


def test_languages_are_checked_only_where_they_are_listed() -> None:
    assert tokenizer.decode(MODEL, tokenizer.encode(model(languages=None), "a", "zz")) == "<zz>: a"
    with pytest.raises(UnknownLanguage):
        tokenizer.encode(model(languages=None), "a", "")
