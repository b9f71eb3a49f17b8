"""Counts what is lost when phonemes of our G2P become Kokoro's symbols, in words with pronunciations.

They are LANG.tsv in a folder: ``python -m g2p_build.checkpoints.kokoro.losses FOLDER``. No stage imports this: the rule
is here as it is read, and in native/tts/joining.c as it is run. A test compares the two.
"""

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from g2p_build.checkpoints.kokoro.phonemes import PUNCTUATION, STRESS, TABLES, Table

__all__ = ["Spoken", "in_symbols", "spoken"]


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
        if symbol in STRESS or symbol in kept:
            lost += bool(held)
            held = symbol if symbol in STRESS else ""
            if held:
                continue
        elif held and symbol in vowels:
            found.append(held)
            held = ""
        found.append(symbol)
    return "".join(found)[:-1], lost


def spoken(table: Table, phonemes: str) -> Spoken:
    """What a pronunciation becomes. Punctuation and blanks may be in it, and end a word."""
    return in_symbols(table.vowels, table.rows, phonemes, PUNCTUATION)


def main(folder: Path) -> None:
    """Prints, for each table whose LANG.tsv is in a folder, how many pronunciations are mapped without loss."""
    print("| language | pronunciations | unknown phonemes | stress lost | become the same as another | without loss |")
    print("|---|---|---|---|---|---|")
    for language, table in TABLES.items():
        path = folder / f"{language}.tsv"
        if not path.is_file():
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        said = {each for line in lines for each in line.partition("\t")[2].split(",") if each}
        became = {each: spoken(table, each) for each in said}
        count = Counter(each.symbols for each in became.values())
        unknown = {each for each in said if became[each].unknown}
        stress = {each for each in said if became[each].stress}
        same = {each for each in said if count[became[each].symbols] > 1}
        rest = len(said) - len(unknown | stress | same)
        print(f"| {language} | {len(said)} | {len(unknown)} | {len(stress)} | {len(same)} | {rest} |")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not any(Path(sys.argv[1]).glob("*.tsv")):
        sys.exit("give a folder of files LANG.tsv: words and, behind a tab, their pronunciations")
    try:
        main(Path(sys.argv[1]))
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{sys.argv[1]} cannot be read: {error}")
