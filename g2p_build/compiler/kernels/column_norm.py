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


def columns_at_once(cpu: Cpu) -> int:
    """The columns of a part: those of vectors that are added up together."""
    return _at_once(cpu) * cpu.lanes


def channel_norm(epsilon: float, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [M, C], affine [2, C], part, numbers, result [2, C]).

    Numbers are int32 [1], `columns_at_once`. The loop nest::

        for vectors of columns, a few at a time, if they are in the part:
          for row:
            sum += x; squares += x ** 2       # float64, in registers
        mean = sum / M; variance = squares / M - mean ** 2
        result[0] = affine[0] / sqrt(variance + epsilon); result[1] = affine[1] - mean * result[0]

    An error of a factor is one of every row. F0 is a sum of such rows, and phases are sums of F0: sums in float32 would
    cost the sound up to 20 dB. Rows come from memory more slowly than float64 is added.
    """
    code, count, width = Code(), tirx.Var("count", "int32"), tirx.Var("width", "int32")
    rows, affine = tensor("rows", (count, width)), tensor("affine", (2, width))
    result = tensor("result", (2, width))
    asked, numbers = tensor(PART, (2,), "int32"), tensor(NUMBERS, (1,), "int32")
    together = code.let(load(numbers, 0), "together")
    group = _Group(code, rows, affine, result, count, epsilon)
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
    kernel = code.kernel("channel_norm", [rows, affine, asked, numbers, result])
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
    count: tirx.Expr
    epsilon: float

    def write(self, pieces: list[tuple[Value, int]]) -> None:
        """Writes those of pieces (column, lanes)."""
        code = self.code
        registers = [(code.registers(lanes, "float64"), code.registers(lanes, "float64")) for _, lanes in pieces]
        for both, (_, lanes) in zip(registers, pieces, strict=True):
            for sums in both:
                code.store(sums, constant(0.0, "float64", lanes), ramp(0, lanes))
        with code.loop(self.count, "row") as row:
            for (plain, squares), (column, lanes) in zip(registers, pieces, strict=True):
                x = code.let(load(self.rows, row, ramp(column, lanes)).astype(_wide("float64", lanes)))
                code.store(plain, load(plain, ramp(0, lanes)) + x, ramp(0, lanes))
                code.store(squares, load(squares, ramp(0, lanes)) + x * x, ramp(0, lanes))
        share = code.let(constant(1.0, "float64") / self.count.astype("float64"), "share")
        for (plain, squares), (column, lanes) in zip(registers, pieces, strict=True):
            place, single, double = ramp(column, lanes), _wide("float32", lanes), _wide("float64", lanes)
            mean = code.let(load(plain, ramp(0, lanes)) * broadcast(share, lanes))
            variance = code.let(load(squares, ramp(0, lanes)) * broadcast(share, lanes) - mean * mean)
            positive = tirx.max(variance, constant(0.0, "float64", lanes)) + constant(self.epsilon, "float64", lanes)
            factor = load(self.affine, 0, place).astype(double) / tirx.sqrt(positive)
            scale = code.let(factor.astype(single))
            # In float32, so that a column of one number becomes the summand: then both products are the same.
            shift = load(self.affine, 1, place) - code.let(mean.astype(single)) * scale
            code.store(self.result, scale, 0, place)
            code.store(self.result, shift, 1, place)


def _wide(dtype: str, lanes: int) -> str:
    return dtype if lanes == 1 else f"{dtype}x{lanes}"


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
            value = y if slope == 1.0 else leaky(y, 1 / slope, lanes)
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
