"""The ways in which people and their keyboards write a word, and words of each language to write in these ways."""

import unicodedata
from collections.abc import Iterator

from g2p_build.reference import golden

__all__ = ["FORMS", "WORDS", "typed"]

WORDS = {lang: list(words) for lang, words in golden.words().items()}
WORDS["swa"] += ["ng'ombe"]  # apostrophes belong to the language, and the golden words have none


def typed(word: str) -> Iterator[str]:
    """A word that is written in the plain form, in other forms."""
    yield word.title() if "'" not in word else word.capitalize()
    yield word.upper()
    yield unicodedata.normalize("NFD", word)
    yield word.replace("'", "\u2019")
    yield f"  {word} "
    yield f"\ufeff{word[:1]}\u00ad{word[1:]}\u200b"
    yield "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in word)  # full-width


FORMS = {lang: [(word, form) for word in words for form in (word, *typed(word))] for lang, words in WORDS.items()}
"""Language → (a word, one of its forms); the plain form is the first of each word's."""
