"""The interface of what runs a loaded variant: a plain C library, or TVM's virtual machine."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Engine"]


class Engine(Protocol):
    """Turns words into ids and phonemes. Threads may share one.

    `lang` is one language for all words, or a sequence with one for each. `threads` is how many threads may work on a
    list; 0 means one for each processor. An engine may use fewer.
    """

    def texts(self, words: Sequence[str], lang: str | Sequence[str], threads: int) -> list[str]:
        """The phonemes of each word.

        Raises:
            WordError: a word is wrong. Then no word is pronounced.
            G2PError: the library failed.
        """

    def tokens(self, words: Sequence[str], lang: str | Sequence[str], threads: int) -> list[list[int]]:
        """The ids generated for each word, the end id included. Raises the same errors as `texts`."""
