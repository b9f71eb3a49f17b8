"""Chooses the words of dictionaries that a model gets wrong, as many of the most used ones as fit into a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from g2p_build.lexicon.sources import Lexicon
from g2p_build.lexicon.table import write_table
from g2p_build.runtime.lexicon import spelled, spellings

__all__ = ["exceptions_table"]

FINENESS = 500
"""The number of words that fit is found to one part in so many."""


def exceptions_table(
    dictionary: Lexicon,
    said: Mapping[str, Mapping[str, str]],
    text: Mapping[str, Any] | None,
    use: Mapping[str, Mapping[str, float]],
    max_bytes: int,
) -> bytes:
    """A table of the words for which a model, or the names of letters, would give none of their pronunciations.

    Words that would wrongly be spelled come first, then the most used ones, then the others in the dictionaries' order.

    Args:
        dictionary: all words.
        said: language → word → what the model says. A word that it refuses is not there.
        text: ``model.text`` of the model's manifest.
        use: language → word in lower case → how much it is used. Other words are used least.
        max_bytes: of the table.
    """
    ranked: list[tuple[bool, float, int, str, str]] = []
    for lang, words in dictionary.items():
        for place, word in enumerate(words):
            key = spellings(text, word, lang)[-1]
            misspelled = _misspelled(words[word], text, word, lang)
            if misspelled or _misread(words, word, key, said[lang]):
                ranked.append((not misspelled, -use.get(lang, {}).get(key, 0.0), place, lang, word))
    ordered = [(lang, word) for *_, lang, word in sorted(ranked)]
    return _fitting(dictionary, ordered, max_bytes)


def _misspelled(known: Sequence[str], text: Mapping[str, Any] | None, word: str, lang: str) -> bool:
    """Whether the word in capitals would be spelled, and is not pronounced so."""
    names = spelled(text, word.upper(), lang)
    return names is not None and names not in known


def _misread(words: Mapping[str, Sequence[str]], word: str, key: str, said: Mapping[str, str]) -> bool:
    """Whether the model misreads the word. A word with capitals must also not be taken for the one without."""
    return said.get(word) not in words[word] or (key != word and key in words and words[key] != words[word])


def _fitting(dictionary: Lexicon, ordered: Sequence[tuple[str, str]], max_bytes: int) -> bytes:
    """The table of as many words as fit, the first first."""
    found = _table(dictionary, ordered)
    if len(found) <= max_bytes:
        return found
    found, fits, too_many = write_table({}), 0, len(ordered)
    while too_many - fits > 1 + fits // FINENESS:
        tried = (fits + too_many) // 2
        table = _table(dictionary, ordered[:tried])
        if len(table) <= max_bytes:
            found, fits = table, tried
        else:
            too_many = tried
    return found


def _table(dictionary: Lexicon, words: Sequence[tuple[str, str]]) -> bytes:
    chosen: dict[str, dict[str, Sequence[str]]] = {}
    for lang, word in words:
        chosen.setdefault(lang, {})[word] = dictionary[lang][word]
    return write_table(chosen)
