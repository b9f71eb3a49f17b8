"""The interface of what runs a loaded variant: a plain C library, or TVM's virtual machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from g2p_build.runtime.cancel import Cancel
from g2p_build.runtime.results import Part, Result, Search, Source, Statistics

__all__ = ["Engine"]


class Engine(Protocol):
    """Turns words into ids and phonemes. Threads may share one.

    `lang` is one language for all words, or a sequence with one for each. `threads` is how many threads may work on a
    list; 0 means one for each processor that this process may use. An engine may use fewer. `cancel` stops a call, and
    that raises `Cancelled`.
    """

    def texts(
        self, words: Sequence[str], lang: str | Sequence[str], threads: int, cancel: Cancel | None = None
    ) -> list[str]:
        """The phonemes of each word.

        Raises:
            WordError: a word is wrong. Then no word is pronounced.
            G2PError: the library failed.
        """

    def tokens(
        self, words: Sequence[str], lang: str | Sequence[str], threads: int, cancel: Cancel | None = None
    ) -> list[list[int]]:
        """The ids that the model generates for each word, the end id included. Raises the same errors as `texts`."""

    def results(
        self,
        words: Sequence[str],
        lang: str | Sequence[str],
        threads: int,
        scores: bool,
        cancel: Cancel | None = None,
    ) -> list[Result]:
        """All that is known of each word. A wrong word has its own error, and the others are pronounced.

        Raises:
            G2PError: the library failed.
        """

    def best(
        self,
        words: Sequence[str],
        lang: str | Sequence[str],
        threads: int,
        search: Search,
        cancel: Cancel | None = None,
    ) -> list[list[Result]]:
        """Of each word its best pronunciations, with scores. A wrong word has one result, with its own error.

        Raises:
            G2PError: the library failed, or has no search.
        """

    def split(self, text: str) -> list[Part]:
        """The parts of a text, without results.

        Raises:
            InvalidWord: it holds half a surrogate pair.
            LibraryFailed: the engine has no code for it.
        """

    def add_lexicon(self, source: Path | bytes, lang: str | None) -> None:
        """Adds a lexicon, which comes before those that were added earlier.

        Args:
            source: a file, or its content: a table, or a list of words with their pronunciations.
            lang: the language of a list's words; None for a table, which has its own.

        Raises:
            InvalidLexicon, UnknownLanguage: it cannot be used.
        """

    def cache_words(self, words: int) -> None:
        """Keeps what the model said of the last ``words`` words; 0: of none.

        Raises:
            LibraryFailed: there is no memory for so many, or the engine keeps none.
        """

    def look_up(self, word: str, lang: str) -> tuple[list[str], Source]:
        """All pronunciations of a word in the first lexicon that has it, and which kind of lexicon that is."""

    def guess(self, word: str, lang: str) -> str:
        """What the draft table guesses for a word before the model is asked; empty where there is none.

        Raises:
            G2PError: the model does not take the word.
        """

    def statistics(self) -> Statistics | None:
        """What the model has done since it was opened. None: the engine does not count."""
