"""Writes how much the words of dictionaries are used: what `lexicon.use` takes.

    python -m g2p_build.training.frequencies DICTIONARIES OUT

writes OUT/LANG.tsv for each DICTIONARIES/LANG.tsv: a word, a tab, its part of running text (training/use.py says where
from); the most used word first. It writes nothing for a language without frequencies.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from g2p_build.engine import streams
from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.reference.scores import read_dictionary
from g2p_build.training.use import frequencies_of

__all__ = ["main", "write_frequencies"]


@os_errors_explained()
def write_frequencies(dictionaries: Path, out: Path) -> dict[str, int]:
    """Writes the lists. Returns how many words each language's has.

    Raises:
        BuildError: a dictionary cannot be read, or a package with frequencies is not installed.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = {}
    for language, entries in read_dictionary(dictionaries).items():
        known = frequencies_of(language)
        used = sorted((word for word, _ in entries if known.get(word)), key=lambda word: (-known[word], word))
        if used:
            lines = "".join(f"{word}\t{known[word]!r}\n" for word in used)
            (out / f"{language}.tsv").write_text(lines, encoding="utf-8")
            written[language] = len(used)
    return written


def main(arguments: Sequence[str]) -> int:
    """The command; its exit status."""
    if len(arguments) != 2:
        print("usage: python -m g2p_build.training.frequencies DICTIONARIES OUT", file=sys.stderr)
        return 2
    dictionaries, out = map(Path, arguments)
    try:
        for language, words in write_frequencies(dictionaries, out).items():
            print(f"{out / language}.tsv: {words} words")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    streams.guard()
    sys.exit(main(sys.argv[1:]))
