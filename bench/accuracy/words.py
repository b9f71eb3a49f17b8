"""The words that contenders learn from and are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from g2p_build.errors import BuildError
from g2p_build.reference.scores import Entry, read_dictionary
from g2p_build.training.use import frequencies_of, held_out, most_used

__all__ = ["Language", "languages"]

_TIMED = 50


@dataclass(frozen=True)
class Language:
    """The words of one language."""

    code: str
    taught: Sequence[Entry]  # what a contender may learn from
    test: Sequence[Entry]
    used: Sequence[Entry]  # the most used ones, the first first; empty where the language has no frequencies
    use: Mapping[str, float]  # the part that words have in running text

    @property
    def timed(self) -> list[str]:
        """The words that are timed: some, spread over the test words."""
        return [word for word, _ in self.test[:: max(1, len(self.test) // _TIMED)]][:_TIMED]


def languages(data: str, names: Sequence[str], hold_out: int) -> Iterator[Language]:
    """Reads the words, a language at a time.

    Args:
        data: a folder with train/LANG.tsv and test/LANG.tsv.
        names: of languages; empty: all that have both.
        hold_out: so many words a language are learnt by nobody (`training.use` says which).

    Raises:
        BuildError: there is no such file or language, a line is malformed, or frequencies are not installed.
    """
    if not data:
        raise BuildError(
            "--data FOLDER is needed: one with train/LANG.tsv and test/LANG.tsv (word, tab, pronunciations)"
        )
    train, test = ({path.stem: path for path in Path(data, part).glob("*.tsv")} for part in ("train", "test"))
    known = sorted(train.keys() & test.keys())
    if not known:
        raise BuildError(f"--data {data}: no language has both train/LANG.tsv and test/LANG.tsv there")
    for name in names:
        if name not in known:
            raise BuildError(f"--languages names {name!r}, but the data have {', '.join(known)}")
    return (_language(name, train[name], test[name], hold_out) for name in names or known)


def _language(name: str, train: Path, test: Path, hold_out: int) -> Language:
    [entries], [asked] = read_dictionary(train).values(), read_dictionary(test).values()
    out, use = held_out(name, (word for word, _ in entries), hold_out), frequencies_of(name)
    taught = [entry for entry in entries if entry[0] not in out]
    return Language(name, taught, asked, most_used(entries, use), use)
