"""Attention of one head, for a few queries: scores, softmax and values, while all is in the first cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, broadcast, constant, load, ramp, segments
from g2p_build.compiler.kernels.cpu import Cpu
from g2p_build.compiler.kernels.functions import exp, fold

__all__ = ["Head", "attend"]

_PARTS = 4  # vectors of sums for the same scores; no addition waits for the one before
_LOWEST = -3.4028234663852886e38  # of float32


@dataclass(frozen=True)
class Head:
    """Where one head's queries, keys, values and results are.

    Each function gives a buffer and indices. Those that give a third value leave the last index to it: the column where
    dk numbers, or the biases, start.

    Attributes:
        width: dk.
        query: From a query and d, the place of one number.
        key: From a first position and d, the place of a vector: the keys' number d, for one position after the other.
        value: From a position, the place of its value.
        bias: From a query, the place of the numbers that are added to its scores, one for each position. None if
            nothing is added.
        output: From a query, the place of its result.
    """

    width: int
    query: Callable[[Value, Value], tuple[tirx.Buffer, list[Value]]]
    key: Callable[[Value, Value], tuple[tirx.Buffer, list[Value]]]
    value: Callable[[Value], tuple[tirx.Buffer, list[Value], Value]]
    bias: Callable[[Value], tuple[tirx.Buffer, list[Value], Value]] | None
    output: Callable[[Value], tuple[tirx.Buffer, list[Value], Value]]


def attend(
    code: Code,
    cpu: Cpu,
    head: Head,
    queries: Sequence[Value],
    seen: tirx.Expr,
    scores: tirx.Buffer,
    first: Value = 0,
) -> None:
    """Writes the attention of some queries over the first `seen` positions.

    The loop nest::

        for j in vectors of positions:
          for d: sums[query, d % 4, :] += query[d] * key[d, j]      # in registers
          scores[query, j] = sums + bias, or the lowest number for positions from `seen` on
        for query:
          highest = max(scores); scores[:] = exp(scores - highest); total = sum(scores)
        for position < seen:
          sums[query, :] += scores[query, position] * value[position, :]
        output[query, :] = sums[query, :] / total[query]

    A query's result depends neither on the other queries nor on what the buffers hold from `seen` on.

    Args:
        code: The kernel.
        cpu: The vector unit.
        head: Where everything is.
        queries: The queries of one tile.
        seen: How many positions there are to attend to; at least 1.
        scores: Scratch memory, float32: a row for each query, with the positions padded to whole vectors.
        first: The first of these rows.
    """
    lanes = cpu.lanes
    vectors = code.let(tirx.floordiv(seen + (lanes - 1), lanes), "vectors")
    with code.loop(vectors, "j") as j:
        _scores(code, head, queries, code.let(j * lanes, "start"), seen, scores, first, lanes)
    totals = [_softmax(code, scores, first + number, vectors, lanes) for number in range(len(queries))]
    columns = segments(head.width, lanes)
    most = max(1, cpu.accumulators // len(queries))
    for start in range(0, len(columns), most):
        _values(code, head, queries, columns[start : start + most], seen, scores, first, totals)


def _scores(
    code: Code,
    head: Head,
    queries: Sequence[Value],
    start: tirx.Expr,
    seen: tirx.Expr,
    scores: tirx.Buffer,
    first: Value,
    lanes: int,
) -> None:
    sums = code.registers(len(queries) * _PARTS * lanes)
    for number in range(len(queries) * _PARTS):
        code.store(sums, constant(0.0, lanes=lanes), ramp(number * lanes, lanes))

    def accumulate(d: Value, part: int) -> None:
        buffer, indices = head.key(start, d)
        key = code.let(load(buffer, *indices[:-1], ramp(indices[-1], lanes)), "key")
        for number, query in enumerate(queries):
            buffer, indices = head.query(query, d)
            place = ramp((number * _PARTS + part) * lanes, lanes)
            code.store(sums, load(sums, place) + broadcast(load(buffer, *indices), lanes) * key, place)

    with code.loop(head.width // _PARTS, "d") as d:
        for part in range(_PARTS):
            accumulate(d * _PARTS + part, part)
    for part in range(head.width % _PARTS):
        accumulate(head.width // _PARTS * _PARTS + part, part)
    positions = start if lanes == 1 else tirx.Ramp(start, constant(1), lanes)
    for number, query in enumerate(queries):
        one, two, three, four = (load(sums, ramp((number * _PARTS + part) * lanes, lanes)) for part in range(_PARTS))
        score = (one + two) + (three + four)
        if head.bias is not None:
            buffer, indices, column = head.bias(query)
            score = score + load(buffer, *indices, ramp(column + start, lanes))
        score = tirx.Select(positions < broadcast(seen, lanes), score, constant(_LOWEST, lanes=lanes))
        code.store(scores, score, first + number, ramp(start, lanes))


def _softmax(code: Code, scores: tirx.Buffer, number: Value, vectors: tirx.Expr, lanes: int) -> tirx.Expr:
    """Replaces a row of scores by e to their power, the highest subtracted first. Returns 1 / the sum of the row."""
    vector = code.registers(lanes)
    code.store(vector, load(scores, number, ramp(0, lanes)), ramp(0, lanes))
    with code.loop(vectors - 1, "j") as j:
        code.store(
            vector,
            tirx.max(load(vector, ramp(0, lanes)), load(scores, number, ramp((j + 1) * lanes, lanes))),
            ramp(0, lanes),
        )
    highest = fold(code, load(vector, ramp(0, lanes)), lanes, tirx.max)
    total = code.registers(lanes)
    code.store(total, constant(0.0, lanes=lanes), ramp(0, lanes))
    with code.loop(vectors, "j") as j:
        place = ramp(j * lanes, lanes)
        power = exp(code, load(scores, number, place) - broadcast(highest, lanes), lanes)
        code.store(scores, power, number, place)
        code.store(total, load(total, ramp(0, lanes)) + power, ramp(0, lanes))
    return code.let(constant(1.0) / fold(code, load(total, ramp(0, lanes)), lanes, add), "share")


def _values(
    code: Code,
    head: Head,
    queries: Sequence[Value],
    columns: Sequence[tuple[int, int]],
    seen: tirx.Expr,
    scores: tirx.Buffer,
    first: Value,
    totals: Sequence[tirx.Expr],
) -> None:
    sums = [[code.registers(lanes) for _, lanes in columns] for _ in queries]
    for registers in sums:
        for buffer, (_, lanes) in zip(registers, columns, strict=True):
            code.store(buffer, constant(0.0, lanes=lanes), ramp(0, lanes))
    with code.loop(seen, "position") as position:
        buffer, indices, column = head.value(position)
        values = [code.let(load(buffer, *indices, ramp(column + start, lanes)), "value") for start, lanes in columns]
        for number, registers in enumerate(sums):
            share = code.let(load(scores, first + number, position), "share")
            for one, value, (_, lanes) in zip(registers, values, columns, strict=True):
                code.store(one, load(one, ramp(0, lanes)) + broadcast(share, lanes) * value, ramp(0, lanes))
    for query, total, registers in zip(queries, totals, sums, strict=True):
        buffer, indices, column = head.output(query)
        for one, (start, lanes) in zip(registers, columns, strict=True):
            code.store(
                buffer, load(one, ramp(0, lanes)) * broadcast(total, lanes), *indices, ramp(column + start, lanes)
            )
