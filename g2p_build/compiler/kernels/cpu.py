"""What kernels need to know of a CPU: its kind of vector unit, with the numbers of the table in `tiles`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from tvm.target import Target, codegen

from g2p_build.compiler.kernels.dots import DOTS, dot_of
from g2p_build.compiler.kernels.tiles import TILES
from g2p_build.models.layout import PANEL

__all__ = ["Cpu", "cpu_named", "cpu_of"]

_FEATURES = {"avx512f": "avx512", "avx2": "avx2", "neon": "neon"}


@dataclass(frozen=True)
class Cpu:
    """A kind of vector unit.

    Attributes:
        name: Its name in the table.
        lanes: How many float32 numbers a vector register holds: a power of two, at most 16.
        accumulators: How many vector registers hold sums. The rest hold operands.
        chunk: How many rows of a matmul pass over all columns before the next rows do. So they stay in the cache.
        dot: How it adds up products of bytes: a name in `dots.DOTS`.
        index: The dtype of addresses. Loops that count in it need no conversions.
        amx: Whether it also has AMX's tiles of bytes: see `int8_amx`.
        tiles: The (rows, vectors) of a matmul's tiles, the one with most rows first. The others are for the rows that
            it leaves: they have all smaller powers of two as rows. Or they are those of `dot`, for its matmuls alone.

    Raises:
        AssertionError: The tiles leave rows out, or are no whole parts or multiples of a panel.
    """

    name: str
    lanes: int
    accumulators: int
    chunk: int
    tiles: tuple[tuple[int, int], ...]
    dot: str = ""
    index: str = "int64"
    amx: bool = False

    @property
    def converts(self) -> bool:
        """Whether it has instructions that convert float16 vectors to float32."""
        return self.name != "other"

    def __post_init__(self) -> None:
        rows, vectors = zip(*self.tiles, strict=True)
        smaller = tuple(1 << bit for bit in reversed(range((rows[0] - 1).bit_length())))
        per_panel = PANEL // self.lanes
        own = self.dot and self.tiles == DOTS[self.dot].tiles
        if (rows[1:] != smaller and not own) or any(per_panel % count and count % per_panel for count in vectors):
            raise AssertionError(f"the tiles of {self.name} do not fit together: {self.tiles}")


@cache
def cpu_named(name: str) -> Cpu:
    """The vector unit of a name in the table."""
    entry = TILES[name]
    tiles = tuple(sorted(entry["tiles"].items(), reverse=True))
    return Cpu(name, entry["lanes"], entry["accumulators"], entry["chunk"], tiles)


def cpu_of(target: Target) -> Cpu:
    """The vector unit that LLVM may use for a target. WebAssembly's counts as "other", the least."""
    # A CPU's name does not stand for tiles: a program needs the system's permission for them, and may be refused.
    amx = "+amx-int8" in target.attrs.get("mattr", [])
    index = "int32" if str(target.attrs.get("mtriple", "")).startswith("wasm32") else "int64"
    for feature, name in _FEATURES.items():
        if codegen.target_has_features(feature, target):
            return replace(cpu_named(name), dot=dot_of(target), index=index, amx=amx)
    return replace(cpu_named("other"), dot=dot_of(target), index=index)
