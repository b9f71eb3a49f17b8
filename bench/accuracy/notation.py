"""A coarser notation, in which pronunciations can be compared that were written with different symbols.

It keeps which sounds follow each other. It drops what one side does not write (stress, length, in Finnish as a double
letter), and gives one symbol to what the two sides write with different ones. Differences of accent stay.

Thai and Vietnamese have none: espeak-ng writes tones as digits inside syllables, and of Thai words it spells many
letter by letter.
"""

from collections.abc import Mapping, Sequence

__all__ = ["FOLDS", "coarse"]

_STRESS = (("ˈ", ""), ("ˌ", ""))

FOLDS: Mapping[str, Sequence[tuple[str, str]]] = {
    "eng-us": (
        *_STRESS,
        ("ɜː", "ɚ"),
        ("ɝ", "ɚ"),
        ("ɚɹ", "ɚ"),
        ("oːɹ", "ɔɹ"),
        ("ː", ""),
        ("ɫ", "l"),
        ("ʌ", "ə"),
        ("ɐ", "ə"),
        ("ᵻ", "ɪ"),
        ("ɾ", "t"),
        ("r", "ɹ"),
        ("n\u0329", "ən"),
    ),
    "fin": (
        *_STRESS,
        ("ɑ", "a"),
        ("ɪ", "i"),
        ("ɡ", "g"),
        ("ŋ", "n"),
        *((f"{sound}ː", 2 * sound) for sound in "aeiouyæøbdfghjklmnprstvʃ"),
    ),
    "spa-latin": (
        *_STRESS,
        ("ː", ""),
        ("jj", "ʎ"),
        ("ʝ", "ʎ"),
        ("j", "i"),
        ("ɪ", "i"),
        ("w", "u"),
        ("ʊ", "u"),
        ("ɛ", "e"),
        ("β", "b"),
        ("ð", "d"),
        ("ɣ", "ɡ"),
        ("g", "ɡ"),
        ("ŋ", "n"),
        ("ɾ", "r"),
        ("ʧ", "tʃ"),
    ),
    "swa": (
        *_STRESS,
        ("ː", ""),
        ("ʄ", "dʒ"),
        ("ɟ", "dʒ"),
        ("ɲdʒ", "ndʒ"),
        ("\u0329", ""),
        ("ɓ", "b"),
        ("ɗ", "d"),
        ("ɠ", "ɡ"),
        ("g", "ɡ"),
        ("ᵐ", "m"),
        ("ⁿ", "n"),
        ("ᵑ", "ŋ"),
        ("ɾ", "r"),
    ),
}
"""What is put in the place of what, by language; in this order."""


def coarse(said: str, language: str) -> str:
    """A pronunciation in the coarser notation of a language that has one."""
    for symbols, instead in FOLDS[language]:
        said = said.replace(symbols, instead)
    return said
