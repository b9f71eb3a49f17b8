"""Brings words into a checkpoint's form of text. The virtual machine uses it; the core has ``form.c`` for the same.

It uses the interpreter's Unicode data (``unicodedata``), not the core's tables. The two agree on every character that
both know. A character that only one of them knows is in no alphabet, so it is refused if there is an alphabet.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from g2p_build.runtime.joining import INHERITED, JOINED

__all__ = ["CASES", "Form", "check_form", "foreign", "form_of", "in_form", "kind"]

CASES = ("keep", "lower", "turkic", "lithuanian")
"""The ways to treat capitals, in the order of the core's numbers."""

_INVISIBLE = frozenset(
    map(chr, (0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF))
)
_JOINERS = "\u200c\u200d"
_DOT = "\u0307"
_EMOJI = (range(0x2600, 0x27C0), range(0x1F1E6, 0x1F200), range(0x1F300, 0x1FB00))
_KINDS = {
    "L": "a letter",
    "M": "a mark on a letter",
    "Nd": "a digit",
    "N": "a number",
    "P": "a punctuation mark",
    "S": "a symbol",
    "Zs": "a space",
    "Cn": "no character of Unicode",
    "Co": "no character of Unicode",
    "Cs": "no character of Unicode",
    "C": "an invisible character",
    "Z": "an invisible character",
}


@dataclass(frozen=True)
class Form:
    """How a language's words are written before a model reads them. The defaults leave a word as it is.

    Attributes:
        nfc: whether characters are composed (Unicode's normalization form C).
        visible: whether invisible characters are removed: soft hyphen, zero-width space, word joiner, byte order mark,
            marks of direction. U+200C and U+200D stay only after letters of scripts that spell words with them.
        narrow: whether full-width and half-width forms become the usual ones.
        strip: whether white space at both ends is removed.
        case: one of `CASES`.
        pairs: character → the character that it becomes, or nothing. With ``nfc`` both are parts of composed
            characters.
    """

    nfc: bool = False
    visible: bool = False
    narrow: bool = False
    strip: bool = False
    case: str = "keep"
    pairs: Mapping[str, str] = field(default_factory=dict)


def form_of(text: Mapping[str, Any] | None, lang: str) -> Form:
    """The form of a language's words.

    Args:
        text: ``model.text`` of a manifest.
        lang: the language's code.
    """
    if text is None:
        return Form()
    own = text["languages"].get(lang, {"case": text["case"], "pairs": {}})
    switches = {name: text[name] for name in ("visible", "narrow", "strip")}
    return Form(nfc=text["form"] == "nfc", case=own["case"], pairs=text["pairs"] | own["pairs"], **switches)


def check_form(form: Form) -> None:
    """Checks that a form changes a word only once: a word that is in the form must stay as it is.

    Raises:
        ValueError: it would change the word again, or a pair is not possible. The message says what to change.
    """
    if form.case not in CASES:
        raise ValueError(f"the case {form.case!r} is none of {', '.join(CASES)}")
    if form.case in CASES[2:] and not form.nfc:
        raise ValueError(f"the case {form.case!r} looks at the marks on letters: set the form to NFC too")
    alone = Form(form.nfc, form.visible, form.narrow, strip=False, case=form.case)
    for source, target in form.pairs.items():
        shown = f"the pair {source!r} to {target!r}"
        if len(source) != 1 or len(target) > 1:
            raise ValueError(f"{shown}: one character may become one character, or nothing")
        if (source.isascii() and source.isalpha()) or source == "ı":
            raise ValueError(f"{shown}: a letter of ASCII, or U+0131, stands for itself")
        if target in form.pairs:
            raise ValueError(f"{shown}: its target is in a pair itself")
        if len(target.encode()) > len(source.encode()):
            raise ValueError(f"{shown}: its target must not be longer in UTF-8")
        if target and bool(unicodedata.combining(source)) != bool(unicodedata.combining(target)):
            raise ValueError(f"{shown}: a mark may become another mark, and nothing else may become one")
        for side in filter(None, (source, target)):
            if form.nfc and unicodedata.normalize("NFD", side) != side:
                raise ValueError(f"{shown}: {side!r} has parts in NFC, and pairs are of parts")
        if target and in_form(alone, target) != target:
            raise ValueError(f"{shown}: its target is not in the form itself")


def in_form(form: Form, word: str) -> str:
    """A word brought into a form."""
    lower = form.case != "keep"
    if lower and "Σ" in word:
        # A final sigma depends on its neighbours, and Python's lower() knows that rule. "İ" would change the length.
        lowered = word.replace("İ", "i").lower()
        word = "".join(low if high == "Σ" else high for low, high in zip(lowered, word, strict=True))
    tailored = {"turkic": "I", "lithuanian": "IJ"}.get(form.case, "") if form.nfc else ""
    written = ""
    for character in unicodedata.normalize("NFD", word) if form.nfc else word:
        if form.visible and (character in _INVISIBLE or (character in _JOINERS and not _joined(form, written))):
            continue
        if form.narrow and unicodedata.decomposition(character).startswith(("<wide>", "<narrow>")):
            character = chr(int(unicodedata.decomposition(character).split()[1], 16))
        if character in tailored:
            written += character
            continue
        if lower:
            character = _lower(form, character)
        for one in character:
            changed = form.pairs.get(one, one)
            # Marks are changed later, when they are in canonical order: typed in another order they are the same text.
            written += one if form.nfc and changed and unicodedata.combining(one) else changed
    if form.nfc:
        parts = _tailored(form.case, unicodedata.normalize("NFD", written))
        written = unicodedata.normalize("NFC", "".join(form.pairs.get(one, one) for one in parts))
    return written.strip() if form.strip else written


def _lower(form: Form, character: str) -> str:
    if form.case == "turkic" and character in "Iİ":
        return "ı" if character == "I" else "i"
    return character.lower() if character not in "σς" else character


def _tailored(case: str, text: str) -> str:
    """A decomposed text with I and J in lower case. The marks above them decide which lower case it is."""
    if case not in CASES[2:]:
        return text
    letters = [""]
    for character in text:
        if unicodedata.combining(character):
            letters[-1] += character
        else:
            letters.append(character)
    for place, letter in enumerate(letters):
        base, marks = letter[:1], letter[1:]
        above = next((i for i, mark in enumerate(marks) if unicodedata.combining(mark) == 230), len(marks))
        dotted = marks[above : above + 1] == _DOT
        if case == "turkic" and base == "I":
            letters[place] = "i" + marks[:above] + marks[above + 1 :] if dotted else "ı" + marks
        elif case == "lithuanian" and base in ("I", "J"):
            dot = _DOT if above < len(marks) and not dotted else ""
            letters[place] = base.lower() + marks[:above] + dot + marks[above:]
    return "".join(letters)


def _joined(form: Form, written: str) -> bool:
    """Whether a joiner after this text belongs to the word's spelling."""
    for character in reversed(unicodedata.normalize("NFD", written) if form.nfc else written):
        if not _among(INHERITED, character):
            return character in _JOINERS or _among(JOINED, character)
    return False


def _among(ranges: Sequence[tuple[int, int]], character: str) -> bool:
    place = bisect_right(ranges, (ord(character), 0x110000)) - 1
    return place >= 0 and ord(character) <= ranges[place][1]


def foreign(alphabet: Collection[str] | None, text: str) -> int | None:
    """The index of the first character that is not in an alphabet; None if there is none.

    An alphabet of None is not known, and then every character is accepted.
    """
    if alphabet is None:
        return None
    return next((place for place, character in enumerate(text) if character not in alphabet), None)


def kind(character: str) -> str:
    """The kind of a character, for a message: "a digit"."""
    category = unicodedata.category(character)
    if category[0] == "S" and any(ord(character) in codes for codes in _EMOJI):
        return "an emoji"
    return _KINDS.get(category) or _KINDS[category[0]]
