"""Words to ids and back in C: as in the Python runtime, whatever the text."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from core_probe import EMPTY_WORD, INVALID_ARGUMENT, INVALID_WORD, OK, UNKNOWN_LANGUAGE, WORD_TOO_LONG, Probe
from hypothesis import given, settings
from hypothesis import strategies as st

from g2p_build.native import language_tags
from g2p_build.native.language_tags import TAGS, TWO_LETTERS
from g2p_build.runtime import languages, tokenizer
from g2p_build.runtime.errors import EmptyWord, G2PError, InvalidWord, UnknownLanguage, WordTooLong

pytest_plugins = ["core_probe"]

STATUS = {
    EmptyWord: EMPTY_WORD,
    InvalidWord: INVALID_WORD,
    UnknownLanguage: UNKNOWN_LANGUAGE,
    WordTooLong: WORD_TOO_LONG,
}
LANGUAGES = ["eng-us", "eng-uk", "fin", "spa-latin", "vie-n"]
MODEL: dict[str, Any] = {
    "prompt": "<{lang}>: {word}",
    "byte_offset": 3,
    "pad_id": 0,
    "eos_id": 1,
    "unk_id": 2,
    "append_eos": False,
    "max_input_len": 64,
    "languages": LANGUAGES,
    "text": None,
}


def take(probe: Probe, **changes: Any) -> dict[str, Any]:
    """Makes the core's model that of a manifest's ``model`` object, and returns the object."""
    model = MODEL | changes
    names = ("byte_offset", "pad_id", "eos_id", "unk_id", "append_eos", "max_input_len")
    numbers = struct.pack("=6i", *(model[name] for name in names))
    languages = [language.encode() for language in model["languages"] or []]
    probe.ask("C", model["prompt"].encode(), b"", b"", numbers, *languages)
    return model


def same(probe: Probe, model: dict[str, Any], word: str, lang: str) -> None:
    try:
        expected = (OK, tokenizer.encode(model, word, lang))
    except G2PError as error:
        expected = (STATUS[type(error)], [])
    status, data = probe.ask("E", word.encode("utf-8", "surrogatepass"), lang.encode("utf-8", "surrogatepass"))
    assert (status, list(struct.unpack(f"={len(data) // 4}i", data)) if status == OK else []) == expected


# Text of every kind: whole characters of any category, those at the borders of UTF-8's lengths, and white space.
border = st.sampled_from([chr(c) for c in (0x1F, 0x20, 0x7E, 0x7F, 0x9F, 0xA0, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF)])
white = st.sampled_from(
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
)
text = st.text(max_size=12) | st.text(border | white | st.characters(), max_size=6) | st.text(white, max_size=4)
codes = st.text(st.characters(exclude_characters="\0"), max_size=6)
around = st.text(st.characters(exclude_characters="{}\0", exclude_categories=["Cs"]), max_size=8)
prompts = st.tuples(
    around, around, around, st.sampled_from(["{}{{lang}}{}{{word}}{}", "{}{{word}}{}{{lang}}{}", "{}{{word}}{}{}"])
)


@settings(deadline=None, max_examples=400)
@given(text, st.sampled_from(LANGUAGES), st.booleans(), st.integers(0, 5))
def test_any_word_has_the_ids_or_the_refusal_that_python_gives(
    probe: Probe, word: str, lang: str, append_eos: bool, byte_offset: int
) -> None:
    same(probe, take(probe, append_eos=append_eos, byte_offset=byte_offset), word, lang)


@settings(deadline=None, max_examples=200)
@given(prompts, text, codes, st.integers(1, 40), st.booleans())
def test_any_template_is_filled_as_in_python(
    probe: Probe, prompt: tuple[str, str, str, str], word: str, lang: str, room: int, append_eos: bool
) -> None:
    *parts, shape = prompt
    model = take(probe, prompt=shape.format(*parts), languages=None, max_input_len=room, append_eos=append_eos)
    same(probe, model, word, lang)


@settings(deadline=None)
@given(st.one_of(codes, st.sampled_from([*LANGUAGES, "", "ENG-US", "eng-us\0"])))
def test_any_language_is_known_or_not_as_in_python(probe: Probe, lang: str) -> None:
    same(probe, take(probe), "a", lang.partition("\0")[0])  # a C string ends at its first zero


tags = st.sampled_from(sorted({tag for listed in TAGS.values() for tag in listed.split()}))
subtags = st.sampled_from(
    ["", "-us", "-GB", "_uk", "-419", "-MX", "-Latn", "-Cyrl", "-yue", "-arevmda", "-x-a", "-", "-9"]
)


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.sampled_from([*TAGS, "fin", "deu-at", "yue", "sw", "x"]), min_size=1, max_size=12, unique=True),
    tags | st.sampled_from(TWO_LETTERS.split()),
    subtags,
    subtags,
)
def test_any_tag_means_the_code_that_it_means_in_python(
    probe: Probe, languages: list[str], tag: str, second: str, third: str
) -> None:
    same(probe, take(probe, languages=languages), "a", tag + second + third)


MANY = ["eng-uk", "eng-us", "fra", "fra-qu", "spa", "spa-latin", "spa-me", "zho-s", "zho-t", "yue", "fin", "deu-at"]


@pytest.mark.parametrize(
    ("languages", "pairs"),
    [
        (LANGUAGES, "en-US=eng-us en_gb=eng-uk fi=fin FI-fi=fin es=spa-latin es-MX=spa-latin vi=vie-n vi-VN=vie-n"),
        (LANGUAGES, "en-UK=eng-uk en-US-u-nu-latn=eng-us es-419=spa-latin eng-us=eng-us"),
        (MANY, "fr=fra fr-BE=fra fr-CA=fra-qu es-MX=spa-me es-CL=spa-latin es-ES=spa zh-TW=zho-t zh-Hant-HK=zho-t"),
        (MANY, "zh-CN=zho-s zh-yue=yue yue-HK=yue de=deu-at de-AT=deu-at"),
        (["vie-n", "fil"], "tl=fil"),
        (["sw", "en"], "sw-KE=sw en-GB=en"),
    ],
)
def test_what_tags_mean(probe: Probe, languages: list[str], pairs: str) -> None:
    model = take(probe, languages=languages)
    for tag, code in (pair.split("=") for pair in pairs.split()):
        assert tokenizer.language(model, tag) == code
        same(probe, model, "a", tag)


@pytest.mark.parametrize(
    ("lang", "says"),
    [
        ("en", "the language 'en' is ambiguous: give eng-uk or eng-us"),
        ("es", "the language 'es' is ambiguous: give spa, spa-latin or spa-me"),
        ("zh", "the language 'zh' is ambiguous: give zho-s or zho-t"),
        ("en-AU", "unknown language 'en-AU': did you mean eng-uk or eng-us?"),
        ("fins", "unknown language 'fins': did you mean fin?"),
    ],
)
def test_a_tag_that_means_several_or_none_is_refused_with_what_to_give(probe: Probe, lang: str, says: str) -> None:
    model = take(probe, languages=MANY)
    status, said = probe.refusal("E", b"a", lang.encode())
    assert (status, said) == (UNKNOWN_LANGUAGE, says)
    with pytest.raises(UnknownLanguage) as caught:
        tokenizer.encode(model, "a", lang)
    assert str(caught.value) == says


def test_the_tables_are_those_of_the_one_list() -> None:
    assert language_tags.C_TABLE.read_text(encoding="utf-8") == language_tags.c_table()
    assert (Path(languages.__file__).with_name("language_tags.py")).read_text(encoding="utf-8") == (
        language_tags.runtime_table()
    )
    assert language_tags.page() in language_tags.PAGE.read_text(encoding="utf-8")
    assert list(TAGS) == sorted(TAGS)


@pytest.mark.parametrize(
    "category", [range(0x100), range(0x1680, 0x1681), range(0x1FF0, 0x2070), range(0x3000, 0x3001)]
)
def test_each_character_that_python_treats_apart(probe: Probe, category: range) -> None:
    model = take(probe)
    for code in category:
        same(probe, model, chr(code), "fin")
        same(probe, model, f"a{chr(code)}", "fin")


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=12))
def test_bytes_that_are_not_utf8_are_no_word(probe: Probe, word: bytes) -> None:
    take(probe)
    try:
        word.decode("utf-8")
    except UnicodeDecodeError:
        assert probe.refusal("E", word, b"fin")[0] == INVALID_WORD
        assert probe.refusal("E", b"a", word.replace(b"\0", b"") + b"\xff")[0] == UNKNOWN_LANGUAGE


BORDERS = [  # of what UTF-8 allows, one on each side
    *(b"\x7f", b"\x80", b"\xc1\xbf", b"\xc2\x80", b"\xdf\xbf", b"\xe0\x9f\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf"),
    *(b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xee\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80"),
    *(b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff"),
]


@pytest.mark.parametrize("data", BORDERS)
def test_utf8_at_its_borders(probe: Probe, data: bytes) -> None:
    model = take(probe, pad_id=900, eos_id=900, unk_id=900)
    for word in (data, b"a" + data + b"b", data[:-1] + b"c", data + data):
        try:
            same(probe, model, word.decode(), "fin")
        except UnicodeDecodeError:
            assert probe.refusal("E", word, b"fin")[0] == INVALID_WORD
        ids = [byte + 3 for byte in word]
        assert probe.ask("D", struct.pack(f"={len(ids)}i", *ids))[1].decode() == tokenizer.decode(model, ids)


@pytest.mark.parametrize("append_eos", [False, True])
def test_the_longest_word_is_that_of_python(probe: Probe, append_eos: bool) -> None:
    model = take(probe, append_eos=append_eos)
    for size in range(50, 65):
        same(probe, model, "a" * size, "fin")


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.integers(0, 383)) | st.lists(st.integers(-(2**31), 2**31 - 1)) | st.binary().map(list),
    st.integers(0, 5),
    st.tuples(*[st.integers(0, 383)] * 3),
)
def test_any_ids_have_the_text_that_python_gives(
    probe: Probe, ids: list[int], byte_offset: int, special: tuple[int, int, int]
) -> None:
    pad, eos, unk = special
    model = take(probe, byte_offset=byte_offset, pad_id=pad, eos_id=eos, unk_id=unk)
    status, data = probe.ask("D", struct.pack(f"={len(ids)}i", *ids))
    assert (status, data.decode("utf-8")) == (OK, tokenizer.decode(model, ids))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=20))
def test_broken_utf8_is_dropped_as_python_drops_it(probe: Probe, data: bytes) -> None:
    model = take(probe, pad_id=900, eos_id=900, unk_id=900)
    ids = [byte + 3 for byte in data]
    assert probe.ask("D", struct.pack(f"={len(ids)}i", *ids))[1].decode() == tokenizer.decode(model, ids)


def test_each_refusal_says_what_is_wrong_and_what_to_do(probe: Probe) -> None:
    take(probe)
    assert probe.refusal("E", b"", b"fin") == (EMPTY_WORD, "the word '' is empty: give at least one letter")
    assert probe.refusal("E", b"a\tb", b"fin") == (
        INVALID_WORD,
        "the word 'a\\x09b' holds a control character: give one word without tabs or line ends",
    )
    assert probe.refusal("E", b"a\xffb", b"fin")[1] == "the word 'a\\xffb' is not valid UTF-8: give it in that encoding"
    assert probe.refusal("E", ("ə" * 40 + "b" * 8).encode(), b"fin") == (
        WORD_TOO_LONG,
        f"the word '{'ə' * 24}...{'b' * 8}' is 88 bytes, 95 with its prompt, and this variant takes 64: "
        "shorten it, or build with larger max_lens",
    )
    assert probe.refusal("E", b"a", b"") == (UNKNOWN_LANGUAGE, "'' is no language code")
    assert probe.refusal("E", b"a", b"x") == (
        UNKNOWN_LANGUAGE,
        "unknown language 'x': there are eng-us, eng-uk, fin, spa-latin, vie-n",
    )
    assert probe.refusal("E", b"a", b"ENGLISH")[1] == "unknown language 'ENGLISH': did you mean eng-us or eng-uk?"
    take(probe, languages=[f"{letter}-code" for letter in "abcdefghijklm"])
    assert probe.refusal("E", b"a", b"z")[1] == "unknown language 'z': g2p_languages lists the 13 that there are"


def test_a_message_is_one_line_whatever_it_quotes(probe: Probe) -> None:
    status, message = probe.refusal("F", "\u202e\x1b[1m'\U0001f600\n".encode() + b"\xe2\x82")
    assert (status, message) == (INVALID_ARGUMENT, "'\\u202e\\x1b[1m'\U0001f600\\x0a\\xe2\\x82' -12 34%")


@pytest.mark.parametrize("size", range(18))
def test_a_message_that_is_too_long_is_cut(probe: Probe, size: int) -> None:
    quoted = ("a" * size + "\U000e0001" * 23).encode()  # ten characters each
    assert 220 < len(probe.refusal("F", quoted)[1]) < 240


@settings(deadline=None)
@given(st.binary())
def test_any_quoted_text_makes_a_line(probe: Probe, quoted: bytes) -> None:
    assert len(probe.refusal("F", quoted)[1].encode()) < 240


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_sha256_is_that_of_hashlib(probe: Probe, pieces: list[bytes]) -> None:
    assert probe.ask("S", *pieces)[1].decode() == 2 * hashlib.sha256(b"".join(pieces)).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 100_000])
def test_sha256_at_the_borders_of_its_blocks(probe: Probe, size: int) -> None:
    assert probe.ask("S", b"x" * size)[1].decode() == 2 * hashlib.sha256(b"x" * size).hexdigest()


json_text = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=10,
).flatmap(lambda value: st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)]))
damage = st.tuples(
    st.integers(0, 60),
    st.integers(0, 2),
    st.sampled_from(['"', "\\", "{", "]", ",", ":", "-", "0", ".", "e", "\\u12", "\t", "x", ""]),
)


@settings(deadline=None, max_examples=500)
@given(json_text, st.lists(damage, max_size=2), st.sampled_from(["", " ", "\n\t\r "]))
def test_what_is_json_is_what_python_says(
    probe: Probe, value: str, changes: list[tuple[int, int, str]], space: str
) -> None:
    for at, gone, more in changes:
        value = value[:at] + more + value[at + gone :]
    value = space + value + space
    data = value.encode("utf-8", "surrogatepass")
    try:
        json.loads(data.decode("utf-8"))
        expected = b"yes"
    except ValueError:
        expected = b""
    assert probe.ask("J", data)[1] == expected


ODD = (
    "01 -01 - -0 +1 1. 1.e1 .5 -.5 1e 1e+ 1E5 1e-07 0.0 00 tru true true1 nan NaN -Infinity Infinity -NaN null",
    '[1,] [,] [] [1,2 {"a":1,} {,} {} {1:2} {"a"} {"a":} {"a":1]} [} {] ] , : 1,2 [[],[{}]] [{"a":[]},1] /**/1',
    r'"\x" "\/" "\u12g4" "\u12" "\uABcd" "\ud800" "a \\ "\" "\\" "\"" ' + "'1'",
)
SPACED = ["[1 2]", '{"a":1 "b":2}', "1 2", "", " ", '" "', "\v1", '"\t"', '"\x1f"', '"\x7f"', "\xa01"]


@pytest.mark.parametrize("value", [*SPACED, *(value for line in ODD for value in line.split(" "))])
def test_odd_json_is_what_python_says(probe: Probe, value: str) -> None:
    try:
        json.loads(value)
        expected = b"yes"
    except ValueError:
        expected = b""
    assert probe.ask("J", value.encode())[1] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"[" * 256 + b"]" * 256, b"yes"),
        (b"[" * 257 + b"]" * 257, b""),
        (b"[" * 1_000_000, b""),
        (b'{"a":' * 100_000, b""),
        (b"1" * 4300, b"yes"),
        (b"1" * 4301, b""),
        (b'"\0"', b""),
        (b"1\0", b""),
        (b'"\xc0\xaf"', b""),
        (b"\xef\xbb\xbf1", b""),
    ],
)
def test_json_at_its_bounds(probe: Probe, value: bytes, expected: bytes) -> None:
    assert probe.ask("J", value)[1] == expected


def test_memory_is_aligned_and_too_much_is_none(probe: Probe) -> None:
    assert probe.ask("A") == (OK, b"")
