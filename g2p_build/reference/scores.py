"""Compares pronunciations with a dictionary: the counts behind phoneme and word error rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from g2p_build.errors import BuildError

__all__ = ["Entry", "Score", "edits", "read_dictionary", "score"]

Entry = tuple[str, tuple[str, ...]]
"""A word and its accepted pronunciations."""


@dataclass(frozen=True)
class Score:
    """Counts over some words. Counts of several sets can be added; rates cannot."""

    words: int
    wrong: int  # words whose hypothesis equals none of their pronunciations
    edits: int  # characters inserted, deleted or replaced to reach the closest pronunciation
    characters: int  # in those closest pronunciations

    def per(self) -> float:
        """Phoneme error rate: edits per character (Unicode code point, as CharsiuG2P counts)."""
        return self.edits / self.characters if self.characters else 0.0

    def wer(self) -> float:
        """Word error rate: the fraction of the words that is wrong."""
        return self.wrong / self.words if self.words else 0.0


def score(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """Compares each hypothesis with the closest of its references: the one with the fewest edits per character.

    Args:
        hypotheses: one pronunciation for each word.
        references: the accepted pronunciations of each word, none of them empty.

    Raises:
        ValueError: different numbers of words, or a word without references.
    """
    wrong = total = characters = 0
    for hypothesis, accepted in zip(hypotheses, references, strict=True):
        # Ties go to the first reference in the order of characters, whatever the order in the list.
        _, closest = min((edits(hypothesis, reference) / len(reference), reference) for reference in accepted)
        distance = edits(hypothesis, closest)
        wrong += distance > 0
        total += distance
        characters += len(closest)
    return Score(len(hypotheses), wrong, total, characters)


def edits(a: str, b: str) -> int:
    """Levenshtein distance in characters (Unicode code points)."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def read_dictionary(path: Path) -> dict[str, list[Entry]]:
    """Reads `LANG.tsv`, or every `LANG.tsv` in a folder. A line is WORD<TAB>PRONUNCIATION[,PRONUNCIATION...].

    Returns:
        Language → (word, pronunciations), in the order of the file; languages sorted.

    Raises:
        BuildError: there is no such file, no dictionary in the folder, or a line is malformed (named as file:line).
    """
    files = sorted(path.glob("*.tsv")) if path.is_dir() else [path]
    if not files:
        raise BuildError(f"{path} has no dictionaries: files named LANG.tsv are needed")
    return {file.stem: list(_entries(file)) for file in files}


def _entries(path: Path) -> Iterable[Entry]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise BuildError(f"{path}:{number}: not UTF-8") from None
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}: a file named LANG.tsv, or a folder of them, is needed") from None
    # Not splitlines(): it would also split at characters such as U+2028, which may stand in a line.
    lines = text.split("\n")
    if not text.strip():
        raise BuildError(f"{path} is empty: lines of word<TAB>pronunciation[,pronunciation...] are needed")
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _entry(f"{path}:{number}", line)


def _entry(where: str, line: str) -> Entry:
    word, tab, rest = (part.strip(" \r") for part in line.partition("\t"))
    if not tab or "\t" in rest:
        raise BuildError(f"{where}: one tab is needed between the word and its pronunciations: {line.strip()[:60]!r}")
    pronunciations = tuple(part.strip() for part in rest.split(","))
    if not word or not all(pronunciations):
        raise BuildError(f"{where}: {'the word' if not word else 'a pronunciation'} is empty: {line.strip()[:60]!r}")
    return word, pronunciations
