"""What a series of measurements comes to, and how numbers are written."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Spread", "digits", "ratios", "spread"]


class Spread(NamedTuple):
    """The middle of a series, and between what the middle half of it lies."""

    median: float
    low: float  # first quartile
    high: float  # third quartile

    def __str__(self) -> str:
        """ "12.3 (11.9-12.8)"."""
        return f"{digits(self.median)} ({digits(self.low)}-{digits(self.high)})"

    def as_json(self) -> dict[str, float]:
        """The three by name, to six digits that count."""
        return {name: float(f"{value:.6g}") for name, value in self._asdict().items()}


def spread(values: Sequence[float]) -> Spread:
    """The median and quartiles of at least one value; of one value, itself."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)


def ratios(values: Sequence[float], base: Sequence[float]) -> Spread:
    """The spread of the ratios of two series, round by round: what slows a whole round falls out.

    Where one series has fewer rounds (a contender too slow for more), its rounds are the first ones.
    """
    return spread([value / other for value, other in zip(values, base, strict=False)])


def digits(value: float) -> str:
    """Three digits that count, without an exponent: "1499", "12.3", "0.0243"."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:#.3g}".rstrip(".") if value >= 0.001 else f"{value:.5f}"
