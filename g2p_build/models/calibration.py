"""How a model uses its matrices on some inputs: what `quantise_panels` wants to know to round them well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from g2p_build.models import t5
from g2p_build.models.layout import NO_NORM, POSITIONS, padded
from g2p_build.models.weights import pack

if TYPE_CHECKING:
    from torch import Tensor

    from g2p_build.models.architecture import Architecture

__all__ = ["Outputs", "grams"]


ROWS = 16
"""Inputs that are decoded at once."""


@dataclass(frozen=True)
class Outputs:
    """Where an output begins and ends.

    Attributes:
        start: The id before the first token.
        end: The id of the last token.
        most: Tokens at most.
    """

    start: int
    end: int
    most: int


def grams(
    arch: Architecture,
    state: Mapping[str, Tensor],
    inputs: Sequence[Sequence[int]],
    outputs: Outputs,
    advance: Callable[[int], None],
) -> dict[str, Tensor]:
    """Decodes inputs greedily and sums up what each matrix is multiplied with.

    Everything is computed in float64. So two machines get sums that differ in their last bits only, which rounded
    weights do not show.

    Args:
        arch: The model's architecture.
        state: The checkpoint's tensors by transformers' names.
        inputs: The ids of each input.
        outputs: Where outputs begin and end.
        advance: Called with how many inputs were done, some at a time.

    Returns:
        Weight's name → float64 [K, K], for each matrix of `weights`: the sum of ``outer(row, row)`` over the rows that
        it is multiplied with, after their norm.
    """
    weights = pack(arch, state, "float64")
    recorder, longest = _Recorder({tensor.data_ptr(): name for name, tensor in weights.items()}), max(map(len, inputs))
    encode, prefill = t5.Encode(arch, longest), t5.Prefill(arch)
    with recorder, torch.no_grad():
        for first in range(0, len(inputs), ROWS):
            batch = inputs[first : first + ROWS]
            rows, length, recorder.kept = len(batch), _int32([len(ids) for ids in batch]), None
            hidden = encode(_int32([id for ids in batch for id in ids]), length, weights)
            cross = list(prefill(hidden, length, _caches(arch, rows, longest), weights))
            step, own = t5.Step(arch, rows, outputs.most, 1), _caches(arch, rows, outputs.most)
            token, going = torch.full((rows, 1), outputs.start, dtype=torch.int32), torch.ones(rows, dtype=torch.bool)
            for position in range(outputs.most):
                recorder.kept = going
                token, _, *own = step(token, torch.full((rows,), position).int(), length, own, cross, weights)
                going = going & (token[:, 0] != outputs.end)
                if not bool(going.any()):
                    break
            advance(rows)
    return recorder.found


class _Recorder(TorchDispatchMode):
    """Sums up the rows of every matmul with a weight, by the weight's name.

    Attributes:
        names: Address of a weight → its name.
        found: Name → the sum so far.
        kept: bool [M], the rows that count; None: all do.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__()
        self.names, self.found = names, dict[str, "Tensor"]()
        self.kept: Tensor | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.g2p.linear.default or func is torch.ops.g2p.project.default:
            rows, weight, _, epsilon = args[:4]
            rows = rows if self.kept is None else rows[self.kept]
            if epsilon != NO_NORM:
                rows = torch.nn.functional.rms_norm(rows, rows.shape[1:], None, epsilon)
            name = self.names[weight.data_ptr()]
            gram = rows.T @ rows
            self.found[name] = gram if name not in self.found else self.found[name] + gram
        return func(*args, **(kwargs or {}))


def _int32(values: Sequence[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)


def _caches(arch: Architecture, rows: int, length: int) -> list[Tensor]:
    """Empty keys and values of each layer of the decoder."""
    keys = (rows, arch.num_heads, padded(length) // POSITIONS, arch.d_kv, POSITIONS)
    shapes = [keys, (rows, arch.num_heads, length, arch.d_kv)] * arch.num_decoder_layers
    return [torch.zeros(shape, dtype=torch.float64) for shape in shapes]
