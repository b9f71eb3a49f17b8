"""How the phonemes of our G2P become the symbols that Kokoro was trained on: a table a language.

CharsiuG2P writes the IPA of its dictionaries, with stress before the syllable. Kokoro heard misaki's notation: a letter
for a diphthong, stress before the vowel. A table says what becomes what, and what is lost on the way: see `losses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PUNCTUATION", "STRESS", "TABLES", "Table", "own_vocabulary"]

STRESS = "ˈˌ"

PUNCTUATION = ';:,.!?—…"()“” '
"""Symbols that are no phonemes. They stay as they are, and Kokoro pauses at them."""


@dataclass(frozen=True)
class Table:
    """What the phonemes of a language become.

    Stress first moves before the next vowel. If there is none in the word, it goes. Then, from left to right, the
    longest phonemes that are in `pairs` are replaced.

    Attributes:
        vowels: Characters that a vowel begins with, in our notation.
        same: Characters that stay as they are.
        pairs: Phonemes → symbols. A phoneme may have its stress before it, or its neighbour.
        missing: What Kokoro heard in training and our G2P does not say, for every word.
    """

    vowels: str
    same: str
    pairs: Mapping[str, str]
    missing: tuple[str, ...]

    @property
    def rows(self) -> dict[str, str]:
        """All that is replaced or stays, the longest first, so that the first that matches counts."""
        found = {symbol: symbol for symbol in STRESS + self.same} | dict(self.pairs)
        return {ours: found[ours] for ours in sorted(found, key=lambda ours: (-len(ours), ours))}


ENGLISH = Table(
    vowels="aeiouæɑɔəɛɪʊɝ",
    same="bdfhijklmnpstuvwzæðŋɑɔəɛɡɪɹʃʊʒθ",
    pairs={
        "eɪ": "A",
        "aɪ": "I",
        "oʊ": "O",
        "aʊ": "W",
        "ɔɪ": "Y",
        "dʒ": "ʤ",
        "tʃ": "ʧ",
        "ɫ": "l",
        # The dictionary has one vowel for two of Kokoro's, which differ in stress.
        "ˈə": "ˈʌ",
        "ˌə": "ˌʌ",
        "ɝ": "əɹ",
        "ˈɝ": "ˈɜɹ",
        "ˌɝ": "ˌɜɹ",
    },
    missing=(
        "a flapped t (T): water has t",
        "reduced vowels (ᵊ, ᵻ, ɐ): little, roses and the article a have ə and ɪ",
        "which little words of a sentence are weak: of, to and at have a stress",
    ),
)

SPANISH = Table(
    vowels="aiouɛ",
    same="abdfiklmnopstuwxɲʎʧ",
    pairs={
        "ɛ": "e",
        "g": "ɡ",
        # The dictionary writes the trill of perro ɾ, and the tap of pero r: the other way round than the IPA does.
        "ɾ": "r",
        "r": "ɾ",
        **{f"{before}r": f"{before}r" for before in "lns"},  # a trill, for which the dictionary has the tap
        "j": "ʝ",
        "nb": "mb",
        "nf": "mf",
        "ng": "ŋɡ",
        "nx": "ŋx",
        # Stops are soft behind a vowel, and some behind a consonant. The dictionary leaves that to the reader.
        **{f"{before}b": f"{after}β" for before, after in zip("aɛioulrs", "aeioulɾs", strict=True)},
        **{f"{before}d": f"{after}ð" for before, after in zip("aɛioulrs", "aeioulɾs", strict=True)},
        **{f"{before}g": f"{after}ɣ" for before, after in zip("aɛioulrs", "aeioulɾs", strict=True)},
        **{f"{before}gn": f"{after}ɡn" for before, after in zip("aɛiou", "aeiou", strict=True)},
    },
    missing=(
        "stress: the dictionary has none, and Kokoro heard one stress a word and more in long ones",
        "whether i before a vowel is a vowel or a glide: siete and día both have i, and Kokoro heard j in the first",
        "whether two vowels are a diphthong: auto and saúl both have a and u, and Kokoro heard W in the first",
        "soft stops at the beginning of a word behind a vowel of the last: la boca has b",
    ),
)

TABLES: Mapping[str, Table] = {"eng-us": ENGLISH, "spa-latin": SPANISH}
"""Language of our G2P → its table. Of other languages, Kokoro has no voice or we have no dictionary to look at."""


def own_vocabulary() -> dict[str, int]:
    """An id for every symbol that a table leads to, and for punctuation: for models that were not trained."""
    symbols = {symbol for table in TABLES.values() for each in table.rows.values() for symbol in each}
    return {symbol: number for number, symbol in enumerate(sorted(symbols | set(PUNCTUATION)), 1)}
