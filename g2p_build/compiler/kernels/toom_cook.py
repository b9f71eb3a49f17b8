"""Convolutions of few taps with few multiplications: the algorithms of Toom, Cook and Winograd, as matrices.

An algorithm F(m, r) gives m neighbouring results of r taps with m + r - 1 products, where m * r are usual. Products are
of sums of rows and sums of taps: a convolution is a product of polynomials, which so many values at points determine.
The source is Winograd, Arithmetic Complexity of Computations, 1980; for neural networks Lavin and Gray, 2016
(arXiv:1509.09308).

Algorithms nest. A filter of 12 taps is one of 3 taps that are filters of 4 taps; with F(4, 3) of F(4, 4) there are 42
products for 16 results, where 192 are usual. In float32, over 128 columns, the result has 114 dB, and a plain sum 134.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TypeAlias

__all__ = ["SCHEMES", "Algorithm", "Matrix", "Scheme", "algorithm"]

Matrix: TypeAlias = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Algorithm:
    """F(m, r). Results are ``results @ ((filter @ taps) * (rows @ neighbouring rows))``.

    Attributes:
        rows: [m + r - 1, m + r - 1].
        filter: [m + r - 1, r].
        results: [m, m + r - 1].
    """

    rows: Matrix
    filter: Matrix
    results: Matrix

    @property
    def products(self) -> int:
        return len(self.rows)

    @property
    def taps(self) -> int:
        return len(self.filter[0])

    @property
    def made(self) -> int:
        """m, the results."""
        return len(self.results)


@dataclass(frozen=True)
class Scheme:
    """An algorithm of an algorithm.

    Attributes:
        outer: Of blocks of the taps.
        inner: Of the taps of a block. It makes as many results as it has taps, unless there is one block alone.
    """

    outer: Algorithm
    inner: Algorithm

    @property
    def products(self) -> int:
        return self.outer.products * self.inner.products

    @property
    def taps(self) -> int:
        """How many taps a filter can have at most."""
        return self.outer.taps * self.inner.taps

    @property
    def made(self) -> int:
        """How many results of one phase of the dilation are made together."""
        return self.outer.made * self.inner.made


@cache
def algorithm(made: int, taps: int, *points: Fraction | int) -> Algorithm:
    """F(m, r), from values at m + r - 2 points and at infinity.

    Rows of the matrices are multiplied by powers of two, so that those of `rows` and columns of `results` have a length
    near 1. Powers of two round nothing.
    """
    places = [Fraction(point) for point in points]
    count = made + taps - 1
    assert len(set(places)) == count - 1, "there are m + r - 2 different points"
    # Row i is what the value at point i adds to each coefficient of the product (Lagrange).
    rows = [_lagrange(places, number) for number in range(count - 1)] + [_with_roots(places)]
    results = [*_powers(places, made), [Fraction(number == made - 1) for number in range(made)]]
    filters = [*_powers(places, taps), [Fraction(number == taps - 1) for number in range(taps)]]
    for number in range(count):
        of_rows, of_results = _power_near_length(rows[number]), _power_near_length(results[number])
        rows[number] = [value / of_rows for value in rows[number]]
        results[number] = [value / of_results for value in results[number]]
        filters[number] = [value * of_rows * of_results for value in filters[number]]
    return Algorithm(_matrix(rows), _matrix(filters), _matrix(list(zip(*results, strict=True))))


def _powers(points: Sequence[Fraction], count: int) -> list[list[Fraction]]:
    return [[point**power for power in range(count)] for point in points]


def _with_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of the polynomial with these roots and a leading 1, the constant first."""
    found = [Fraction(1)]
    for root in roots:
        found = [low - root * high for low, high in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return found


def _lagrange(points: Sequence[Fraction], number: int) -> list[Fraction]:
    """The polynomial that is 1 at one of the points and 0 at the others, with a leading 0."""
    others = [point for point in points if point != points[number]]
    share = Fraction(1)
    for other in others:
        share *= points[number] - other
    return [value / share for value in _with_roots(others)] + [Fraction(0)]


def _power_near_length(values: Sequence[Fraction]) -> Fraction:
    """The power of two next to the length of a vector, in exact arithmetic."""
    square, power = sum((value * value for value in values), Fraction(0)), Fraction(1)
    while power * power * 2 < square:
        power *= 2
    while power * power > square * 2:
        power /= 2
    return power


def _matrix(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple(tuple(float(value) for value in row) for row in rows)


_HALF = Fraction(1, 2)
_ALONE = algorithm(1, 1)
_F43, _F42 = algorithm(4, 3, 0, 1, -1, 2, -2), algorithm(4, 2, 0, 1, -1, 2)
_F44 = algorithm(4, 4, 0, 1, -1, 2, -2, _HALF)

SCHEMES = {3: Scheme(_ALONE, _F43), 7: Scheme(_F42, _F44), 11: Scheme(_F43, _F44)}
"""For each number of taps. There is none for others."""
