"""The core brings words into a form as Python does, in one step, in bounded memory, and finds foreign characters."""

import shutil
import subprocess
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from core_probe import CORE
from form_probe import Formed, FormProbe
from hypothesis import given, settings
from hypothesis import strategies as st

from g2p_build.native.forms import ranges, writings
from g2p_build.runtime.form import CASES, Form, check_form, foreign, in_form

pytest_plugins = ["form_probe"]

APOSTROPHES = dict.fromkeys("’‘ʼ‛`´′", "'")
TYPED = Form(nfc=True, visible=True, narrow=True, strip=True, case="lower", pairs=APOSTROPHES)
GROWTH, SLACK = 3, 8  # form.h's

# Characters that forms change, and some that stand between these. fuzz_form.c has the same.
nasty = st.sampled_from(
    "\xad\u200b\u200c\u200d\ufeff \t\xa0\u2000\u3000'’`.:·\u0300\u0301\u0307\u0308\u0315\u031b\u0323\u0327\u0328\u0338"
    "\u0342\u0345\u0344\u0653\u064b\u0e38\u0e48\u3099ﾞ\u093c\u094dIJiljaAoOsSİıĮÌÍĨΣσςΑιΐὠᾨ\u1fedΩKÅǅ\u1112\u1161\u11ab가각ｶＩａ＇ﾡاآـ"
    "क\u0958\u0dd9\u0dcf\u0dca\u0bc6\u0bbeệậ𝅗𝅥\U0001d160\U0001d158\U0001d165𐐀𞤀\U0002f800\U00011099\U000110ba"
)
cased = st.characters(categories=["Lu", "Lt"])
# No unassigned characters: this Python may have a later Unicode that knows them.
words = st.text(nasty, max_size=12) | st.text(
    nasty | cased | st.characters(exclude_categories=["Cn", "Cs", "Co"]), max_size=8
)
extra = {"\u0327": "\u0326", "\u0640": "", "\u2010": "-"}
forms = st.builds(
    Form,
    nfc=st.booleans(),
    visible=st.booleans(),
    narrow=st.booleans(),
    strip=st.booleans(),
    case=st.sampled_from(CASES),
    pairs=st.sampled_from([{}, APOSTROPHES, APOSTROPHES | extra]),
).map(lambda form: form if form.nfc or form.case in CASES[:2] else replace(form, case="lower"))


@settings(deadline=None, max_examples=800)
@given(forms, st.lists(words, min_size=1, max_size=8))
def test_any_word_in_any_form_is_as_in_python(formed: FormProbe, form: Form, words: list[str]) -> None:
    found = formed.texts(form, words)
    assert found == [in_form(form, word) for word in words]
    for word, text in zip(words, found, strict=True):
        assert text is not None and len(text.encode()) <= GROWTH * len(word.encode())
    assert formed.texts(form, [text or "" for text in found]) == found  # and stays as it is


@settings(deadline=None, max_examples=400)
@given(st.lists(words, min_size=1, max_size=8))
def test_normalization_and_lower_case_are_pythons(formed: FormProbe, words: list[str]) -> None:
    assert formed.texts(Form(), words) == words
    assert formed.texts(Form(strip=True), words) == [word.strip() for word in words]
    assert formed.texts(Form(case="lower"), words) == [word.lower() for word in words]
    assert formed.texts(Form(nfc=True), words) == [unicodedata.normalize("NFC", word) for word in words]
    lowered = [unicodedata.normalize("NFC", word.lower()) for word in words]
    assert formed.texts(Form(nfc=True, case="lower"), words) == lowered
    # Composed or decomposed, the same text gives the same result.
    parts = [unicodedata.normalize("NFD", word) for word in words]
    assert formed.texts(TYPED, parts) == formed.texts(TYPED, words)


@settings(deadline=None, max_examples=400)
@given(forms, words, st.integers(0, 60))
def test_a_word_is_whole_or_too_long(formed: FormProbe, form: Form, word: str, capacity: int) -> None:
    text = in_form(form, word)
    [found] = formed(form, [word], capacity=capacity)
    assert found.text in (text, None)
    assert found.text == text or len(text.encode()) + (SLACK if form.nfc else 0) > capacity
    assert found.text is None or len(text.encode()) <= capacity


@pytest.mark.parametrize("word", ["aa\u2003b", "aa\u2003\u0301", "aa\u2003 b", "é\u2003\u2003", "\u2003é\u2003ß", "Ìa"])
@pytest.mark.parametrize("nfc", [True, False])
def test_in_any_room_a_word_is_whole_or_refused(formed: FormProbe, nfc: bool, word: str) -> None:
    form = Form(nfc=nfc, strip=True, case="lithuanian" if nfc else "lower")
    text = in_form(form, word)
    found = [formed(form, [word], capacity=capacity)[0].text for capacity in range(20)]
    assert found == [None] * found.index(text) + [text] * (20 - found.index(text))
    size = len(text.encode())
    assert size <= found.index(text) <= size + (SLACK if nfc else 0)


@pytest.mark.parametrize("many", [100, 300_000])
@pytest.mark.parametrize("nothing", ["\u200b", "\ufeff", "\u200d", " ", "\u3000", " \u200b"])
def test_what_is_removed_takes_no_room(formed: FormProbe, many: int, nothing: str) -> None:
    ends, inside = nothing * many + "a" + nothing * many, "a" + nothing * many + "b"
    white = " " in nothing or "\u3000" in nothing
    assert formed(TYPED, [ends, inside], capacity=9) == [Formed("a"), Formed(None if white else "ab")]
    assert formed(TYPED, [ends + "\u0301"], capacity=9) == [Formed(None if white else "á")]


def test_a_letter_may_have_any_number_of_marks(formed: FormProbe) -> None:
    word = "a" + "\u0301\u0323\u0327\u0345" * 250
    assert formed.texts(TYPED, [word]) == [unicodedata.normalize("NFC", word)]
    assert formed(TYPED, ["a" + "\u0301\u0323" * 100_000, "Σ" + "'" * 100_000], capacity=100) == [Formed(None)] * 2


@pytest.mark.parametrize(
    ("case", "typed", "expected"),
    [
        ("lower", "Knight", "knight"),
        ("lower", "  it’s ", "it's"),
        ("lower", "\ufeffknight", "knight"),
        ("lower", "de\u00adci\u200bsion", "decision"),
        ("lower", "cafe\u0301", "café"),
        ("lower", "ĐẠO ĐỨC", "đạo đức"),
        ("lower", "ＫＮＩＧＨＴ＇Ｓ", "knight's"),
        ("lower", "ｶﾞｷﾞ", "ガギ"),
        ("lower", "ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("lower", "İ", "i\u0307"),
        ("lower", "J\u030c", "ǰ"),
        ("lower", "می\u200cخواهم", "می\u200cخواهم"),
        ("lower", "क्\u200dष", "क्\u200dष"),
        ("lower", "kn\u200cig\u200dht", "knight"),
        ("lower", "\u200cا", "ا"),
        ("turkic", "IĞDIR İSTANBUL", "ığdır istanbul"),
        ("turkic", "I\u0307I\u0323\u0307\u0301", "iị\u0301"),
        ("turkic", "Ｉ", "ı"),
        ("lithuanian", "RAJ\u0303 ĨÌ I J Į\u0301", "raj\u0307\u0303 i\u0307\u0303i\u0307\u0300 i j į\u0307\u0301"),
        ("lithuanian", "İ I\u0307", "i\u0307 i\u0307"),
        ("keep", "Knight’s", "Knight's"),
    ],
)
def test_what_people_type(formed: FormProbe, case: str, typed: str, expected: str) -> None:
    form = replace(TYPED, case=case)
    assert formed.texts(form, [typed, expected]) == [expected, expected]
    assert in_form(form, typed) == expected


def test_a_pair_applies_to_parts_of_characters(formed: FormProbe) -> None:
    romanian = replace(TYPED, pairs={"\u0327": "\u0326"})
    assert formed.texts(romanian, ["şcoală", "s\u0327coală", "ŢARĂ"]) == ["școală", "școală", "țară"]


LATIN = "'abcdefghijklmnopqrstuvwxyzé"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("knight", None),
        ("  KNIGHT’S\u200b ", None),
        ("cafe\u0301", None),
        ("a7", (1, ord("7"))),
        ("  é\u200b7", (7, ord("7"))),
        ("two words", (3, ord(" "))),
        ("naïve", (2, ord("ï"))),
        ("nai\u0308ve", (2, ord("ï"))),
        ("ne\u0327e\u0323", (1, ord("ȩ"))),
        ("aq\u0323", (1, 0x323)),
        ("\u0323a", (0, 0x323)),
        ("x😀", (1, ord("😀"))),
        ("знак", (0, ord("з"))),
        ("", None),
    ],
)
def test_a_foreign_character_is_found_where_it_was_typed(
    formed: FormProbe, word: str, expected: tuple[int, int] | None
) -> None:
    [found] = formed(TYPED, [word], ranges(LATIN))
    assert found.foreign == expected
    text = in_form(TYPED, word)
    place = foreign(LATIN, text)
    assert (None if place is None else ord(text[place])) == (None if expected is None else expected[1])


def test_without_an_alphabet_nothing_is_foreign(formed: FormProbe) -> None:
    assert formed(TYPED, ["a7😀"]) == [Formed("a7😀")]
    assert foreign(None, "a7😀") is None and foreign("", "a") == 0


near = st.characters(max_codepoint=320)


@settings(deadline=None, max_examples=200)
@given(st.sets(near, min_size=1), st.text(near))
def test_any_alphabet_is_as_in_python(formed: FormProbe, alphabet: set[str], word: str) -> None:
    [found] = formed(Form(), [word], ranges("".join(alphabet)))
    place = foreign(alphabet, word)
    expected = None if place is None else (len(word[:place].encode()), ord(word[place]))
    assert found.foreign == expected


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (Form(case="upper"), "none of keep, lower"),
        (Form(case="turkic"), "NFC"),
        (replace(TYPED, pairs={"ab": "c"}), "one character"),
        (replace(TYPED, pairs={"’": "''"}), "one character"),
        (replace(TYPED, pairs={"a": "e"}), "stands for itself"),
        (replace(TYPED, pairs={"‘": "’", "’": "'"}), "in a pair itself"),
        (replace(TYPED, pairs={"'": "’"}), "longer"),
        (replace(TYPED, pairs={"ş": "ș"}), "has parts"),
        (replace(TYPED, pairs={"´": "\u0301"}), "a mark may become"),
        (replace(TYPED, pairs={"‘": "A"}), "not in the form"),
        (replace(TYPED, pairs={"‘": "\u200b"}), "not in the form"),
        (replace(TYPED, pairs={"‘": "Ａ"}), "not in the form"),
    ],
)
def test_a_form_that_cannot_be_is_refused(form: Form, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_form(form)


@pytest.mark.parametrize("form", [Form(), TYPED, replace(TYPED, pairs=APOSTROPHES | extra, case="turkic")])
def test_a_good_form_is_taken(form: Form) -> None:
    check_form(form)


PRINTED = """
#include <stdio.h>
#include "form.h"
WRITINGS
int main(void) {
  for (size_t i = 0; i < sizeof writings / sizeof *writings; i++) {
    struct g2p_form form = writings[i].form;
    struct g2p_alphabet alphabet = writings[i].alphabet;
    printf("%d%d%d%d%d ", form.nfc, form.visible, form.narrow, form.strip, form.lower);
    for (size_t k = 0; k < form.pairs_count; k++) printf("%x>%x ", form.pairs[k].from, form.pairs[k].to);
    for (size_t k = 0; k < alphabet.ranges_count; k++)
      printf("%x-%x ", alphabet.ranges[k].first, alphabet.ranges[k].last);
    printf("%d", alphabet.ranges != NULL);
    for (size_t k = 0; k < writings[i].letters_count; k++)
      printf(" %x=%s", writings[i].letters[k].letter, writings[i].letters[k].name);
    printf("\\n");
  }
  return 0;
}
"""


def test_a_models_writings_are_a_table_in_c(tmp_path: Path) -> None:
    plain = {"nfc": True, "visible": False, "narrow": False, "strip": True, "case": "turkic", "pairs": {}}
    plain |= {"letters": {}}
    english = plain | {"case": "lower", "pairs": {"’": "'", "\u0301": ""}, "alphabet": "-'zabcé"}
    english |= {"letters": {"z": "ˈzi", "b": "ˈbi"}}
    languages = [english, plain | {"alphabet": None}, english]
    text = writings(languages)
    tables = ("struct g2p_pair ", "struct g2p_range ", "struct g2p_letter ")
    assert [text.count(table) for table in tables] == [1, 1, 1]  # equal tables are written once
    (tmp_path / "table.c").write_text(PRINTED.replace("WRITINGS", text), encoding="utf-8")
    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{CORE}", str(tmp_path / "table.c")]
    subprocess.run([*command, "-o", str(tmp_path / "table")], check=True)
    said = subprocess.run([tmp_path / "table"], capture_output=True, text=True, check=True).stdout
    first = "10011 301>0 2019>27 27-27 2d-2d 61-63 7a-7a e9-e9 1 62=ˈbi 7a=ˈzi"
    assert said.splitlines() == [first, "10012 0", first]
