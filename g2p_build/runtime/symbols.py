"""How a text becomes what a speech model reads: pronunciations by a table of its language, punctuation as it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from g2p_build.runtime.errors import ForeignCharacter, UnknownLanguage
from g2p_build.runtime.results import Part

__all__ = ["Spoken", "in_symbols", "of_text"]

_STRESS = "ˈˌ"

_READ_AS = str.maketrans("-\u2010\u2011\u2013[]{}«»‘’'", '   —()()“”“”"')
"""Punctuation → what a model reads for it: hyphens part words; of dashes, brackets and quotes there is one kind."""


@dataclass(frozen=True)
class Spoken:
    """A pronunciation in a speech model's symbols.

    Attributes:
        symbols: What the model reads.
        stress: Marks of stress that are lost: no vowel follows them in their word.
        unknown: Characters that the table has not, each once. They are left out of `symbols`.
    """

    symbols: str
    stress: int
    unknown: str


def in_symbols(vowels: str, rows: Mapping[str, str], phonemes: str, kept: str = " ") -> Spoken:
    """What a pronunciation becomes.

    Args:
        vowels: characters that a vowel begins with. Stress moves before the next of them.
        rows: phonemes → symbols, the longest first: from left to right, the first that matches counts.
        phonemes: the pronunciation.
        kept: characters that stay as they are, and end a word.
    """
    moved, lost = _stress_moved(vowels, phonemes, kept)
    symbols, unknown, place = [], "", 0
    while place < len(moved):
        ours = next((each for each in rows if moved.startswith(each, place)), moved[place])
        if ours in rows:
            symbols.append(rows[ours])
        elif ours in kept:
            symbols.append(ours)
        elif ours not in unknown:
            unknown += ours
        place += len(ours)
    return Spoken("".join(symbols), lost, unknown)


def _stress_moved(vowels: str, phonemes: str, kept: str) -> tuple[str, int]:
    """The phonemes with each stress before the next vowel of its word, and how many have none."""
    found, held, lost = [], "", 0
    for symbol in phonemes + " ":
        if symbol in _STRESS or symbol in kept:
            lost += bool(held)
            held = symbol if symbol in _STRESS else ""
            if held:
                continue
        elif held and symbol in vowels:
            found.append(held)
            held = ""
        found.append(symbol)
    return "".join(found)[:-1], lost


def of_text(languages: Mapping[str, Any], parts: Iterable[Part], lang: str) -> str:
    """What a speech model reads for a text. Space is one blank; punctuation stays.

    Args:
        languages: ``model.languages`` of the speech model's manifest.
        parts: of the text, its words with their pronunciations: `G2P.text`.
        lang: the language of its words.

    Raises:
        UnknownLanguage: the speech model has no table for the language.
        ForeignCharacter: the text has a number, or a word has a phoneme that the table has not.
        G2PError: a word cannot be pronounced.
    """
    if lang not in languages:
        raise UnknownLanguage(f"the speech model does not speak {lang!r}: it speaks {', '.join(languages) or 'none'}")
    vowels, rows = languages[lang]["vowels"], dict(languages[lang]["pairs"])
    found = []
    for part in parts:
        if part.kind == "number":
            raise ForeignCharacter(
                f"the text has a number, {part.text!r}, at character {part.start + 1}: write it out in words"
            )
        if part.result is None:
            found.append(" " if part.kind == "space" else part.text.translate(_READ_AS))
            continue
        if part.result.error is not None:
            raise part.result.error
        said = in_symbols(vowels, rows, part.result.phonemes)
        if said.unknown:
            raise ForeignCharacter(
                f"the word {part.text!r} is pronounced {part.result.phonemes!r}, and the speech model's table of "
                f"{lang} has no {said.unknown!r}: write another word"
            )
        found.append(said.symbols)
    return " ".join("".join(found).split())
