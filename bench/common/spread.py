"""What a series of timings comes to."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Spread", "plain", "ratios", "spread"]


class Spread(NamedTuple):
    """The middle of a series, and between what the middle half of it lies."""

    median: float
    low: float  # first quartile
    high: float  # third quartile


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


def plain(values: Spread) -> dict[str, float]:
    """As JSON has it, to four digits after the point."""
    return {name: round(value, 4) for name, value in values._asdict().items()}
