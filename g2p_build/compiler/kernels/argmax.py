"""The first greatest of every row."""

from __future__ import annotations

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, constant, load, ramp, tensor
from g2p_build.compiler.kernels.cpu import Cpu

__all__ = ["argmax"]


def argmax(cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (values float32 [M, N], ids int32 [M]).

    The loop nest::

        for row:
          best[lanes], where[lanes] = -inf, 0 1 2 ...
          for j in vectors of the row:
            where, best = j + lanes, values[j]        # in lanes where that is greater
          the earliest of the greatest of all lanes, and of the elements that are left
    """
    code, lanes = Code(), cpu.lanes
    count, columns = tirx.Var("rows", "int32"), tirx.Var("columns", "int32")
    values, ids = tensor("values", (count, columns)), tensor("ids", (count,), "int32")
    best, where = code.registers(lanes), code.registers(lanes, "int32")
    top, found = code.registers(1), code.registers(1, "int32")
    every, vectors = ramp(0, lanes), code.let(tirx.floordiv(columns, lanes), "vectors")
    with code.loop(count, "row") as row:
        code.store(best, constant(float("-inf"), lanes=lanes), every)
        code.store(where, tirx.Ramp(constant(0), constant(1), lanes), every)
        with code.loop(vectors, "j") as j:
            column = code.let(j * lanes, "column")
            value = code.let(load(values, row, ramp(column, lanes)))
            greater = value > load(best, every)
            code.store(where, tirx.Select(greater, tirx.Ramp(column, constant(1), lanes), load(where, every)), every)
            code.store(best, tirx.max(value, load(best, every)), every)
        code.store(top, load(best, 0), 0)
        code.store(found, load(where, 0), 0)

        def consider(value: tirx.Expr, at: Value) -> None:
            value, at = code.let(value), code.let(at, "at")
            equal = tirx.all(value == load(top, 0), at < load(found, 0))
            better = code.let(tirx.any(value > load(top, 0), equal), "better")
            code.store(found, tirx.Select(better, at, load(found, 0)), 0)
            code.store(top, tirx.Select(better, value, load(top, 0)), 0)

        with code.loop(tirx.min(columns, constant(lanes)) - 1, "lane") as lane:
            consider(load(best, lane + 1), load(where, lane + 1))
        with code.loop(columns - vectors * lanes, "j") as j:
            consider(load(values, row, vectors * lanes + j), vectors * lanes + j)
        code.store(ids, load(found, 0), row)
    return code.kernel("argmax", [values, ids])
