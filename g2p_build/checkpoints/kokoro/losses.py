"""Counts what is lost when phonemes of our G2P become Kokoro's symbols, in words with pronunciations.

They are LANG.tsv in a folder: ``python -m g2p_build.checkpoints.kokoro.losses FOLDER``. No stage imports this: the rule
is the runtime's, and a checkpoint is not another one when the runtime is.
"""

import sys
from collections import Counter
from pathlib import Path

from g2p_build.checkpoints.kokoro.phonemes import PUNCTUATION, TABLES, Table
from g2p_build.runtime.symbols import Spoken, in_symbols

__all__ = ["spoken"]


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
