"""How much words are used, and the words that are kept out of training because of it: a rule in place of a list.

The frequencies are those of `wordfreq` (English, Finnish, Spanish, Vietnamese) and of the Thai Textbook Corpus in
`pythainlp`: the project's extra `train`. Other languages have none here.

The rule of the held-out words: of the words in `train/LANG.tsv` that are used less often than once in 100,000 words
(of all of them, where the language has no frequencies), those whose SHA-256 of `LANG<TAB>word` is lowest. So nobody
has to publish a list of dictionary words, and the words that everybody uses stay in training. Scores on held-out words
are therefore scores on rare words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from g2p_build.errors import BuildError
from g2p_build.reference.scores import Entry

__all__ = ["HELD_OUT", "MOST_USED", "frequencies_of", "held_out", "most_used", "wrong_by_use"]

HELD_OUT = 1000
"""Words a language that are held out of the embedded checkpoint's training."""

MOST_USED = 2000
"""Words a language that stand for its running text."""

RARE = 1e-5
"""Words at least as frequent are never held out."""


def held_out(language: str, words: Iterable[str], count: int) -> frozenset[str]:
    """The words of a language's training data that are kept for scoring; none if the count is 0.

    Raises:
        BuildError: the package with the language's frequencies is not installed.
    """
    if not count:
        return frozenset()
    known = frequencies_of(language)
    rare = {word for word in words if known.get(word, 0.0) < RARE}
    return frozenset(sorted(rare, key=lambda word: hashlib.sha256(f"{language}\t{word}".encode()).digest())[:count])


def frequencies_of(language: str) -> Mapping[str, float]:
    """The part that each word has in running text; empty for a language without frequencies.

    Words of several words, and words that the source does not list, are not in it.

    Raises:
        BuildError: the package with the language's frequencies is not installed.
    """
    read = _SOURCES.get(language)
    if read is None:
        return {}
    try:
        return read()
    except ModuleNotFoundError as error:
        raise BuildError(
            f"how much words of {language} are used says the package {error.name}, which is not installed: "
            "pip install 'g2p-build[train]'"
        ) from None


def most_used(entries: Iterable[Entry], use: Mapping[str, float]) -> list[Entry]:
    """The words that are used most, the first first; none of a language without frequencies."""
    return sorted((entry for entry in entries if use.get(entry[0])), key=lambda entry: -use[entry[0]])[:MOST_USED]


def wrong_by_use(entries: Sequence[Entry], hypotheses: Sequence[str], use: Mapping[str, float]) -> float:
    """The part of the words' use that falls on words which equal none of their pronunciations."""
    wrong = sum(use[word] for (word, known), said in zip(entries, hypotheses, strict=True) if said not in known)
    return wrong / sum(use[word] for word, _ in entries)


def _wordfreq(code: str) -> Callable[[], Mapping[str, float]]:
    def read() -> Mapping[str, float]:
        import wordfreq

        frequencies: Mapping[str, float] = wordfreq.get_frequency_dict(code)
        return frequencies

    return read


def _thai_textbooks() -> Mapping[str, float]:
    from pythainlp.corpus.ttc import word_freqs

    counts: Sequence[tuple[str, int]] = word_freqs()
    total = sum(count for _, count in counts)
    return {word: count / total for word, count in counts}


_SOURCES: Mapping[str, Callable[[], Mapping[str, float]]] = {
    "eng-us": _wordfreq("en"),
    "fin": _wordfreq("fi"),
    "spa-latin": _wordfreq("es"),
    "tha": _thai_textbooks,
    "vie-n": _wordfreq("vi"),
}
