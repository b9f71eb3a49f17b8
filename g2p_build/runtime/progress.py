"""A line on a terminal that says how far a long list, or a long text, is."""

import sys
import time

__all__ = ["Progress"]

_SECONDS = 0.5  # between two drawings


class Progress:
    """Draws on standard error, and only if that is a terminal and the results do not go to one too."""

    def __init__(self, shown: bool, size: int | None, done: int, unit: str = "words") -> None:
        """Draws nothing yet.

        Args:
            shown: whether the results go elsewhere than to the terminal.
            size: bytes of the whole input; None if nobody knows.
            done: bytes of it that an earlier run took.
            unit: what is counted.
        """
        self._unit = unit
        self._shown, self._size, self._first = shown and sys.stderr.isatty(), size, done
        self._start = self._drawn_at = time.monotonic()
        self._count, self._width = 0.0, 0

    def add(self, count: float, done: int) -> None:
        """Some units more are done, and so many bytes of the input in all."""
        self._count += count
        now = time.monotonic()
        if not self._shown or now - self._drawn_at < _SECONDS:
            return
        self._drawn_at = now
        line = f"{self._count:,.0f} {self._unit}, {self._count / (now - self._start):,.0f} a second"
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
