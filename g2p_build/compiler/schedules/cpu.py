"""What a schedule needs to know of a CPU."""

from __future__ import annotations

from dataclasses import dataclass

from tvm.target import Target, codegen

__all__ = ["AVX2", "AVX512", "NEON", "OTHER", "Cpu", "cpu_of", "divisor", "vector_width"]


@dataclass(frozen=True)
class Cpu:
    """A CPU's vector unit.

    Attributes:
        lanes: float32 numbers in a vector register.
        accumulators: Vector registers that a matmul's tile may take; the rest hold operands.
        rows: Rows of that tile, where there are as many.
    """

    lanes: int
    accumulators: int
    rows: int


AVX512 = Cpu(lanes=16, accumulators=16, rows=8)
AVX2 = Cpu(lanes=8, accumulators=12, rows=4)
NEON = Cpu(lanes=4, accumulators=16, rows=4)
OTHER = Cpu(lanes=4, accumulators=8, rows=4)


def cpu_of(target: Target) -> Cpu:
    """The vector unit that LLVM may use for a target."""
    for feature, cpu in {"avx512f": AVX512, "avx2": AVX2, "neon": NEON}.items():
        if codegen.target_has_features(feature, target):
            return cpu
    return OTHER


def divisor(extent: int, most: int, multiple: int = 1) -> int:
    """The largest divisor of `extent` that is at most `most`: of those that are multiples of `multiple`, if any are."""
    divisors = [size for size in range(1, min(extent, most) + 1) if extent % size == 0]
    return max((size for size in divisors if size % multiple == 0), default=max(divisors))


def vector_width(extent: int, cpu: Cpu) -> int:
    """How many elements of an axis to treat as one vector, so that vectors divide the axis.

    An axis that registers do not divide gets the longest odd vector within reason; LLVM splits it.
    """
    return cpu.lanes if extent % cpu.lanes == 0 else divisor(extent, 8 * cpu.lanes)
