"""What this machine can do at most, one thread: float32 multiply-adds, and reads from each level of memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import tvm
from tvm.target import Target

from g2p_build.compiler.kernels.code import Code, constant, load, ramp, tensor
from g2p_build.compiler.kernels.cpu import cpu_of
from g2p_build.compiler.pipeline import KERNELS

__all__ = ["Peaks", "kernels_of", "measure"]

_SIZES = (1 << 20, 8 << 20, 32 << 20)
_SUMS = 8  # vectors of a read that do not wait for each other


@dataclass(frozen=True)
class Peaks:
    """Measured peaks.

    Attributes:
        gflops: Of the fastest large sgemm.
        reads: GB/s by the bytes that are read over and over.
    """

    gflops: float
    reads: dict[int, float]

    def read(self, working_set: int) -> float:
        """GB/s where so many bytes are read over and over."""
        return self.reads[next((size for size in self.reads if size >= working_set), max(self.reads))]


def measure(target: Target) -> Peaks:
    """Measures this machine, in about a second.

    Args:
        target: What the kernels are compiled for; it runs here.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        gflops = max(_sgemm(size) for size in (256, 512, 1024))  # a smaller one is less often interrupted
    finally:
        torch.set_num_threads(threads)
    read = kernels_of({"read": _read(target)}, target)("read")
    result = tvm.runtime.tensor(torch.zeros(_SUMS * cpu_of(target).lanes).numpy())
    reads = {}
    for size in _SIZES:
        memory = tvm.runtime.tensor(torch.zeros(size // 4).numpy())
        reads[size] = size / 1e9 / _fastest(lambda memory=memory: read(memory, result), 0.2)
    return Peaks(gflops, reads)


def _sgemm(size: int) -> float:
    matrix = torch.ones(size, size)
    return 2 * size**3 / 1e9 / _fastest(lambda: torch.mm(matrix, matrix), 0.3)


def kernels_of(kernels: dict[str, Any], target: Target) -> Callable[[str], Any]:
    """Compiles kernels and loads them into this process; returns a function from names to what to call."""
    module = tvm.IRModule({name: kernel.with_attr("global_symbol", name) for name, kernel in kernels.items()})
    with target:
        compiled = tvm.tirx.build(module, target, pipeline=KERNELS)
    return lambda name: compiled[name]


def _read(target: Target) -> Any:
    """The kernel (memory [N], result [sums]): adds up vectors of the memory, a few in turn."""
    lanes, code = cpu_of(target).lanes, Code()
    count, step = tvm.tirx.Var("count", "int32"), _SUMS * lanes
    memory, result = tensor("memory", (count,)), tensor("result", (step,))
    sums = code.registers(step)
    places = [ramp(number * lanes, lanes) for number in range(_SUMS)]
    for place in places:
        code.store(sums, constant(0.0, lanes=lanes), place)
    with code.loop(tvm.tirx.floordiv(count, step), "i") as i:
        for number, place in enumerate(places):
            found = load(memory, ramp(i * step + number * lanes, lanes))
            code.store(sums, load(sums, place) + found, place)
    for place in places:
        code.store(result, load(sums, place), place)
    return code.kernel("read", [memory, result])


def _fastest(call: Callable[[], Any], seconds: float) -> float:
    call()
    times, ends = [], time.perf_counter() + seconds
    while time.perf_counter() < ends or len(times) < 3:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)
