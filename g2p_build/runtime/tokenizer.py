"""Turns words into ids and ids into phonemes, as a manifest's ``model`` object says.

An id is a UTF-8 byte plus an offset. A word never becomes a special id: a word "</s>" is four bytes here.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from g2p_build.runtime import languages
from g2p_build.runtime.errors import EmptyWord, ForeignCharacter, InvalidWord, UnknownLanguage, WordTooLong
from g2p_build.runtime.form import foreign, form_of, in_form, kind

__all__ = ["check", "decode", "encode", "language"]

_CONTROL = ("Cc", "Zl", "Zp")  # not "Cf": some scripts spell words with the zero-width joiner


def check(model: Mapping[str, Any], word: str, lang: str) -> None:
    """Checks what must be right of a word even if a lexicon has it.

    The arguments are those of `encode`.

    Raises:
        UnknownLanguage: the model does not know the language, or ``lang`` is not a code.
        EmptyWord: the word holds nothing.
        InvalidWord: the word holds a control character or half a surrogate pair.
    """
    language(model, lang)
    if not word.strip():
        raise EmptyWord(f"the word {word!r} is empty: give at least one letter")
    if any(unicodedata.category(character) in _CONTROL for character in word):
        raise InvalidWord(f"the word {_short(word)} holds a control character: give one word without tabs or line ends")
    if any(unicodedata.category(character) == "Cs" for character in word):
        raise InvalidWord(f"the word {_short(word)} is not valid Unicode: it holds half a surrogate pair")


def encode(model: Mapping[str, Any], word: str, lang: str) -> list[int]:
    """The input ids of one word: the prompt's bytes, each plus ``byte_offset``, and the end id if ``append_eos``.

    Args:
        model: the ``model`` object of a manifest.
        word: the spelling. It is first brought into the model's form of text.
        lang: a code among ``model["languages"]`` or a BCP 47 tag that means one; any code if that is null.

    Raises:
        UnknownLanguage: the model does not know the language, or ``lang`` is not a code.
        EmptyWord: the word holds nothing that the form of text keeps, or, where the alphabet is known, no letter.
        InvalidWord: the word holds a control character or half a surrogate pair.
        ForeignCharacter: the word holds a character that is not in the language's alphabet.
        WordTooLong: the word does not fit into ``max_input_len`` with its prompt.
    """
    check(model, word, lang)
    lang = language(model, lang)
    typed, word = word, _in_form(model["text"], word, lang)
    if not word:
        raise EmptyWord(f"the word {typed!r} is empty: give at least one letter")
    before, after = model["prompt"].split("{word}")
    before, after = before.replace("{lang}", lang), after.replace("{lang}", lang)
    ids = [byte + model["byte_offset"] for byte in (before + word + after).encode("utf-8")]
    ids += [model["eos_id"]] if model["append_eos"] else []
    if len(ids) > model["max_input_len"]:
        raise WordTooLong(
            f"the word {_short(word)} is {len(word.encode())} bytes, {len(ids)} with its prompt "
            f"{before + '...' + after!r}{' and end token' if model['append_eos'] else ''}, "
            f"and this variant takes {model['max_input_len']}: shorten it, or build with larger max_lens"
        )
    return ids


def decode(model: Mapping[str, Any], ids: Iterable[int]) -> str:
    """The text of generated ids. Special ids, ids that are not a byte's, and broken UTF-8 are dropped."""
    offset, special = model["byte_offset"], {model["pad_id"], model["eos_id"], model["unk_id"]}
    return bytes(i - offset for i in ids if 0 <= i - offset < 256 and i not in special).decode("utf-8", "ignore")


def language(model: Mapping[str, Any], lang: str) -> str:
    """The model's own code for a code or a BCP 47 tag.

    Raises:
        UnknownLanguage: the model does not know the language, or ``lang`` is not a code, or several are meant.
    """
    if not lang or any(unicodedata.category(character) in (*_CONTROL, "Cs") for character in lang):
        raise UnknownLanguage(f"{lang!r} is no language code")
    return languages.language(model["languages"], lang)


def _in_form(text: Mapping[str, Any] | None, word: str, lang: str) -> str:
    """The word in the model's form of text.

    Raises:
        ForeignCharacter: it holds a character that is not in the language's alphabet.
        EmptyWord: the alphabet is known, and there is nothing in the word but punctuation and marks.
    """
    if text is None:
        return word
    written = in_form(form_of(text, lang), word)
    alphabet = text["languages"].get(lang, {"alphabet": None})["alphabet"]
    place = foreign(alphabet, written)
    if place is not None:
        character = written[place]
        named = f"{character!r} (U+{ord(character):04X}, {kind(character)})"
        raise ForeignCharacter(f"{named} in {_short(word)} is not in the alphabet of {lang}: {_advice(character)}")
    if alphabet is not None and written and all(unicodedata.category(character)[0] in "PM" for character in written):
        raise EmptyWord(f"the word {word!r} has no letter: give at least one")
    return written


def _advice(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Zs":
        return "give one word at a time"
    if category.startswith("N"):
        return "write numbers out"
    return "name the language that the word is of" if category.startswith("L") else "leave it out"


def _short(word: str) -> str:
    return repr(word if len(word) <= 40 else f"{word[:24]}...{word[-8:]}")
