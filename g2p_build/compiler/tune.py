"""Searches for the fastest tiles of matmuls on this machine, for the shapes of a program."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
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
from g2p_build.models.layout import PANEL, panels, quantise_panels

__all__ = ["build", "render", "shapes", "tune"]

Shape = tuple[Matmul, int]  # a matmul, and how many rows it is called with
Tiles = dict[int, int]  # a tile's rows to its vectors

_STEPS = 16  # how often a word calls its step; it calls other functions once
_BETTER = 0.98  # a change must bring the time to this share of the old one, or it may be noise
_SECONDS = 0.004  # that timing a shape takes in each of the rounds
_ROUNDS = 9
_CHUNKS = (32, 48, 64, 96, 128)


def build(params: Mapping[str, Any], inputs: Mapping[str, Path], out: Path) -> None:
    """Writes `tiles.py`, the table with a new row for this machine, and `tuned.json`.

    `tuned.json` has ``name``, that of the row, and ``rows``, a comparison of the old and the new one.

    Args:
        params: ``target``, as `target_of` takes it. It must run here.
        inputs: `program.json`.
        out: A folder.
    """
    target = target_of(params["target"])
    cpu = cpu_of(target)
    found = shapes(tvm.ir.load_json(inputs["program.json"].read_text(encoding="utf-8")))
    tuned = tune(found, cpu, target)
    entry = {**TILES[cpu.name], "chunk": tuned.chunk, "tiles": dict(tuned.tiles)}
    (out / "tiles.py").write_text(render({**TILES, cpu.name: entry}), encoding="utf-8")
    rows = list(_comparison(found, cpu, tuned, target))
    (out / "tuned.json").write_text(json.dumps({"name": cpu.name, "rows": rows}), encoding="utf-8")


def render(table: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of the table's file: that of `tiles.py` as it is, with other numbers."""
    source = (Path(__file__).parent / "kernels" / "tiles.py").read_text(encoding="utf-8")
    head = source[: source.index("TILES:")]
    rows = [f"    {json.dumps(name)}: {_row(entry)},\n" for name, entry in table.items()]
    return f"{head}TILES: dict[str, dict[str, Any]] = {{\n{''.join(rows)}}}\n"


def _row(entry: Mapping[str, Any]) -> str:
    tiles = dict(sorted(entry["tiles"].items(), reverse=True))
    return repr({**entry, "tiles": tiles}).replace("'", '"')


def shapes(module: tvm.IRModule) -> Counter[Shape]:
    """The matmuls that a word calls, and how often. It calls those of a step for every token, and others once."""
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
    """Changes one parameter after the other, and keeps each change that makes a word's matmuls faster.

    Results stay the same to the bit, because every sum adds up in the order of k whatever the parameters are.

    Args:
        found: Shapes, and how often a word calls each.
        start: The row of the table to begin with.
        target: What to compile for. It must run here.

    Returns:
        The best row that was found; `start` if none was better.
    """
    best = start
    for candidates in (_tops, _smaller, _chunks):
        for group in candidates(best):
            tried = [_with(best, **change) for change in group]
            tried = [best, *(cpu for cpu in dict.fromkeys(tried) if cpu != best)]
            times = _times(found, tried, target)
            fastest = min(range(len(tried)), key=lambda number: times[number])
            if times[fastest] < _BETTER * times[0]:
                # The fastest of many was often lucky, so it must be faster a second time.
                before, after = _times(found, [best, tried[fastest]], target)
                best = tried[fastest] if after < _BETTER * before else best
    return best


def _with(cpu: Cpu, tiles: Tiles | None = None, chunk: int | None = None) -> Cpu:
    chosen = tuple(sorted((tiles or dict(cpu.tiles)).items(), reverse=True))
    return replace(cpu, chunk=chunk or cpu.chunk, tiles=chosen)


def _tops(cpu: Cpu) -> Iterator[list[dict[str, Any]]]:
    """Other tiles of most rows. Tiles of fewer rows stay as they are; new ones are as wide as fits."""
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
    """How many vectors a tile of some rows can have: parts or multiples of a panel, with sums that fit registers."""
    per_panel = PANEL // cpu.lanes
    widths = [1 << bit for bit in range(5)]
    fitting = [width for width in widths if width * rows <= cpu.accumulators and width <= 4 * per_panel]
    return [width for width in fitting if width > 1 or per_panel == 1] or [min(widths[1], per_panel)]


def _times(found: Mapping[Shape, int], cpus: Sequence[Cpu], target: Target) -> list[float]:
    """The seconds that a word's matmuls take with each of some parameters. These are timed in turn."""
    timers = [_Timer(found, cpu, target) for cpu in cpus]
    best = [dict.fromkeys(found, math.inf) for _ in cpus]
    for _ in range(_ROUNDS):
        for shape in found:
            for times, timer in zip(best, timers, strict=True):
                times[shape] = min(times[shape], timer(shape))
    return [sum(count * times[shape] for shape, count in found.items()) for times in best]


class _Timer:
    """Times shapes with one choice of parameters: holds the compiled kernels, and arguments for them."""

    def __init__(self, found: Mapping[Shape, int], cpu: Cpu, target: Target) -> None:
        made = list(dict.fromkeys(spec.made_for(cpu) for spec, _ in found))
        kernels = packed_kernels({f"k{number}": matmul(*each, cpu) for number, each in enumerate(made)}, target)
        self.calls = {spec: kernels[f"k{made.index(spec.made_for(cpu))}"] for spec, _ in found}
        self.arguments = {shape: _arguments(*shape, cpu) for shape in found}
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


def _arguments(spec: Matmul, rows: int, cpu: Cpu) -> list[Any]:
    random = np.random.default_rng(0)
    weight = torch.from_numpy(random.standard_normal((panels(spec.columns, spec.width), spec.inner, PANEL), "float32"))
    stored = quantise_panels(weight) if spec.dtype == "int8" else weight.to(getattr(torch, spec.dtype))
    if spec.dtype == "bfloat16":
        stored = stored.view(torch.uint16)
    given, result = random.standard_normal((rows, spec.inner), "float32"), np.zeros((rows, spec.columns), "float32")
    told = np.array(spec.numbers(cpu), "int32")
    arrays = [given, stored.numpy(), result if spec.residual else given, told, result]
    return [tvm.runtime.tensor(array) for array in arrays]


def _comparison(found: Mapping[Shape, int], old: Cpu, new: Cpu, target: Target) -> Iterator[dict[str, Any]]:
    """The old and the new row of the table, and how much faster the new one is."""
    times = _times(found, [old, new], target) if new != old else [1.0, 1.0]
    for name, cpu, seconds in (("old", old, times[0]), ("new", new, times[1])):
        tiles = ", ".join(f"{rows}x{vectors}" for rows, vectors in cpu.tiles)
        yield {"table": name, "tiles": tiles, "chunk": cpu.chunk, "speed_up": round(times[0] / seconds, 3)}
