"""What moves rows: gathers, joins, sums of whole tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tvm import tirx

from g2p_build.compiler.kernels.code import Code, Value, constant, load, ramp, segments, tensor
from g2p_build.compiler.kernels.convolution import read_columns
from g2p_build.compiler.kernels.cpu import Cpu

__all__ = ["add", "crop_add", "embed_places", "gather", "join", "pool"]

Write: TypeAlias = Callable[[Value, int], None]


def _columns(code: Code, width: int, cpu: Cpu, write: Write) -> None:
    """Writes a row's columns, vector by vector."""
    whole = width // cpu.lanes * cpu.lanes
    if whole:
        with code.loop(whole // cpu.lanes, "j") as j:
            write(j * cpu.lanes, cpu.lanes)
    for column, lanes in segments(width - whole, cpu.lanes):
        write(whole + column, lanes)


def _within(place: tirx.Expr, count: Value) -> tirx.Expr:
    return tirx.max(tirx.min(place, constant(count) - 1 if isinstance(count, int) else count - 1), constant(0))


def gather(width: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [L, C], places int32 [T], result [T, C]): ``result[t] = rows[places[t]]``."""
    code = Code()
    given, count = tirx.Var("given", "int32"), tirx.Var("count", "int32")
    rows, places = tensor("rows", (given, width)), tensor("places", (count,), "int32")
    result = tensor("result", (count, width))
    with code.loop(count, "row") as row:
        place = code.let(_within(load(places, row), given), "place")

        def write(column: Value, lanes: int, row: Value = row, place: Value = place) -> None:
            code.store(result, load(rows, place, ramp(column, lanes)), row, ramp(column, lanes))

        _columns(code, width, cpu, write)
    return code.kernel(f"gather_{width}", [rows, places, result])


def embed_places(vocabulary: int, width: int, most: int, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (ids int32 [L], table [V, D], places [P, D], result [L, D]): ``table[ids[l]] + places[l]``."""
    code, count = Code(), tirx.Var("count", "int32")
    ids, table = tensor("ids", (count,), "int32"), tensor("table", (vocabulary, width))
    places, result = tensor("places", (most, width)), tensor("result", (count, width))
    with code.loop(count, "row") as row:
        place = code.let(_within(load(ids, row), vocabulary), "place")
        own = code.let(tirx.min(row, constant(most - 1)), "own")

        def write(column: Value, lanes: int, row: Value = row, place: Value = place, own: Value = own) -> None:
            total = load(table, place, ramp(column, lanes)) + load(places, own, ramp(column, lanes))
            code.store(result, total, row, ramp(column, lanes))

        _columns(code, width, cpu, write)
    return code.kernel(f"embed_places_{width}", [ids, table, places, result])


def join(widths: Sequence[int], single: Sequence[bool], cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (part [M, A], part [M, B], ..., result [M, A + B + ...]).

    Args:
        widths: Of the parts.
        single: Whether a part has one row, which all rows of the result get.
        cpu: The vector unit.
    """
    code, count = Code(), tirx.Var("count", "int32")
    parts = [
        tensor(f"part{number}", (1 if one else count, width))
        for number, (width, one) in enumerate(zip(widths, single, strict=True))
    ]
    result = tensor("result", (count, sum(widths)))
    with code.loop(count, "row") as row:
        start = 0
        for part, width, one in zip(parts, widths, single, strict=True):

            def write(
                column: Value,
                lanes: int,
                part: tirx.Buffer = part,
                row: Value = row,
                own: Value = 0 if one else row,
                start: int = start,
            ) -> None:
                code.store(result, load(part, own, ramp(column, lanes)), row, ramp(column + start, lanes))

            _columns(code, width, cpu, write)
            start += width
    return code.kernel("_".join(["join", *map(str, widths)]), [*parts, result])


def add(width: int, factor: float, in_place: bool, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (first [M, C], second [M, C][, result [M, C]]): ``(first + second) * factor``, in place in `first`."""
    code, count = Code(), tirx.Var("count", "int32")
    first, second = tensor("first", (count, width)), tensor("second", (count, width))
    result = first if in_place else tensor("result", (count, width))
    with code.loop(count, "row") as row:

        def write(column: Value, lanes: int, row: Value = row) -> None:
            total = load(first, row, ramp(column, lanes)) + load(second, row, ramp(column, lanes))
            code.store(result, total * constant(factor, lanes=lanes), row, ramp(column, lanes))

        _columns(code, width, cpu, write)
    return code.kernel(f"add_{width}", [first, second, *([] if in_place else [result])])


def crop_add(width: int, first: int, reflected: int, in_place: bool, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [R, C], added [M, C][, result [M, C]]), in place in `added`: `models.kokoro.ops.crop_add`."""
    code = Code()
    given, count = tirx.Var("given", "int32"), tirx.Var("count", "int32")
    rows = tensor("rows", (given, width))
    added = tensor("added", (count, width))
    result = added if in_place else tensor("result", (count, width))
    with code.loop(count, "row") as row:
        place = row - 1 if reflected else row
        if reflected:
            place = tirx.Select(row < 1, constant(1), place)
        place = code.let(place + first, "place")

        def write(column: Value, lanes: int, row: Value = row, place: Value = place) -> None:
            total = load(rows, place, ramp(column, lanes)) + load(added, row, ramp(column, lanes))
            code.store(result, total, row, ramp(column, lanes))

        _columns(code, width, cpu, write)
    params = [rows, added, *([] if in_place else [result])]
    return code.kernel(f"crop_add_{width}_{first}_{reflected}", params)


def pool(width: int, slope: float, cpu: Cpu) -> tirx.PrimFunc:
    """The kernel (rows [M, C], norm [2, C], weight [3, C], bias [C], result [2 M, C]): see `models.kokoro.ops.pool`."""
    code = Code()
    given, count = tirx.Var("given", "int32"), tirx.Var("count", "int32")
    rows, norm = tensor("rows", (given, width)), tensor("norm", (2, width))
    weight, bias, result = tensor("weight", (3, width)), tensor("bias", (width,)), tensor("result", (count, width))
    with code.loop(given, "row") as row:
        following = code.let(tirx.min(row + 1, given - 1), "following")
        last = code.let(row >= given - 1, "last")

        def write(
            column: Value, lanes: int, row: Value = row, following: Value = following, last: tirx.Expr = last
        ) -> None:
            place = ramp(column, lanes)
            x = code.let(read_columns(code, rows, row, column, lanes, norm, "leaky", 1 / slope))
            then = read_columns(code, rows, following, column, lanes, norm, "leaky", 1 / slope)
            then = tirx.Select(last if lanes == 1 else tirx.Broadcast(last, lanes), constant(0.0, lanes=lanes), then)
            own = load(bias, place)
            code.store(result, x * load(weight, 1, place) + own, row * 2, place)
            both = x * load(weight, 2, place) + then * load(weight, 0, place)
            code.store(result, both + own, row * 2 + 1, place)

        _columns(code, width, cpu, write)
    return code.kernel(f"pool_{width}", [rows, norm, weight, bias, result])
