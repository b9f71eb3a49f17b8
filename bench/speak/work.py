"""What speaking takes at the least: products and memory of each program, counted in its graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from g2p_build.compiler.kernels.convolution import Convolution
from g2p_build.compiler.kernels.fast_convolution import MANY, fits
from g2p_build.compiler.kernels.toom_cook import SCHEMES
from g2p_build.models.extents import marked
from g2p_build.models.kokoro.architecture import Architecture, expected
from g2p_build.models.kokoro.programs import programs
from g2p_build.models.kokoro.weights import pack
from g2p_build.models.program import TensorSpec, nested_arguments

__all__ = ["Operation", "counted", "least_seconds"]

_OURS = "g2p::"


@dataclass(frozen=True)
class Operation:
    """What one operation of a program does at the least.

    Attributes:
        flops: Two for each multiplication that is added to a sum. Of a fast convolution, its products are counted, and
            no sums of rows, of taps or of products.
        bytes: Of its tensors, each read or written once.
        again: Bytes that it reads over and over: an LSTM's matrix, at every step.
        times: How often.
        spared: What a fast convolution has fewer than one that sums over all taps, of `flops`.
    """

    flops: int
    bytes: int
    again: int = 0
    times: int = 0
    spared: int = 0


def _convolve(given: Sequence[Any], result: Tensor) -> int:
    return 2 * result.numel() * given[4] * given[0].shape[1]


def _fast(given: Sequence[Any], result: Tensor, frames: int) -> int | None:
    """What a convolution computes if it is a fast one, by the rule that the compiler has too."""
    rows, _, _, columns, taps, dilation, stride, before, after, read, slope, activation, repeat, factor, *more = given
    inner, normed = rows.shape[1], bool(more) and more[0] is not None
    spec = Convolution(
        inner, taps, dilation, stride, before, read, normed, slope, activation, repeat=repeat, factor=factor
    )
    if rows.shape[0] < MANY * frames or not fits(spec, columns, after):
        return None
    scheme = SCHEMES[taps]
    return 2 * -(-rows.shape[0] // scheme.made) * scheme.products * inner * columns


def _attend(given: Sequence[Any], result: Tensor) -> int:
    return 4 * result.shape[0] * result.numel()


def _lstm(given: Sequence[Any], result: Tensor) -> int:
    return 2 * result.shape[0] * given[1].numel()


_PRODUCTS: Mapping[str, Callable[[Sequence[Any], Tensor], int]] = {
    "g2p::convolve": _convolve,
    "g2p::attend": _attend,
    "g2p::lstm": _lstm,
}
"""The operations that multiply matrices. What others compute is less than a hundredth, and is not counted."""


def counted(arch: Architecture, dtype: str, tokens: int, frames: int) -> dict[str, list[Operation]]:
    """The operations of each program, by its role. Nothing is computed: tensors have shapes and no values.

    Args:
        arch: the model's.
        dtype: of the filters.
        tokens: of an utterance, with both ends.
        frames: that it lasts.
    """
    state = {name: torch.empty(shape, device="meta") for name, shape in expected(arch).items()}
    weights = pack(arch, state, dtype)
    specs = {name: TensorSpec(name, tuple(each.shape), str(each.dtype)[6:]) for name, each in weights.items()}
    known = {"tokens": tokens, "frames": frames}
    found = {}
    for program in programs(arch, specs):
        given = [
            weights[spec.name]
            if kind == "weight"
            else torch.empty(
                [marked(size, known) for size in spec.shape], dtype=getattr(torch, spec.dtype), device="meta"
            )
            for kind, spec in program.inputs
        ]
        with torch.no_grad(), _Counter(frames) as counter:
            program.module(*nested_arguments(program, given))
        found[program.role] = counter.operations
    return found


def least_seconds(operations: Sequence[Operation], gflops: float, read: Callable[[int], float]) -> float:
    """The least that one thread could take: of each operation, the time for its products or for its memory.

    Args:
        operations: of a program.
        gflops: that the thread can do, in GFLOP/s.
        read: GB/s of reading so many bytes over and over.
    """
    rate = read(sum(each.bytes for each in operations))
    return (
        sum(
            max(
                each.flops / gflops,
                each.bytes / rate + (each.again * each.times / read(each.again) if each.times else 0),
            )
            for each in operations
        )
        / 1e9
    )


class _Counter(TorchDispatchMode):
    """Notes the project's own operations while a program runs."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.name()
        if name.startswith(_OURS):
            moved = sum(each.nbytes for each in (*args, result) if isinstance(each, Tensor))
            products = _PRODUCTS.get(name)
            flops = products(args, result) if products else 0
            fast = _fast(args, result, self.frames) if products is _convolve else None
            spared = 0 if fast is None else flops - fast
            steps = result.shape[0] if name == "g2p::lstm" else 0
            self.operations.append(Operation(flops - spared, moved, args[1].nbytes if steps else 0, steps, spared))
        return result
