"""Sums of products of extents: sizes in bytes that grow with what a program is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvm import tirx

from g2p_build.models.extents import Extent, Size

__all__ = ["Linear", "linear", "size_of"]


@dataclass(frozen=True)
class Linear:
    """`constant`, and for each name of `each` so much for every one of what it counts."""

    constant: int = 0
    each: tuple[tuple[str, int], ...] = ()

    def __add__(self, other: Linear) -> Linear:
        return _sum(self.constant + other.constant, dict(self.each), dict(other.each))

    def __mul__(self, factor: int) -> Linear:
        return Linear(self.constant * factor, tuple((name, scale * factor) for name, scale in self.each if factor))

    def times(self, other: Linear) -> Linear:
        """A product of two of which one does not vary.

        Raises:
            AssertionError: Both do.
        """
        assert not (self.each and other.each), f"a size that is not linear: ({self}) * ({other})"
        return other * self.constant if other.each else self * other.constant

    def rounded_up(self, unit: int) -> Linear:
        """One that is nowhere less, and always a multiple of a unit. Nothing in it may be negative."""
        return Linear(-(-self.constant // unit) * unit, tuple((name, -(-by // unit) * unit) for name, by in self.each))

    def most(self, other: Linear) -> Linear:
        """One that is nowhere less than either."""
        ours, theirs = dict(self.each), dict(other.each)
        names = sorted({*ours, *theirs})
        each = tuple((name, max(ours.get(name, 0), theirs.get(name, 0))) for name in names)
        return Linear(max(self.constant, other.constant), each)

    def __str__(self) -> str:
        """As C, where a variable of type size_t has each name: ``64 + 512 * frames``."""
        parts = [f"{scale} * {name}" for name, scale in self.each]
        return " + ".join([str(self.constant)] * bool(self.constant or not parts) + parts)


def linear(expression: Any) -> Linear:
    """A size in a Relax module.

    Raises:
        AssertionError: It is not linear.
    """
    if isinstance(expression, int):
        return Linear(expression)
    if isinstance(expression, tirx.IntImm):
        return Linear(int(expression.value))
    if isinstance(expression, tirx.Var):
        return Linear(0, ((str(expression.name), 1),))
    if isinstance(expression, tirx.Add):
        return linear(expression.a) + linear(expression.b)
    if isinstance(expression, tirx.Sub):
        return linear(expression.a) + linear(expression.b) * -1
    if isinstance(expression, tirx.Mul):
        return linear(expression.a).times(linear(expression.b))
    raise AssertionError(f"a size that is not linear: {expression}")


def size_of(expression: Any) -> Size:
    """An extent of a tensor in a Relax module.

    Raises:
        AssertionError: It varies with more than one thing.
    """
    found = linear(expression)
    if not found.each:
        return found.constant
    assert len(found.each) == 1, f"an extent that varies with several things: {found}"
    [(name, scale)] = found.each
    return Extent(name, scale, found.constant)


def _sum(constant: int, ours: Mapping[str, int], theirs: Mapping[str, int]) -> Linear:
    each = {name: ours.get(name, 0) + theirs.get(name, 0) for name in sorted({*ours, *theirs})}
    return Linear(constant, tuple((name, scale) for name, scale in each.items() if scale))
