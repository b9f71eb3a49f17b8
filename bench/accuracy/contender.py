"""What a contender is: somebody with a name who can be opened for a language."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.accuracy.words import Language

__all__ = ["CannotRun", "Contender", "Opened", "Say"]

Say = Callable[[str], None]
"""Told what takes long."""


class CannotRun(Exception):
    """A contender cannot take part. One line: why, and what to do about it."""


@dataclass(frozen=True)
class Opened:
    """A contender that is ready for the words of one language. Each part may raise `CannotRun`."""

    pronounce: Callable[[Sequence[str]], list[str]]  # as fast as it likes; "": it refused the word
    ms: Callable[[Sequence[str]], float]  # milliseconds a word: one after the other, on one thread
    data_bytes: int  # on disk: what it knows of this language, and of others where that is one file
    program_bytes: int  # on disk: the program and its libraries, without those of the system and Python


@dataclass(frozen=True)
class Contender:
    """Somebody who takes part."""

    name: str
    says: str  # what it is, for the report
    licence: str
    open: Callable[[Language, Say], Opened]  # may raise CannotRun
    dictionary_notation: bool = True  # it writes the dictionaries' symbols
