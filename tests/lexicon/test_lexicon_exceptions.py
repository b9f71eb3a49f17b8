"""Which words of a dictionary become a model's exceptions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2p_build.lexicon.exceptions import exceptions_table
from g2p_build.lexicon.table import write_table
from g2p_build.runtime.lexicon import Table

LETTERS = {"h": "ˈeɪtʃ", "m": "ˈɛm", "t": "ˈti", "v": "ˈvi"}
TEXT = {
    "form": "nfc",
    "case": "lower",
    "visible": True,
    "narrow": True,
    "strip": True,
    "pairs": {},
    "languages": {"eng-us": {"case": "lower", "pairs": {}, "alphabet": None, "letters": LETTERS}},
}


def kept(
    dictionary: dict[str, list[str]], said: dict[str, str], use: dict[str, float] | None = None, max_bytes: int = 10**6
) -> dict[str, list[str]]:
    """The exceptions of one language."""
    uses = {"eng-us": use} if use else {}
    data = exceptions_table({"eng-us": dictionary}, {"eng-us": said}, TEXT, uses, max_bytes)
    assert len(data) <= max_bytes
    table = Table(data, "")
    return dict(table.entries("eng-us")) if table.words else {}


def test_a_word_is_kept_if_the_model_says_none_of_its_pronunciations() -> None:
    dictionary = {"of": ["ˈəv"], "the": ["ðə", "ði"], "colonel": ["ˈkɝnəɫ", "ˈkɔɹnəɫ"], "3d": ["ˈθɹiˈdi"]}
    said = {"of": "ˈɔf", "the": "ði", "colonel": "ˈkoʊɫənəɫ"}  # it refuses 3d
    assert kept(dictionary, said) == {word: dictionary[word] for word in ("of", "colonel", "3d")}


def test_a_model_that_is_right_needs_none() -> None:
    assert kept({"of": ["ˈəv"], "hello": ["hi"]}, {"of": "ˈəv", "hello": "hi"}) == {}


def test_a_word_that_would_be_spelled_is_kept_unless_that_is_right() -> None:
    dictionary = {"hmm": ["hm"], "tv": ["ˈtiˈvi", "ˈtɛɫəˌvɪʒən"], "mth": ["mʌnθ"], "hat": ["ˈhæt"]}
    assert kept(dictionary, {word: said[0] for word, said in dictionary.items()}) == {"hmm": ["hm"], "mth": ["mʌnθ"]}


def test_a_word_with_capitals_is_not_taken_for_the_one_without() -> None:
    dictionary = {"polish": ["ˈpɑɫɪʃ"], "Polish": ["ˈpoʊɫɪʃ"], "May": ["ˈmeɪ"], "may": ["ˈmeɪ"]}
    said = {"polish": "ˈpoʊɫɪʃ", "Polish": "ˈpoʊɫɪʃ", "May": "ˈmeɪ", "may": "ˈmeɪ"}
    assert set(kept(dictionary, said)) == {"polish", "Polish"}


def numbered(count: int) -> dict[str, list[str]]:
    return {f"word{number * 7919 % 10007}": [f"wɝd{number * 104729 % 10009}"] for number in range(count)}


def test_what_would_be_spelled_comes_first_then_the_most_used_then_the_first_of_the_dictionary() -> None:
    dictionary = numbered(600) | {"hmm": ["hm"]}
    words = list(dictionary)
    use = {words[300]: 0.5, words[500]: 0.25, "unknown": 1.0}
    order = ["hmm", words[300], words[500], *(word for word in words[:-1] if word not in use)]
    for max_bytes in (2300, 3000, 5000):
        found = kept(dictionary, {}, use, max_bytes)
        assert set(found) == set(order[: len(found)]) and 3 <= len(found) < len(order)


def test_words_of_capitals_are_as_much_used_as_those_of_small_letters() -> None:
    dictionary = numbered(600) | {"Polish": ["x"]}
    assert "Polish" in kept(dictionary, {}, {"polish": 0.1}, 3000)


def test_languages_share_the_room_by_how_much_their_words_are_used() -> None:
    many = numbered(600)
    use = {"swa": dict.fromkeys(many, 1.0), "fin": dict.fromkeys(many, 0.5)}
    data = exceptions_table({"fin": many, "swa": many}, {"fin": {}, "swa": {}}, None, use, 6000)
    assert list(Table(data, "").words) == ["swa"]
    data = exceptions_table({"fin": many, "swa": many}, {"fin": {}, "swa": {}}, None, {}, 9000)
    fin, swa = Table(data, "").words.values()
    assert abs(fin - swa) <= 1


@given(st.integers(0, 400), st.integers(1024, 20_000))
@settings(max_examples=30, deadline=None)
def test_the_size_is_never_more_and_hardly_less(count: int, max_bytes: int) -> None:
    dictionary = numbered(count)
    data = exceptions_table({"xx": dictionary}, {"xx": {}}, None, {}, max_bytes)
    assert len(data) <= max_bytes
    words = sum(Table(data, "").words.values())
    if words < count:
        more = dict(list(dictionary.items())[: words + 2 + words // 100])
        assert len(write_table({"xx": more})) > max_bytes


def test_where_not_even_one_word_fits_there_is_an_empty_table() -> None:
    assert kept({"of": ["ˈəv"]}, {}, max_bytes=1024) == {}


@pytest.mark.parametrize("reverse", [False, True])
def test_the_same_words_give_the_same_bytes(reverse: bool) -> None:
    dictionary = numbered(300)
    use = dict(sorted(((word, 1 / (place + 1)) for place, word in enumerate(dictionary)), reverse=reverse))
    ordered = dict(sorted(dictionary.items(), reverse=reverse))
    made = exceptions_table({"xx": ordered}, {"xx": {}}, None, {"xx": use}, 4000)
    assert made == exceptions_table({"xx": dictionary}, {"xx": {}}, None, {"xx": dict(use)}, 4000)
