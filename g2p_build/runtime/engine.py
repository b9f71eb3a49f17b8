"""What runs a loaded variant: a plain C library, or TVM's virtual machine."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Engine"]


class Engine(Protocol):
    """Words to ids and phonemes. Threads may share one.

    `lang` is the language of all words, or there are as many as words. `threads` says how many may work on a list, 0
    one for each processor; an engine may use fewer.
    """

    def texts(self, words: Sequence[str], lang: str | Sequence[str], threads: int) -> list[str]:
        """The phonemes of each word.

        Raises:
            WordError: a word is refused; none is pronounced.
            G2PError: the library failed.
        """

    def tokens(self, words: Sequence[str], lang: str | Sequence[str], threads: int) -> list[list[int]]:
        """The ids generated for each word, the end id included; raises as `texts`."""
