"""Reads lexicons, and lists of how much words are used, from files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.runtime.errors import InvalidLexicon
from g2p_build.runtime.lexicon import MAGIC, Table, read_file, read_list, spellings

__all__ = ["Lexicon", "merged", "read_lexicon", "read_use"]

Lexicon = Mapping[str, Mapping[str, Sequence[str]]]
"""Language → word → pronunciations, the answer first. Words are in their language's form, in all but case."""


def read_lexicon(path: Path, lang: str, text: Mapping[str, Any] | None) -> Lexicon:
    """A lexicon from a file.

    Args:
        path: a table, or a list: a line is a word, a tab, and its pronunciations with commas between them.
        lang: the language of a list's words.
        text: ``model.text`` of the manifest of the model beside it.

    Raises:
        BuildError: the file is neither. One line, which names the line in the file.
    """
    try:
        data = read_file(path)
        if not data.startswith(MAGIC[:7]):
            return {lang: read_list(data, str(path), lang, text)}
        table = Table(data, str(path))
        return {code: dict(table.entries(code)) for code in table.words}
    except InvalidLexicon as error:
        raise BuildError(str(error)) from None


def read_use(path: Path, lang: str, text: Mapping[str, Any] | None) -> dict[str, float]:
    """How much words are used: word in lower case → a number, the greater the more. A line is a word, a tab, it.

    Raises:
        BuildError: the file cannot be read, or a line is none. One line.
    """
    found: dict[str, float] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"{path} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        word, _, frequency = line.strip("\r").partition("\t")
        try:
            used = float(frequency)
        except ValueError:
            used = -1.0
        if not 0 <= used < float("inf"):
            raise BuildError(f"{path}:{number}: a word, a tab and its frequency are needed: {line.strip()[:60]!r}")
        key = spellings(text, word, lang)[-1]
        found[key] = found.get(key, 0.0) + used
    return found


def merged(lexicons: Iterable[Lexicon]) -> dict[str, dict[str, Sequence[str]]]:
    """One lexicon of several. The first that has a word counts, with all the pronunciations that it gives."""
    found: dict[str, dict[str, Sequence[str]]] = {}
    for lexicon in lexicons:
        for lang, words in lexicon.items():
            found[lang] = {**words, **found.get(lang, {})}
    return found
