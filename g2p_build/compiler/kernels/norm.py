"""RMSNorm."""

from __future__ import annotations

from operator import add

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, broadcast, constant, load, ramp, segments, tensor
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import fold

__all__ = ["norm", "row_scale"]

_PARTS = 4  # vectors of sums; no addition waits for the one before


def row_scale(code: Code, rows: tirx.Buffer, row: Value, width: tirx.Expr, epsilon: tirx.Expr, cpu: Cpu) -> tirx.Expr:
    """1 / sqrt(mean square of a row + epsilon), a float32 number.

    The loop nest::

        for j in vectors of the row, four at a time:
          parts[0..3] += x[j] * x[j]
        parts[0] += the vectors that are left
        the sum of all lanes of all parts, and of the elements that are left
    """
    lanes = cpu.lanes
    parts = code.registers(_PARTS * lanes)
    for part in range(_PARTS):
        code.store(parts, constant(0.0, lanes=lanes), ramp(part * lanes, lanes))

    def accumulate(part: int, column: Value) -> None:
        x = code.let(load(rows, row, ramp(column, lanes)))
        code.store(parts, load(parts, ramp(part * lanes, lanes)) + x * x, ramp(part * lanes, lanes))

    vectors = code.let(tirx.floordiv(width, lanes), "vectors")
    whole = code.let(tirx.floordiv(vectors, _PARTS), "whole")
    with code.loop(whole, "j") as j:
        for part in range(_PARTS):
            accumulate(part, (j * _PARTS + part) * lanes)
    with code.loop(vectors - whole * _PARTS, "j") as j:
        accumulate(0, (whole * _PARTS + j) * lanes)
    total = load(parts, ramp(0, lanes))
    for part in range(1, _PARTS):
        total = total + load(parts, ramp(part * lanes, lanes))
    squares = fold(code, total, lanes, add)
    rest = code.registers(1)
    code.store(rest, squares, 0)
    with code.loop(width - vectors * lanes, "j") as j:
        x = code.let(load(rows, row, vectors * lanes + j))
        code.store(rest, load(rest, 0) + x * x, 0)
    mean = load(rest, 0) / width.astype("float32")
    return constant(1.0) / tirx.sqrt(mean + epsilon)


def norm(width: int, dtype: str, epsilon: float, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [M, D], weight [D] of `dtype`, result [M, D]); all others float32.

    The loop nest::

        for row:
          scale = `row_scale`
          result[row, :] = weight[:] * (rows[row, :] * scale)
    """
    code, count = Code(), tirx.Var("rows", "int32")
    rows, weight = tensor("rows", (count, width)), tensor("weight", (width,), dtype)
    result = tensor("result", (count, width))
    with code.loop(count, "row") as row:
        scale = code.let(row_scale(code, rows, row, constant(width), constant(epsilon), cpu), "scale")

        def vector(column: Value, lanes: int) -> None:
            value = load(rows, row, ramp(column, lanes)) * broadcast(scale, lanes)
            code.store(result, load(weight, ramp(column, lanes)) * value, row, ramp(column, lanes))

        whole = width // cpu.lanes * cpu.lanes
        with code.loop(whole // cpu.lanes, "j") as j:
            vector(j * cpu.lanes, cpu.lanes)
        for column, lanes in segments(width - whole, cpu.lanes):
            vector(whole + column, lanes)
    return code.kernel(f"norm_{width}", [rows, weight, result])
