"""The characters that a dictionary's words are made of: what a checkpoint that was trained on them can be asked.

python -m g2p_build.training.alphabets DATA

prints an alphabet for each DATA/train/LANG.tsv, and how many words of DATA/dev and DATA/test it would refuse.
"""

import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from g2p_build.engine import streams
from g2p_build.errors import BuildError
from g2p_build.reference.scores import read_dictionary

__all__ = ["LEAST", "alphabet", "main"]

LEAST = 3
"""Words that a character must be in: one or two are a slip of the dictionary, or too few to learn a sound from."""


def alphabet(words: Iterable[str], least: int = LEAST) -> str:
    """The characters of words in NFC and lower case, in the order of their code points.

    Args:
        words: The dictionary's, each once.
        least: A character in fewer words is not of the alphabet.
    """
    found: Counter[str] = Counter()
    for word in words:
        found.update(set(_written(word)))
    return "".join(sorted(character for character, words in found.items() if words >= least))


def _written(word: str) -> str:
    return unicodedata.normalize("NFC", word.lower())


def main(arguments: Sequence[str]) -> int:
    """Prints the alphabets; returns the exit code."""
    try:
        folder = Path(arguments[0]) if arguments else Path("data")
        for language, rows in sorted(read_dictionary(folder / "train").items()):
            found = alphabet(word for word, _ in rows)
            print(f"{language}\t{found}")
            for part in ("dev", "test"):
                others = [word for word, _ in read_dictionary(folder / part)[language]]
                refused = [word for word in others if set(_written(word)) - set(found)]
                print(f"{language}\t{part}: {len(refused)} of {len(others)} refused {refused[:5]}")
    except BuildError as error:
        print(f"alphabets: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    streams.guard()
    sys.exit(main(sys.argv[1:]))
