"""A line on a terminal that says how far a long list is."""

import sys
import time

__all__ = ["Progress"]

_SECONDS = 0.5  # between two drawings


class Progress:
    """Draws on standard error, and only if that is a terminal and the results do not go to one too."""

    def __init__(self, shown: bool, size: int | None, done: int) -> None:
        """Draws nothing yet.

        Args:
            shown: whether the results go elsewhere than to the terminal.
            size: bytes of the whole input; None if nobody knows.
            done: bytes of it that an earlier run took.
        """
        self._shown, self._size, self._first = shown and sys.stderr.isatty(), size, done
        self._start = self._drawn_at = time.monotonic()
        self._words = self._width = 0

    def add(self, words: int, done: int) -> None:
        """Some words more are done, and so many bytes of the input in all."""
        self._words += words
        now = time.monotonic()
        if not self._shown or now - self._drawn_at < _SECONDS:
            return
        self._drawn_at = now
        line = f"{self._words:,} words, {self._words / (now - self._start):,.0f} a second"
        if self._size and self._first < done <= self._size:
            left = (now - self._start) * (self._size - done) / (done - self._first)
            line += f", {100 * done // self._size} %, {_span(left)} left"
        print("\r" + line.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(line)

    def clear(self) -> None:
        """Takes the line away: something else will be said."""
        if self._width:
            print("\r" + " " * self._width, end="\r", file=sys.stderr, flush=True)
            self._width = 0


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
