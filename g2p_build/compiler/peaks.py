"""The most that one thread of this machine can do: float32 multiply-adds, and reads from each level of memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import tvm
from tvm.target import Target

from g2p_build.compiler.kernels.code import Code, constant, load, ramp, tensor
from g2p_build.compiler.kernels.cpu import cpu_of
from g2p_build.compiler.pipeline import packed_kernels

__all__ = ["Peaks", "measure"]

_SIZES = (1 << 20, 8 << 20, 32 << 20)
_SUMS = 8  # vectors of sums; a read adds to them in turn, so that no addition waits for the one before
_ROUNDS, _FACTORS = 64, 128


@dataclass(frozen=True)
class Peaks:
    """Measured peaks.

    Attributes:
        gflops: GFLOP/s of multiply-adds that stay in registers.
        sgemm: GFLOP/s of PyTorch's fastest large sgemm, to compare with.
        reads: Bytes that are read over and over, ascending, to GB/s.
    """

    gflops: float
    sgemm: float
    reads: dict[int, float]

    def read(self, working_set: int) -> float:
        """GB/s of reading some bytes over and over: as measured for the next larger number of bytes, or the largest."""
        return self.reads[next((size for size in self.reads if size >= working_set), max(self.reads))]


def measure(target: Target) -> Peaks:
    """Measures this machine, in about a second.

    Args:
        target: What the kernels are compiled for. It must run here.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        sgemm = max(_sgemm(size) for size in (256, 512, 1024))  # a smaller one is less often interrupted
    finally:
        torch.set_num_threads(threads)
    kernels, reads = packed_kernels({"read": _read(target), "multiply": _multiply(target)}, target), {}
    read, multiply, cpu = kernels["read"], kernels["multiply"], cpu_of(target)
    result = tvm.runtime.tensor(torch.zeros(_SUMS * cpu.lanes).numpy())
    for size in _SIZES:
        memory = tvm.runtime.tensor(torch.zeros(size // 4).numpy())
        reads[size] = size / 1e9 / _fastest(partial(read, memory, result), 0.2)
    factors = tvm.runtime.tensor(torch.zeros(_FACTORS + 1, cpu.lanes).numpy())
    flops = 2 * _ROUNDS * _FACTORS * cpu.accumulators * cpu.lanes
    sums = tvm.runtime.tensor(torch.zeros(cpu.accumulators * cpu.lanes).numpy())
    gflops = flops / 1e9 / _fastest(lambda: multiply(factors, sums), 0.2)
    return Peaks(gflops, sgemm, reads)


def _sgemm(size: int) -> float:
    matrix = torch.ones(size, size)
    return 2 * size**3 / 1e9 / _fastest(lambda: torch.mm(matrix, matrix), 0.3)


def _read(target: Target) -> Any:
    """The kernel (memory [N], result [8 * lanes]), float32: adds up the vectors of the memory, to 8 sums in turn."""
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


def _multiply(target: Target) -> Any:
    """The kernel (factors [129, lanes], result [sums * lanes]), float32: for each factor, a multiply-add to every sum.

    There are as many sums as registers can hold.
    """
    cpu, code = cpu_of(target), Code()
    lanes = cpu.lanes
    factors, result = tensor("factors", (_FACTORS + 1, lanes)), tensor("result", (cpu.accumulators * lanes,))
    sums = code.registers(cpu.accumulators * lanes)
    places = [ramp(number * lanes, lanes) for number in range(cpu.accumulators)]
    for place in places:
        code.store(sums, load(result, place), place)
    with code.loop(_ROUNDS, "round"), code.loop(_FACTORS, "k") as k:
        factor, other = (code.let(load(factors, at, ramp(0, lanes)), "factor") for at in (k, k + 1))
        for place in places:
            code.store(sums, load(sums, place) * factor + other, place)
    for place in places:
        code.store(result, load(sums, place), place)
    return code.kernel("multiply", [factors, result])


def _fastest(call: Callable[[], Any], seconds: float) -> float:
    call()
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(times) < 3:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)
