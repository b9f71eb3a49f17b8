"""Where a word's time goes. Every call of a kernel is timed alone, in the order and with the memory of the real run."""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tvm
import tvm_ffi
from safetensors.numpy import load_file
from tvm import relax, tirx

from g2p_build.compiler.link import link_shared
from g2p_build.compiler.peaks import Peaks, measure
from g2p_build.compiler.pipeline import executable, lowered, packed_kernels, target_of, vm_objects
from g2p_build.compiler.work import Work, work_of

__all__ = ["INPUT", "OUTPUT", "build"]

INPUT, OUTPUT = 20, 16
"""Bytes of the profiled word's prompt, and tokens of its pronunciation. A variant with less room gets fewer."""

_SECONDS = 3.0  # to spend on a batch size
_VM = "vm.builtin."
_SIZES = ("inner", "columns")
"""Extents that differ among the calls of one kernel, and not with what is pronounced."""

_RUN = 0  # what an instrument returns to let the call go on


@dataclass
class _Site:
    """A call that a function makes of a kernel.

    Attributes:
        name: The kernel's.
        call: It.
        arguments: What it is called with.
        seconds: How long it took, one for each time.
        work: What it does.
        label: Its name for people: the kernel's, with the sizes that tell its calls apart.
    """

    name: str
    call: Any
    arguments: tuple[Any, ...]
    seconds: list[float] = field(default_factory=list)
    work: Work | None = None
    label: str = ""


@dataclass
class _Pass:
    """One call of one of the library's functions for the word.

    Attributes:
        role: The function's, as in the manifest.
        position: The position of a step's token; 0 for other roles.
        call: The function.
        arguments: What it is called with.
        idle: The same function with kernels that do nothing.
        sites: Its calls of kernels.
        working_set: Bytes that the kernels touch.
        seconds: How long `call` took, one for each time.
        between: How long `idle` took, one for each time.
    """

    role: str
    position: int
    call: Any
    arguments: list[Any]
    idle: Any
    sites: list[_Site]
    working_set: int = 0
    seconds: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)


def build(params: Mapping[str, Any], inputs: Mapping[str, Path], out: Path) -> None:
    """Writes `profile.json`: the machine's peaks, and for each batch size the rows of a table and the calls in order.

    Args:
        params: ``target``, as `target_of` takes it. It must run here.
        inputs: `program.json`, `functions.json`, `weights.safetensors`.
        out: A folder.
    """
    target, program = target_of(params["target"]), tvm.ir.load_json(inputs["program.json"].read_text(encoding="utf-8"))
    planned = lowered(program, target, "vm", "plan")
    link_shared(vm_objects(planned, target, out), params["target"]["triple"], out / "profiled.so")
    machines = _machine(out / "profiled.so"), _machine(out / "profiled.so")
    functions = json.loads(inputs["functions.json"].read_bytes())
    weights = {name: tvm.runtime.tensor(array) for name, array in load_file(inputs["weights.safetensors"]).items()}
    module, kernels = _callable(planned, target)
    idle = _idle(module, target)
    peaks, empty = measure(target), _Empty(target)
    found = []
    for batch in sorted({function["batch"] for function in functions}):
        passes = _passes(*machines, idle, functions, weights, batch)
        for one in passes:
            _count(one, kernels)
        _time(passes, empty)
        found.append({"batch": batch, "rows": _rows(passes, peaks), "calls": list(_calls(passes))})
    (out / "profile.json").write_text(json.dumps({"peaks": asdict(peaks), "batches": found}), encoding="utf-8")


def _machine(library: Path) -> Any:
    machine = tvm_ffi.load_module(str(library))["vm_load_executable"]()
    machine["vm_initialization"](1, 0, 2)
    return machine


def _callable(planned: tvm.IRModule, target: Any) -> tuple[tvm.IRModule, dict[str, tirx.PrimFunc]]:
    """The module after the phase "lower_vm", and the kernels in it, which are still loops."""
    module = lowered(planned, target, "vm", "lower_vm", after="plan")
    found = {variable.name_hint: function for variable, function in module.functions_items()}
    return module, {name: function for name, function in found.items() if not isinstance(function, relax.Function)}


def _idle(module: tvm.IRModule, target: Any) -> Any:
    """A virtual machine whose kernels do nothing. What a function takes then is the time between kernels."""
    for variable, function in module.functions_items():
        if not isinstance(function, relax.Function):
            nothing = tirx.PrimFunc(function.params, tirx.Evaluate(tirx.const(0, "int32")), attrs=function.attrs)
            module.update_func(variable, nothing)
    finished = lowered(module, target, "vm", after="lower_vm")
    return relax.VirtualMachine(executable(finished, target), tvm.cpu())


def _passes(
    machine: Any,
    watched: Any,
    idle: Any,
    functions: Sequence[Mapping[str, Any]],
    weights: Mapping[str, Any],
    batch: int,
) -> list[_Pass]:
    """The word's passes at one batch size, with the same word in every row.

    Kernels are noted on a virtual machine of their own, so that noting does not slow down the one that is timed.
    """
    own = [function for function in functions if function["batch"] == batch]
    encoders = [function["input_len"] for function in own if function["role"] == "encode"]
    bucket = min((length for length in encoders if length >= INPUT), default=max(encoders))
    values: dict[str, Any] = {"length": _tensor((batch,), "int32", min(INPUT, bucket))}
    passes: list[_Pass] = []
    for role in ("encode", "prefill", "step", "decode"):
        for function in own:
            if function["role"] != role or function["tokens"] not in (None, 1):
                continue
            if role != "step" and function["input_len"] != bucket:
                continue
            for entry in function["inputs"]:
                if entry["kind"] != "weight" and entry["name"] not in values:
                    values[entry["name"]] = _tensor(entry["shape"], entry["dtype"], 3)
            arguments = [
                (weights if entry["kind"] == "weight" else values)[entry["name"]] for entry in function["inputs"]
            ]
            call = machine[function["name"]]
            rounds = [0] if role in ("encode", "prefill") else range(min(OUTPUT, function["output_len"] - 1))
            for position in rounds:
                arguments = _at(arguments, function, batch, position)
                sites, result = _sites(watched, function["name"], arguments)
                results = [result] if hasattr(result, "shape") else list(result)
                values |= dict(zip((output["name"] for output in function["outputs"]), results, strict=True))
                passes.append(_Pass(role, position, call, arguments, idle[function["name"]], sites))
    return passes


def _at(arguments: list[Any], function: Mapping[str, Any], batch: int, position: int) -> list[Any]:
    """A function's arguments, with another position if it takes one."""
    return [
        _tensor((batch,), "int32", position) if entry["name"] == "position" else argument
        for entry, argument in zip(function["inputs"], arguments, strict=True)
    ]


def _tensor(shape: Sequence[int], dtype: str, value: int) -> Any:
    """A tensor in TVM's own memory, which begins at a multiple of 64 bytes as kernels want it."""
    return tvm.runtime.tensor(np.full(tuple(shape), value if dtype == "int32" else 0, dtype))


def _sites(machine: Any, name: str, arguments: Sequence[Any]) -> tuple[list[_Site], Any]:
    """Runs a function once, and notes which kernels it calls, and with what."""
    sites: list[_Site] = []

    def note(function: Any, name: str, before: bool, _: Any, *passed: Any) -> int:
        if before and not name.startswith(_VM):
            sites.append(_Site(name, function, passed))
        return _RUN

    machine["set_instrument"](tvm_ffi.convert(note))
    return sites, machine[name](*arguments)


def _count(one: _Pass, kernels: Mapping[str, tirx.PrimFunc]) -> None:
    for site in one.sites:
        if site.name in kernels:
            arguments = [argument.numpy() for argument in site.arguments]
            site.work = work_of(kernels[site.name], arguments)
            site.label = _label(kernels[site.name], site.name, arguments)
    one.working_set = sum(site.work.bytes for site in one.sites if site.work)


def _label(kernel: tirx.PrimFunc, name: str, arguments: Sequence[np.ndarray]) -> str:
    sizes = {
        extent.name: str(size)
        for buffer, array in zip(kernel.params, arguments, strict=True)
        for extent, size in zip(buffer.shape, array.shape, strict=True)
        if isinstance(extent, tirx.Var) and extent.name in _SIZES
    }
    return " ".join([name, *(["x".join(sizes.values())] if sizes else [])])


class _Empty:
    """Kernels that do nothing. They tell what a call costs by itself, for each number of arguments."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self.calls: dict[int, Any] = {}
        self.scrap = _tensor((16,), "float32", 0)

    def seconds(self, arguments: int) -> float:
        """The median time of one call, the cost of timing included."""
        if arguments not in self.calls:
            buffers = [tirx.decl_buffer((16,), "float32", f"b{number}") for number in range(arguments)]
            kernel = tirx.PrimFunc(buffers, tirx.Evaluate(tirx.const(0, "int32")))
            self.calls[arguments] = packed_kernels({"empty": kernel}, self.target)["empty"]
        call, passed = self.calls[arguments], [self.scrap] * arguments
        return statistics.median(_timed(call, passed) for _ in range(100))


def _timed(call: Any, arguments: Sequence[Any]) -> float:
    started = time.perf_counter_ns()
    call(*arguments)
    return (time.perf_counter_ns() - started) / 1e9


def _time(passes: Sequence[_Pass], empty: _Empty) -> None:
    """Times the whole functions and their calls of kernels in turn, so that a disturbance meets both."""
    ends, rounds = time.perf_counter() + _SECONDS, 0
    while time.perf_counter() < ends or rounds < 5:
        rounds += 1
        for one in passes:
            one.seconds.append(_timed(one.call, one.arguments))
            one.between.append(_timed(one.idle, one.arguments))
        for one in passes:
            for site in one.sites:
                site.seconds.append(_timed(site.call, site.arguments))
    cost = {count: empty.seconds(count) for count in {len(site.arguments) for one in passes for site in one.sites}}
    for one in passes:
        for site in one.sites:
            site.seconds = [max(0.0, seconds - cost[len(site.arguments)]) for seconds in site.seconds]


def _rows(passes: Sequence[_Pass], peaks: Peaks) -> list[dict[str, Any]]:
    """The table's rows: each kernel of each role, the time between kernels, what is not accounted for, the whole."""
    groups: dict[tuple[str, str], list[tuple[_Pass, _Site]]] = defaultdict(list)
    for one in passes:
        for site in one.sites:
            groups[one.role, site.label or site.name].append((one, site))
    whole = sum(statistics.median(one.seconds) for one in passes)
    rows = [_row(role, name, found, peaks, whole) for (role, name), found in groups.items()]
    for role in {one.role: None for one in passes}:
        between = [statistics.median(one.between) for one in passes if one.role == role]
        rows.append(_line(role, "between kernels", len(between), sum(between), whole))
    rows.sort(key=lambda row: -row["us"])
    rest = whole - sum(row["us"] for row in rows) / 1e6
    return [*rows, _line("", "not accounted", None, rest, whole), _line("", "whole", len(passes), whole, whole)]


def _row(role: str, name: str, found: Sequence[tuple[_Pass, _Site]], peaks: Peaks, whole: float) -> dict[str, Any]:
    seconds = sum(statistics.median(site.seconds) for _, site in found)
    row = _line(role, name, len(found), seconds, whole)
    works = [(one.working_set, site.work) for one, site in found if site.work is not None]
    if works and seconds > 0:
        flops, moved = (sum(getattr(work, kind) for _, work in works) for kind in ("flops", "bytes"))
        # The least that the machine could take: the time for the arithmetic or for the memory, whichever is longer.
        least = sum(
            max(work.flops / peaks.gflops, work.bytes / peaks.read(working_set)) / 1e9 for working_set, work in works
        )
        row |= {"GFLOP/s": round(flops / seconds / 1e9, 1), "GB/s": round(moved / seconds / 1e9, 1)}
        row |= {"of_peak": round(least / seconds, 2)}
    return row


def _line(role: str, name: str, calls: int | None, seconds: float, whole: float) -> dict[str, Any]:
    shares = {"role": role, "kernel": name, "calls": calls, "us": round(1e6 * seconds, 1)}
    return shares | {"share": round(seconds / whole, 3), "GFLOP/s": None, "GB/s": None, "of_peak": None}


def _calls(passes: Sequence[_Pass]) -> Iterator[dict[str, Any]]:
    """Every call of the word, one after the other."""
    start = 0.0
    for one in passes:
        length = statistics.median(one.seconds)
        label = f"{one.role} {one.position}" if one.role in ("step", "decode") else one.role
        yield {"name": label, "lane": 0, "start_us": 1e6 * start, "us": 1e6 * length}
        at = start
        for site in one.sites:
            seconds = statistics.median(site.seconds)
            yield {"name": site.label or site.name, "lane": 1, "start_us": 1e6 * at, "us": 1e6 * seconds} | (
                {"flops": site.work.flops, "bytes": site.work.bytes} if site.work else {}
            )
            at += seconds
        start += max(length, at - start)
