"""Convolutions over time of few taps, with fewer multiplications than a sum over taps has: see `toom_cook`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

from tvm import tirx

from g2p_build.compiler.kernels.code import (
    NUMBERS,
    PART,
    PARTS,
    SCRATCH,
    Code,
    Value,
    any_matrix,
    broadcast,
    constant,
    load,
    ramp,
    tensor,
)
from g2p_build.compiler.kernels.convolution import ADDED, Convolution, numbers_of, read_columns
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.matmul_tiles import Tile, tiles
from g2p_build.compiler.kernels.toom_cook import SCHEMES, Matrix, Scheme
from g2p_build.models.layout import PANEL

__all__ = ["MANY", "FastConvolution", "fast_convolution", "fast_filter", "fits"]

MANY = 8
"""A convolution of at least so many rows a frame is worth the sums of its filter, which every call makes."""

_CACHE = 1 << 20
"""Bytes of sums of rows and of products that a chunk has. With the rows they stay in the second cache."""

_LEAST = 24
"""Tiles of a chunk, at least. Each chunk reads all sums of the filter, which are in the third cache."""

_FILTER = 8 << 20
"""Bytes of a filter's sums that are made at once, at most. What is larger is done for some panels after the others."""

_APART = 16
"""Numbers between the sums for one product and those for the next: else all of them lie in the same few lines' places
of the first cache."""


@dataclass(frozen=True)
class FastConvolution:
    """What a fast convolution's kernel is told: of normalised rows, read with a snake, with as many results as rows.

    Attributes:
        inner: C, the columns of the rows: whole panels.
        columns: N, those of the result: whole panels.
        taps: Of the filter: one of `SCHEMES`.
        dilation: Rows from one tap to the next.
        added: Whether a residual is added: ``""``; ``"apart"``; or ``"in place"``, where the result takes its place.
    """

    inner: int
    columns: int
    taps: int
    dilation: int = 1
    added: str = ""

    @property
    def scheme(self) -> Scheme:
        return SCHEMES[self.taps]

    @property
    def shares(self) -> int:
        """How often the kernel is called, for as many panels each time."""
        panels, each = self.columns // PANEL, 4 * self.scheme.products * self.inner * PANEL
        fitting = (count for count in range(1, panels) if panels % count == 0 and panels // count * each <= _FILTER)
        return next(fitting, panels)

    def chunk(self, cpu: Cpu) -> int:
        """Results that pass through all steps before the next ones do: few of the matmuls' tiles have few rows."""
        fitting = max(_LEAST, _CACHE // 4 // (self.scheme.products * (self.inner + self.columns // self.shares)))
        step = self.step(cpu)
        return max(1, fitting * self.scheme.made // step) * step

    def step(self, cpu: Cpu) -> int:
        """Results that a chunk is a multiple of: whole tiles, for all phases of the dilation."""
        return math.lcm(self.dilation, cpu.tiles[0][0] // 2) * self.scheme.made

    def scratch(self, cpu: Cpu) -> int:
        """Numbers of the scratch memory."""
        chunk, scheme = self.chunk(cpu), self.scheme
        sums = scheme.products * (chunk // scheme.made * (self.inner + self.columns // self.shares) + 2 * _APART)
        return sums + (chunk + (scheme.taps - 1) * self.dilation) * self.inner

    def numbers(self, cpu: Cpu, share: int = 0) -> list[int]:
        """What the kernel is told, as int32."""
        scheme, first = self.scheme, share * (self.columns // self.shares)
        sizes = [self.dilation, self.chunk(cpu), self.dilation * (self.taps - 1) // 2]
        return [*sizes, scheme.made, scheme.taps, scheme.products, ADDED.index(self.added), first, self.step(cpu)]

    def filter_numbers(self, share: int = 0) -> list[int]:
        """What the kernel of the filter is told, as int32."""
        return [1, share * (self.columns // PANEL // self.shares)]


def fits(spec: Convolution, columns: int, after: int) -> bool:
    """Whether a convolution with so many columns, and rows of zeros behind the last one, can be a fast one."""
    plain = spec.stride == 1 and spec.repeat == 1 and spec.factor == 1 and not spec.activation
    around = 2 * spec.before == 2 * after == spec.reach
    whole = spec.inner % PANEL == 0 and columns % PANEL == 0
    return plain and around and whole and spec.normed and spec.read == "snake" and spec.taps in SCHEMES


def fast_filter(taps: int, dtype: str, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (weight[, scale], part, numbers, result): sums of a filter's taps, for each product of the scheme.

    The weight is panels [P, taps * C, 32], float32, float16, or int8 with the scale [P * 32] of its columns; the result
    is [P', products * C, 32], of some of the panels. Numbers are int32 [2]: 1, the panels of a part, and the first one.
    """
    code, scheme = Code(), SCHEMES[taps]
    names = ("given", "panels", "depth", "height")
    given, panels, depth, height = (tirx.Var(name, "int32") for name in names)
    weight, result = tensor("weight", (given, depth, PANEL), dtype), tensor("result", (panels, height, PANEL))
    scale = tensor("scale", (tirx.Var("columns", "int32"),)) if dtype == "int8" else None
    part, numbers = tensor(PART, (2,), "int32"), tensor(NUMBERS, (2,), "int32")
    inner, first = code.let(tirx.floordiv(depth, taps), "inner"), code.let(load(numbers, 1), "first")
    with code.parts(part, panels) as panel:
        of = code.let(first + panel, "of")
        with code.loop(inner, "c") as c:
            for start in range(0, PANEL, cpu.lanes):
                place = ramp(start, cpu.lanes)
                factors = [code.let(load(weight, of, tap * inner + c, place)) for tap in range(taps)]
                if scale is not None:
                    unit = code.let(load(scale, ramp(of * PANEL + start, cpu.lanes)))
                    factors = [code.let(numbers_of(number, cpu.lanes) * unit) for number in factors]
                size = scheme.inner.taps
                blocks = [
                    _products(code, scheme.inner.filter, factors[block * size : (block + 1) * size], cpu.lanes)
                    for block in range(scheme.outer.taps)
                ]
                for q in range(scheme.inner.products):
                    sums = _products(code, scheme.outer.filter, [block[q] for block in blocks], cpu.lanes)
                    for p, total in enumerate(sums):
                        number = p * scheme.inner.products + q
                        code.store(result, total, panel, number * inner + c, place)
    params = [weight, scale, part, numbers, result]
    kernel = code.kernel(f"filter_of_{taps}_taps", [param for param in params if param is not None])
    return kernel.with_attr(PARTS, ["panels", 0])


def fast_convolution(cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows, weight, bias, norm, alpha, residual, part, numbers, result, scratch).

    It computes what `convolution` does, for a weight that `fast_filter` made, which may be some of the panels: then the
    columns of those. Numbers are int32 [9]; the scratch memory is [`FastConvolution.scratch`]. Where it is told of no
    residual, that may be any float32 matrix. The loop nest::

        for chunk of results, if it is in the part:
          read[:] = snake(rows * norm + norm), zeros where there are no rows
          for tile of results, vector of columns:
            sums[product, tile, columns] = the scheme's sums of the tile's rows
          for product:
            products[product] = sums[product] @ weight[product]   # a matmul in registers, as in `convolution`
          for tile of results, vector of columns:
            result[rows of the tile, columns] = the scheme's sums of products + bias + residual
    """
    code, lanes = Code(), cpu.lanes
    names = ("count", "inner", "columns", "height", "panels", "size")
    count, inner, columns, height, panels, size = (tirx.Var(name, "int32") for name in names)
    rows, weight = tensor("rows", (count, inner)), tensor("weight", (panels, height, PANEL))
    bias, norm, alpha = tensor("bias", (columns,)), tensor("norm", (2, inner)), tensor("alpha", (2, inner))
    residual, result = any_matrix("residual"), tensor("result", (count, columns))
    scratch = tensor(SCRATCH, (size,))
    part, numbers = tensor(PART, (2,), "int32"), tensor(NUMBERS, (9,), "int32")
    told = ("dilation", "most", "before", "made", "taps", "produced", "added", "above", "step")
    dilation, most, before, made, taps, produced, added, above, step = (
        code.let(load(numbers, place), name) for place, name in enumerate(told)
    )
    own = code.let(panels * PANEL, "own")  # columns
    together = code.let(dilation * made, "together")
    most_tiles = code.let(tirx.floordiv(most, made), "most_tiles")
    # Where the sums, the products and the rows as they are read lie in the scratch memory.
    sums = _Sums(constant(0), code.let(most_tiles * inner + _APART, "stride"), inner)
    start = code.let(sums.stride * produced, "start")
    products = _Sums(start, code.let(most_tiles * own + _APART, "stride"), own)
    read = code.let(start + products.stride * produced, "read")
    inner_vectors = code.let(tirx.floordiv(inner, lanes), "vectors")
    vectors = code.let(tirx.floordiv(own, lanes), "vectors")
    with code.even_parts(part, count, most, step, constant(1)) as (first, here, _, _):
        turns = code.let(tirx.floordiv(here + together - 1, together), "turns")
        here_tiles = code.let(turns * dilation, "tiles")
        needed = code.let(turns * together + dilation * (taps - 1), "needed")
        with code.loop(needed, "row") as row:
            place = code.let(first - before + row, "place")
            target = code.let(read + row * inner, "target")
            inside = code.let(tirx.all(place >= 0, place < count), "inside")
            with code.when(inside), code.loop(inner_vectors, "j") as j:
                value = read_columns(code, rows, place, j * lanes, lanes, norm, "snake", constant(0.0), alpha)
                code.store(scratch, value, ramp(target + j * lanes, lanes))
            with code.when(tirx.Not(inside)), code.loop(inner_vectors, "j") as j:
                code.store(scratch, constant(0.0, lanes=lanes), ramp(target + j * lanes, lanes))
        for scheme in SCHEMES.values():
            with (
                code.when(produced == scheme.products),
                _each_tile(code, turns, dilation, together) as (tile, begin),
                code.loop(inner_vectors, "j") as j,
            ):
                column = code.let(read + begin * inner + j * lanes, "column")
                down = code.let(dilation * inner, "down")
                _sum_rows(code, scheme, lanes, scratch, column, down, sums.at(0, tile) + j * lanes, sums.stride)
        _multiply(code, cpu, scratch, weight, sums, products, here_tiles, produced, inner, panels)
        # All that is asked for each row, in the innermost loop, would take a tenth of the time.
        kinds = list(zip(ADDED, (None, residual, result), strict=True))
        for scheme, (kind, kept) in product(SCHEMES.values(), kinds):
            with (
                code.when(tirx.all(produced == scheme.products, added == ADDED.index(kind))),
                _each_tile(code, turns, dilation, together) as (tile, begin),
                code.loop(vectors, "j") as j,
            ):
                place, where = code.let(products.at(0, tile) + j * lanes, "place"), ramp(above + j * lanes, lanes)
                found = _sum_products(code, scheme, lanes, scratch, place, products.stride)
                shift = code.let(load(bias, where))
                for number, value in enumerate(found):
                    row = code.let(first + begin + dilation * number, "row")
                    with code.when(row < count):
                        total = value + shift
                        code.store(result, total if kept is None else total + load(kept, row, where), row, where)
    kernel = code.kernel(
        "fast_convolution", [rows, weight, bias, norm, alpha, residual, part, numbers, result, scratch]
    )
    return kernel.with_attr(PARTS, ["count", 1])


@dataclass(frozen=True)
class _Sums:
    """Where sums lie in the scratch memory: for each product a matrix with a row for each tile of results."""

    start: tirx.Expr
    stride: tirx.Expr  # from one product's to the next one's
    width: tirx.Expr

    def at(self, product: Value, tile: Value) -> tirx.Expr:
        return self.start + product * self.stride + tile * self.width


@contextmanager
def _each_tile(
    code: Code, turns: tirx.Expr, dilation: tirx.Expr, together: tirx.Expr
) -> Iterator[tuple[tirx.Expr, tirx.Expr]]:
    """Loops over a chunk's tiles: yields the number, and the first row, counted in the chunk."""
    with code.loop(turns, "turn") as turn, code.loop(dilation, "phase") as phase:
        yield code.let(turn * dilation + phase, "tile"), code.let(turn * together + phase, "begin")


def _sum_rows(
    code: Code,
    scheme: Scheme,
    lanes: int,
    scratch: tirx.Buffer,
    first: tirx.Expr,
    step: tirx.Expr,
    target: tirx.Expr,
    stride: tirx.Expr,
) -> None:
    """The sums of a tile's rows, for a vector of columns.

    Args:
        code: The kernel.
        scheme: Of the sums.
        lanes: Of a vector.
        scratch: The memory.
        first: Where the first row's vector lies in it.
        step: From one row of the tile to the next.
        target: Where the first product's sum goes.
        stride: From there to the next one's.
    """
    outer, inner = scheme.outer, scheme.inner
    by_row = [
        _products(
            code,
            outer.rows,
            [
                code.let(load(scratch, ramp(first + (inner.taps * block + row) * step, lanes)))
                for block in range(outer.products)
            ],
            lanes,
        )
        for row in range(inner.products)
    ]
    target = code.let(target, "target")
    for p in range(outer.products):
        for q, total in enumerate(_products(code, inner.rows, [sums[p] for sums in by_row], lanes)):
            code.store(scratch, total, ramp(target + (p * inner.products + q) * stride, lanes))


def _sum_products(
    code: Code, scheme: Scheme, lanes: int, scratch: tirx.Buffer, first: tirx.Expr, stride: tirx.Expr
) -> list[tirx.Expr]:
    """A tile's results, for a vector of columns: sums of its products, which begin at `first`."""
    outer, inner = scheme.outer, scheme.inner
    by_block = [
        _results(
            code,
            inner.results,
            [
                code.let(load(scratch, ramp(first + (p * inner.products + q) * stride, lanes)))
                for q in range(inner.products)
            ],
            lanes,
        )
        for p in range(outer.products)
    ]
    by_place = [
        _results(code, outer.results, [results[place] for results in by_block], lanes) for place in range(inner.made)
    ]
    return [by_place[place][block] for block in range(outer.made) for place in range(inner.made)]


def _multiply(
    code: Code,
    cpu: Cpu,
    scratch: tirx.Buffer,
    weight: tirx.Buffer,
    sums: _Sums,
    products: _Sums,
    count: tirx.Expr,
    produced: tirx.Expr,
    inner: tirx.Expr,
    panels: tirx.Expr,
) -> None:
    with code.loop(produced, "product") as number:
        nest = _Nest(code, cpu, scratch, weight, number, sums, products, inner)
        with code.loop(panels, "group") as which:
            for tile in tiles(code, cpu, count, 1, 1):
                nest.write(tile, which)


@dataclass(frozen=True)
class _Nest:
    """Writes tiles of a matmul of sums with weights, all in the scratch memory."""

    code: Code
    cpu: Cpu
    scratch: tirx.Buffer
    weight: tirx.Buffer
    product: tirx.Expr
    sums: _Sums
    products: _Sums
    inner: tirx.Expr

    def write(self, tile: Tile, panel: tirx.Expr) -> None:
        code, lanes, product = self.code, self.cpu.lanes, self.product
        places = [(panel, column) for _, column in tile.places(lanes)]
        totals = code.registers(tile.rows * tile.vectors * lanes)
        for number in range(tile.rows * tile.vectors):
            code.store(totals, constant(0.0, lanes=lanes), ramp(number * lanes, lanes))
        row = code.let(tile.row, "row")
        start = code.let(self.sums.at(product, row), "start")
        above = code.let(product * self.inner, "above")
        with code.loop(self.inner, "c") as c:
            weights = [
                code.let(load(self.weight, panel, above + c, ramp(column, lanes)), "w") for panel, column in places
            ]
            for i in range(tile.rows):
                x = code.let(broadcast(load(self.scratch, start + i * self.inner + c), lanes))
                for v, w in enumerate(weights):
                    place = ramp((i * tile.vectors + v) * lanes, lanes)
                    code.store(totals, load(totals, place) + x * w, place)
        target = code.let(self.products.at(product, row), "target")
        for i in range(tile.rows):
            for v, (panel, column) in enumerate(places):
                total = load(totals, ramp((i * tile.vectors + v) * lanes, lanes))
                place = target + i * self.products.width + panel * PANEL + column
                code.store(self.scratch, total, ramp(place, lanes))


def _products(code: Code, matrix: Matrix, values: Sequence[tirx.Expr], lanes: int) -> list[tirx.Expr]:
    """A matrix times a vector of vectors. Two rows that differ in signs alone share their sums."""
    found: dict[int, tirx.Expr] = {}
    for number, row in enumerate(matrix):
        if number in found:
            continue
        twin = next((other for other in range(number + 1, len(matrix)) if _twins(row, matrix[other])), None)
        if twin is None:
            found[number] = _sum(code, row, values, lanes)
            continue
        same = [a if a == b else 0.0 for a, b in zip(row, matrix[twin], strict=True)]
        turned = [a if a != b else 0.0 for a, b in zip(row, matrix[twin], strict=True)]
        even, odd = _sum(code, same, values, lanes), _sum(code, turned, values, lanes)
        found[number], found[twin] = code.let(even + odd), code.let(even - odd)
    return [found[number] for number in range(len(matrix))]


def _results(code: Code, matrix: Matrix, values: Sequence[tirx.Expr], lanes: int) -> list[tirx.Expr]:
    """A matrix times a vector of vectors. Two columns that differ in signs alone share a sum and a difference."""
    columns, left = list(zip(*matrix, strict=True)), list(values)
    for number, column in enumerate(columns):
        twin = next((other for other in range(number + 1, len(columns)) if _twins(column, columns[other])), None)
        if twin is None:
            continue
        one, other = left[number], left[twin]
        left[number], left[twin] = code.let(one + other), code.let(one - other)
        pairs = list(zip(column, columns[twin], strict=True))
        columns[number] = tuple(a if a == b else 0.0 for a, b in pairs)
        columns[twin] = tuple(a if a != b else 0.0 for a, b in pairs)
    return [_sum(code, row, left, lanes) for row in zip(*columns, strict=True)]


def _twins(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(abs(a) == abs(b) for a, b in zip(one, other, strict=True)) and sum(map(bool, one)) > 1


def _sum(code: Code, factors: Sequence[float], values: Sequence[tirx.Expr], lanes: int) -> tirx.Expr:
    total = None
    for factor, value in zip(factors, values, strict=False):
        if not factor:
            continue
        if total is None:
            total = value if factor == 1 else value * constant(factor, lanes=lanes)
        elif abs(factor) == 1:
            total = total + value if factor == 1 else total - value
        else:
            total = total + value * constant(factor, lanes=lanes)
    return constant(0.0, lanes=lanes) if total is None else code.let(total)
