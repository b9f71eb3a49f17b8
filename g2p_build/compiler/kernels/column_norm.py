"""What is computed over whole columns or rows: norms with factors and summands, and sums."""

from __future__ import annotations

from dataclasses import dataclass
from operator import add

from tvm import tirx

from g2p_build.compiler.kernels.code import (
    NUMBERS,
    PART,
    PARTS,
    Code,
    Value,
    broadcast,
    constant,
    load,
    ramp,
    segments,
    tensor,
)
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import fold, leaky, sigmoid

__all__ = ["affine_norm", "channel_norm", "columns_at_once", "sigmoid_sum"]

_BLOCK = 64  # rows that are added up in float32 before their sums go into float64


def columns_at_once(cpu: Cpu) -> int:
    """The columns of a part: those of vectors that are added up together."""
    return _at_once(cpu) * cpu.lanes


def channel_norm(epsilon: float, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [M, C], affine [2, C], part, numbers, result [2, C], sums float64 [2, C]).

    Numbers are int32 [1], `columns_at_once`. The loop nest::

        for vectors of columns, a few at a time, if they are in the part:
          for block of rows:
            for row of the block:
              part += x - pivot; squares += (x - pivot) ** 2       # in registers
            sums += part, squares                                  # float64
        mean = pivot + sums / M; variance = squares / M - (sums / M) ** 2
        result[0] = affine[0] / sqrt(variance + epsilon); result[1] = affine[1] - mean * result[0]

    The pivot is the column's first number. Without it, squares of a mean far from 0 would drown the variance.
    """
    code, count, width = Code(), tirx.Var("count", "int32"), tirx.Var("width", "int32")
    rows, affine = tensor("rows", (count, width)), tensor("affine", (2, width))
    result, sums = tensor("result", (2, width)), tensor("sums", (2, width), "float64")
    asked, numbers = tensor(PART, (2,), "int32"), tensor(NUMBERS, (1,), "int32")
    together = code.let(load(numbers, 0), "together")
    group = _Group(code, rows, affine, result, sums, count, epsilon)
    with code.parts(asked, tirx.floordiv(width + (together - 1), together)) as here:
        first = code.let(here * together, "first")
        left = code.let(tirx.min(width - first, together), "left")
        with code.when(left >= together):
            group.write([(first + vector * cpu.lanes, cpu.lanes) for vector in range(_at_once(cpu))])
        with code.when(left < together):
            whole = code.let(tirx.floordiv(left, cpu.lanes), "whole")
            with code.loop(whole, "vector") as vector:
                group.write([(code.let(first + vector * cpu.lanes, "column"), cpu.lanes)])
            with code.loop(left - whole * cpu.lanes, "single") as single:
                group.write([(code.let(first + whole * cpu.lanes + single, "column"), 1)])
    kernel = code.kernel("channel_norm", [rows, affine, asked, numbers, result, sums])
    return kernel.with_attr(PARTS, ["width", 0])


def _at_once(cpu: Cpu) -> int:
    """Vectors of columns that are added up together."""
    return max(1, cpu.accumulators // 6)


@dataclass(frozen=True)
class _Group:
    """Writes the norms of a few vectors of columns."""

    code: Code
    rows: tirx.Buffer
    affine: tirx.Buffer
    result: tirx.Buffer
    sums: tirx.Buffer
    count: tirx.Expr
    epsilon: float

    def write(self, pieces: list[tuple[Value, int]]) -> None:
        """Writes those of pieces (column, lanes)."""
        code, sums = self.code, self.sums
        for column, lanes in pieces:
            for part in range(2):
                code.store(sums, constant(0.0, "float64", lanes), part, ramp(column, lanes))
        with code.loop(tirx.floordiv(self.count + (_BLOCK - 1), _BLOCK), "block") as block:
            first = code.let(block * _BLOCK, "first_row")
            here = code.let(tirx.min(self.count - first, constant(_BLOCK)), "rows_here")
            _add_block(code, pieces, self.rows, sums, first, here)
        share = code.let(constant(1.0, "float64") / self.count.astype("float64"), "share")
        for column, lanes in pieces:
            place = ramp(column, lanes)
            shift = code.let(load(sums, 0, place) * broadcast(share, lanes))
            variance = code.let(load(sums, 1, place) * broadcast(share, lanes) - shift * shift)
            single = "float32" if lanes == 1 else f"float32x{lanes}"
            positive = tirx.max(variance.astype(single), constant(0.0, lanes=lanes))
            scale = code.let(load(self.affine, 0, place) / tirx.sqrt(positive + constant(self.epsilon, lanes=lanes)))
            mean = load(self.rows, 0, place) + shift.astype(single)
            code.store(self.result, scale, 0, place)
            code.store(self.result, load(self.affine, 1, place) - mean * scale, 1, place)


def _add_block(
    code: Code,
    pieces: list[tuple[Value, int]],
    rows: tirx.Buffer,
    sums: tirx.Buffer,
    first: tirx.Expr,
    here: tirx.Expr,
) -> None:
    parts = [(code.registers(lanes), code.registers(lanes)) for _, lanes in pieces]
    pivots = [code.let(load(rows, 0, ramp(column, lanes)), "pivot") for column, lanes in pieces]
    for (plain, squares), (_, lanes) in zip(parts, pieces, strict=True):
        code.store(plain, constant(0.0, lanes=lanes), ramp(0, lanes))
        code.store(squares, constant(0.0, lanes=lanes), ramp(0, lanes))
    with code.loop(here, "row") as row:
        for (plain, squares), (column, lanes), pivot in zip(parts, pieces, pivots, strict=True):
            x = code.let(load(rows, first + row, ramp(column, lanes)) - pivot)
            code.store(plain, load(plain, ramp(0, lanes)) + x, ramp(0, lanes))
            code.store(squares, load(squares, ramp(0, lanes)) + x * x, ramp(0, lanes))
    for both, (column, lanes) in zip(parts, pieces, strict=True):
        double = "float64" if lanes == 1 else f"float64x{lanes}"
        for number, part in enumerate(both):
            place = ramp(column, lanes)
            more = load(part, ramp(0, lanes)).astype(double)
            code.store(sums, load(sums, number, place) + more, number, place)


def affine_norm(width: int, epsilon: float, slope: float, residual: bool, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [M, D], affine [2, D][, residual [M, D]], result [M, D]).

    The loop nest::

        for row:
          result[row] = rows[row] + residual[row]
          mean, then the mean of (x - mean) ** 2
          result[row] = leaky((x - mean) / sqrt(variance + epsilon) * affine[0] + affine[1])
    """
    code, count = Code(), tirx.Var("count", "int32")
    rows, affine = tensor("rows", (count, width)), tensor("affine", (2, width))
    added = tensor("residual", (count, width)) if residual else None
    result = tensor("result", (count, width))
    pieces = segments(width, cpu.lanes)
    share = 1.0 / width
    with code.loop(count, "row") as row:

        def number(column: int, lanes: int, row: Value = row) -> tirx.Expr:
            x = load(rows, row, ramp(column, lanes))
            return code.let(x if added is None else x + load(added, row, ramp(column, lanes)))

        mean = code.let(_total(code, pieces, number) * constant(share), "mean")

        def square(column: int, lanes: int, mean: tirx.Expr = mean) -> tirx.Expr:
            x = code.let(number(column, lanes) - broadcast(mean, lanes))
            return x * x

        variance = _total(code, pieces, square) * constant(share)
        scale = code.let(constant(1.0) / tirx.sqrt(variance + constant(epsilon)), "scale")
        for column, lanes in pieces:
            x = (number(column, lanes) - broadcast(mean, lanes)) * broadcast(scale, lanes)
            y = code.let(x * load(affine, 0, ramp(column, lanes)) + load(affine, 1, ramp(column, lanes)))
            value = y if slope == 1.0 else leaky(y, slope, lanes)
            code.store(result, value, row, ramp(column, lanes))
    params = [rows, affine, added, result]
    name = "_".join(["affine_norm"] + ["add"] * residual + [str(width)])
    return code.kernel(name, [param for param in params if param is not None])


def sigmoid_sum(width: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [M, C], result [M]): the sum of the sigmoids of each row."""
    code, count = Code(), tirx.Var("count", "int32")
    rows, result = tensor("rows", (count, width)), tensor("result", (count,))
    with code.loop(count, "row") as row:

        def number(column: int, lanes: int, row: Value = row) -> tirx.Expr:
            return sigmoid(code, load(rows, row, ramp(column, lanes)), lanes)

        code.store(result, _total(code, segments(width, cpu.lanes), number), row)
    return code.kernel(f"sigmoid_sum_{width}", [rows, result])


def _total(code: Code, pieces: list[tuple[int, int]], number: object) -> tirx.Expr:
    """The sum of all columns: of vectors of one length in one register, then of its lanes."""
    total = constant(0.0)
    for lanes in sorted({lanes for _, lanes in pieces}, reverse=True):
        register = code.registers(lanes)
        code.store(register, constant(0.0, lanes=lanes), ramp(0, lanes))
        for column, length in pieces:
            if length == lanes:
                code.store(register, load(register, ramp(0, lanes)) + number(column, lanes), ramp(0, lanes))  # type: ignore[operator]
        total = total + fold(code, load(register, ramp(0, lanes)), lanes, add)
    return code.let(total)
