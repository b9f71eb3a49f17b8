"""Sizes that are known when a program runs: so many tokens, so many frames, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Extent", "Size", "marked", "marks", "names", "unmarked"]


@dataclass(frozen=True)
class Extent:
    """`scale` times what is called `name`, and `offset`: ``120*frames+1``."""

    name: str
    scale: int = 1
    offset: int = 0

    def __str__(self) -> str:
        product = self.name if self.scale == 1 else f"{self.scale}*{self.name}"
        return f"{product}{self.offset:+}" if self.offset else product


Size: TypeAlias = int | Extent
"""An extent of a tensor: known when the program is built, or when it runs."""

_MARKS = (2**20 + 7, 2**40 + 15)  # primes, far above every extent of a weight, and above each other


def names(shapes: Iterable[Sequence[Size]]) -> tuple[str, ...]:
    """The names of extents in some shapes, in the order in which they first appear."""
    return tuple(dict.fromkeys(size.name for shape in shapes for size in shape if isinstance(size, Extent)))


def marks(found: Sequence[str]) -> dict[str, int]:
    """The numbers that stand for some names while a program is traced.

    Tracing computes shapes with numbers. In a size like 120 * 1048583 + 1 the mark shows, because no other number comes
    near it. So programs and operations compute shapes as they always do.

    Raises:
        AssertionError: There are more names than marks.
    """
    assert len(found) <= len(_MARKS), f"a program has at most {len(_MARKS)} extents that vary, not {found}"
    return dict(zip(found, _MARKS, strict=False))


def marked(size: Size, chosen: Mapping[str, int]) -> int:
    """A size as a number, with marks in the place of names."""
    return size if isinstance(size, int) else size.scale * chosen[size.name] + size.offset


def unmarked(size: int, chosen: Mapping[str, int]) -> Size:
    """The size that a number stands for.

    Raises:
        AssertionError: It has two marks, as a product or a sum of extents has, or part of one.
    """
    for name, mark in sorted(chosen.items(), key=lambda entry: -entry[1]):
        scale = (size + mark // 2) // mark
        if scale:
            offset = size - scale * mark
            assert abs(offset) < _MARKS[0] // 2 > scale, f"a size varies with more than {name}"
            return Extent(name, scale, offset)
        assert size < _MARKS[0] // 2 or mark != _MARKS[0], f"a size is no whole multiple of {name}"
    return size
