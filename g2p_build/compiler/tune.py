"""Searches the parameters of matmuls' tiles on this machine, over the shapes of a program."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprVisitor, visitor
from tvm.target import Target

from g2p_build.compiler.kernels.cpu import Cpu, cpu_of
from g2p_build.compiler.kernels.matmul import Matmul, matmul
from g2p_build.compiler.kernels.tiles import TILES
from g2p_build.compiler.pipeline import packed_kernels, target_of
from g2p_build.compiler.rewrites.calls import extents, operation
from g2p_build.compiler.rewrites.linears import matmul_of
from g2p_build.models.layout import PANEL, panels

__all__ = ["build", "render", "shapes", "tune"]

Shape = tuple[Matmul, int]  # and rows
Tiles = dict[int, int]  # rows to vectors

_STEPS = 16  # calls of a word's step program; the others are called once
_BETTER = 0.98  # of the time that there was: less is noise
_SECONDS = 0.004  # to time a shape each time round
_ROUNDS = 9
_CHUNKS = (32, 48, 64, 96, 128)


def build(params: Mapping[str, Any], inputs: Mapping[str, Path], out: Path) -> None:
    """Writes `tiles.py` (the table with this machine's row anew) and `tuned.json` (``name``, rows of a comparison).

    Args:
        params: ``target``, as `compile` takes it; it runs here.
        inputs: `program.json`.
        out: A folder.
    """
    target = target_of(params["target"])
    cpu = cpu_of(target)
    found = shapes(tvm.ir.load_json(inputs["program.json"].read_text(encoding="utf-8")))
    tuned = tune(found, cpu, target)
    entry = {"lanes": cpu.lanes, "accumulators": cpu.accumulators, "chunk": tuned.chunk, "tiles": dict(tuned.tiles)}
    (out / "tiles.py").write_text(render({**TILES, cpu.name: entry}), encoding="utf-8")
    rows = list(_comparison(found, cpu, tuned, target))
    (out / "tuned.json").write_text(json.dumps({"name": cpu.name, "rows": rows}), encoding="utf-8")


def render(table: Mapping[str, Mapping[str, Any]]) -> str:
    """The table's file: the one in place, with other numbers."""
    source = (Path(__file__).parent / "kernels" / "tiles.py").read_text(encoding="utf-8")
    head = source[: source.index("TILES:")]
    rows = [f"    {json.dumps(name)}: {_row(entry)},\n" for name, entry in table.items()]
    return f"{head}TILES: dict[str, dict[str, Any]] = {{\n{''.join(rows)}}}\n"


def _row(entry: Mapping[str, Any]) -> str:
    tiles = dict(sorted(entry["tiles"].items(), reverse=True))
    return repr({**entry, "tiles": tiles}).replace("'", '"')


def shapes(module: tvm.IRModule) -> Counter[Shape]:
    """The matmuls that a word's programs call, and how often: a step's as often as a word has tokens."""
    found: Counter[Shape] = Counter()

    @visitor
    class Find(PyExprVisitor):
        weight = 1

        def visit_call_(self, call: relax.Call) -> None:
            if operation(call) in ("linear", "project"):
                found[matmul_of(call), extents(call.args[1][0])[0]] += self.weight

    for variable, function in module.functions_items():
        if isinstance(function, relax.Function):
            finder = Find()
            finder.weight = _STEPS if variable.name_hint.startswith(("step", "decode")) else 1
            finder.visit_expr(function)
    return found


def tune(found: Mapping[Shape, int], start: Cpu, target: Target) -> Cpu:
    """Changes one parameter after the other as long as the shapes' weighted time gets less.

    The order of a sum is that of k for all parameters, so results stay the same to the bit.

    Args:
        found: Shapes and how often each is called.
        start: The row of the table to begin with.
        target: What to compile for; it runs here.
    """
    best = start
    for candidates in (_tops, _smaller, _chunks):
        for group in candidates(best):
            tried = [_with(best, **change) for change in group]
            tried = [best, *(cpu for cpu in dict.fromkeys(tried) if cpu != best)]
            times = _times(found, tried, target)
            fastest = min(range(len(tried)), key=lambda number: times[number])
            if times[fastest] < _BETTER * times[0]:
                # The luckiest of many is often no better when it is asked again.
                before, after = _times(found, [best, tried[fastest]], target)
                best = tried[fastest] if after < _BETTER * before else best
    return best


def _with(cpu: Cpu, tiles: Tiles | None = None, chunk: int | None = None) -> Cpu:
    chosen = tuple(sorted((tiles or dict(cpu.tiles)).items(), reverse=True))
    return Cpu(cpu.name, cpu.lanes, cpu.accumulators, chunk or cpu.chunk, chosen)


def _tops(cpu: Cpu) -> Iterator[list[dict[str, Any]]]:
    """Other tiles for most rows; those for the rows that are left stay, or are as wide as fits."""
    known = dict(cpu.tiles)
    found = []
    for rows in range(4, 15):
        for vectors in _widths(cpu, rows):
            if rows * vectors >= cpu.accumulators // 2:
                below = [1 << bit for bit in range((rows - 1).bit_length())]
                left = {size: known[size] if size in known else _widths(cpu, size)[-1] for size in below}
                found.append({"tiles": {**left, rows: vectors}})
    yield found


def _smaller(cpu: Cpu) -> Iterator[list[dict[str, Any]]]:
    """Other widths for each of the tiles with fewer rows."""
    for rows, _ in cpu.tiles[1:]:
        yield [{"tiles": {**dict(cpu.tiles), rows: vectors}} for vectors in _widths(cpu, rows)]


def _chunks(cpu: Cpu) -> Iterator[list[dict[str, Any]]]:
    yield [{"chunk": chunk} for chunk in _CHUNKS]


def _widths(cpu: Cpu, rows: int) -> list[int]:
    """How many vectors a tile of so many rows can have: halves or multiples of a panel whose sums fit the registers."""
    per_panel = PANEL // cpu.lanes
    widths = [1 << bit for bit in range(5)]
    fitting = [width for width in widths if width * rows <= cpu.accumulators and width <= 4 * per_panel]
    return [width for width in fitting if width > 1 or per_panel == 1] or [min(widths[1], per_panel)]


def _times(found: Mapping[Shape, int], cpus: Sequence[Cpu], target: Target) -> list[float]:
    """Weighted seconds of all shapes with each of some parameters, timed in turn."""
    timers = [_Timer(found, cpu, target) for cpu in cpus]
    best = [dict.fromkeys(found, math.inf) for _ in cpus]
    for _ in range(_ROUNDS):
        for shape in found:
            for times, timer in zip(best, timers, strict=True):
                times[shape] = min(times[shape], timer(shape))
    return [sum(count * times[shape] for shape, count in found.items()) for times in best]


class _Timer:
    """The shapes' kernels with some parameters, and arguments for them."""

    def __init__(self, found: Mapping[Shape, int], cpu: Cpu, target: Target) -> None:
        specs = list(dict.fromkeys(spec for spec, _ in found))
        kernels = packed_kernels({f"k{number}": matmul(spec, cpu) for number, spec in enumerate(specs)}, target)
        self.calls = {spec: kernels[f"k{number}"] for number, spec in enumerate(specs)}
        self.arguments = {shape: _arguments(*shape) for shape in found}
        self.rounds: dict[Shape, int] = {}

    def __call__(self, shape: Shape) -> float:
        call, arguments = self.calls[shape[0]], self.arguments[shape]
        if shape not in self.rounds:
            self.rounds[shape] = max(1, int(_SECONDS / max(1e-7, _seconds(call, arguments, 1))))
        return _seconds(call, arguments, self.rounds[shape])


def _seconds(call: Any, arguments: Sequence[Any], rounds: int) -> float:
    started = time.perf_counter()
    for _ in range(rounds):
        call(*arguments)
    return (time.perf_counter() - started) / rounds


def _arguments(spec: Matmul, rows: int) -> list[Any]:
    random = np.random.default_rng(0)
    drawn = [(rows, spec.inner), (panels(spec.columns, spec.width), spec.inner, PANEL)]
    arrays = [random.standard_normal(shape, "float32") for shape in drawn]
    arrays[1] = arrays[1].astype(spec.dtype)
    arrays += [np.zeros((rows, spec.columns), "float32")] * (1 + spec.residual)
    return [tvm.runtime.tensor(array) for array in [*arrays, *([np.zeros(rows, "int32")] * spec.argmax)]]


def _comparison(found: Mapping[Shape, int], old: Cpu, new: Cpu, target: Target) -> Iterator[dict[str, Any]]:
    """Both rows of the table, and what the new one gains."""
    times = _times(found, [old, new], target) if new != old else [1.0, 1.0]
    for name, cpu, seconds in (("old", old, times[0]), ("new", new, times[1])):
        tiles = ", ".join(f"{rows}x{vectors}" for rows, vectors in cpu.tiles)
        yield {"table": name, "tiles": tiles, "chunk": cpu.chunk, "speed_up": round(times[0] / seconds, 3)}
