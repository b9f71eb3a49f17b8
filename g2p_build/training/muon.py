"""The optimiser: Muon for the matrices of the blocks, AdamW for everything else.

Muon (Jordan et al., 2024) replaces the averaged gradient of a matrix by the nearest orthogonal matrix, so that rare
directions are learnt as fast as common ones. The update is scaled to AdamW's size, and both share one learning rate
(Liu et al., 2025). An attention matrix is orthogonalised head by head. torch's own Muon does its products in
bfloat16, which processors without instructions for it emulate: this one does them in the type that training has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from g2p_build.models.architecture import Architecture

__all__ = ["Muon", "is_block_matrix", "orthogonal"]

MOMENTUM = 0.95

ITERATIONS = 5

SIZE = 0.2
"""The root mean square of AdamW's updates, about, in units of the learning rate."""


class Muon:
    """The optimiser's state for some tensors, which its steps change in place."""

    def __init__(
        self, architecture: Architecture, weights: Mapping[str, Tensor], dtype: torch.dtype = torch.float32
    ) -> None:
        """Starts with nothing known of the gradients.

        Args:
            architecture: the model's.
            weights: its tensors, in float32.
            dtype: what the matrices are orthogonalised in.
        """
        self._weights = weights
        self._dtype = dtype
        self._heads = architecture.num_heads
        self._averages = {name: torch.zeros_like(weights[name]) for name in weights if is_block_matrix(name)}
        self._others = [weights[name] for name in weights if name not in self._averages]
        self._adam = torch.optim.AdamW(self._others, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def step(self, gradients: Mapping[str, Tensor], rate: float, spread: Callable[..., Iterable[Any]] = map) -> None:
        """Changes the weights.

        Args:
            gradients: of each tensor.
            rate: the learning rate.
            spread: `map`, or one that calls the function in several threads.
        """

        @torch.no_grad()  # a thread does not know that its parent wants none
        def update(name: str) -> None:
            gradient, average = gradients[name], self._averages[name]
            average.lerp_(gradient, 1 - MOMENTUM)
            ahead = gradient.lerp(average, MOMENTUM)  # Nesterov's
            parts = self._parts(name, ahead)
            scale = SIZE * max(parts.shape[1:]) ** 0.5
            self._parts(name, self._weights[name]).sub_(orthogonal(parts.to(self._dtype)), alpha=rate * scale)

        for _ in spread(update, self._averages):
            pass
        for name, weight in self._weights.items():
            weight.grad = None if name in self._averages else gradients[name]
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()

    def _parts(self, name: str, matrix: Tensor) -> Tensor:
        """A view of the matrix as the matrices that are orthogonalised one by one: [parts, rows, columns]."""
        if name.endswith((".q.weight", ".k.weight", ".v.weight")):
            return matrix.unflatten(0, (self._heads, -1))
        if name.endswith(".o.weight"):
            return matrix.unflatten(1, (self._heads, -1)).transpose(0, 1)
        return matrix[None]

    def state_dict(self) -> dict[str, Any]:
        """What a saved state must hold of the optimiser."""
        return {"averages": self._averages, "adam": self._adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""
        for name, average in self._averages.items():
            average.copy_(state["averages"][name])
        self._adam.load_state_dict(state["adam"])


def orthogonal(matrices: Tensor) -> Tensor:
    """Roughly the nearest (semi-)orthogonal matrix of each of [count, rows, columns]: singular values near 1."""
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonal(matrices.mT).mT
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        squares = x @ x.mT
        polynomial = torch.baddbmm(squares, squares, squares, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, polynomial, x, beta=3.4445)
    return x


def is_block_matrix(name: str) -> bool:
    """Whether a tensor is one of the matrices that the layers multiply by."""
    return ".block." in name and not name.endswith(("layer_norm.weight", "relative_attention_bias.weight"))
