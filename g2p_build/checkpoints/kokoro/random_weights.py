"""Seeded random weights of a Kokoro of any shape, for tests. It speaks noise: finite, not silent, of sane length."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping

import torch

from g2p_build.checkpoints.kokoro.config import architecture_from_shape
from g2p_build.models.kokoro.architecture import Architecture, expected

__all__ = ["random_checkpoint"]

FRAMES = 3.5
"""What a token of a random model takes on average, at speed 1."""

PITCH = 150.0  # hertz, about which random weights' F0 moves


def random_checkpoint(shape: Mapping[str, int], seed: int) -> tuple[Architecture, dict[str, torch.Tensor]]:
    """Makes a checkpoint of a shape.

    Each tensor has its own generator, seeded by the seed and the tensor's name. Values are uniform, because scaled
    random bits are the same on every machine.

    Args:
        shape: as for `architecture_from_shape`.
        seed: any integer.

    Returns:
        The architecture, and its tensors (float32) by name.

    Raises:
        BuildError: a model of this shape cannot be built.
    """
    architecture = architecture_from_shape(shape)
    return architecture, {
        name: _values(architecture, name, size, seed) for name, size in expected(architecture).items()
    }


def _values(architecture: Architecture, name: str, size: tuple[int, ...], seed: int) -> torch.Tensor:
    if re.search(r"(norm|Norm)\.weight$|\.gamma$|\.alpha\d\.\d+$", name):
        return torch.ones(size)
    if name == "predictor.duration_proj.linear_layer.bias":
        return torch.full(size, _logit(FRAMES / architecture.max_dur))
    if name == "predictor.F0_proj.bias":
        return torch.full(size, PITCH)
    if name == "decoder.generator.conv_post.bias":
        # The first half is the logarithm of a spectrum: quiet, whatever the rest says.
        return torch.cat([torch.full((size[0] // 2,), -2.0), torch.zeros(size[0] // 2)])
    if name.endswith((".bias", ".beta")):
        return torch.zeros(size)
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    bound = math.sqrt(3) * _deviation(name, size)
    if name == "predictor.duration_proj.linear_layer.weight":
        # A duration is a sum over rows. They share a part, or the sum would hardly differ from token to token.
        rows = torch.rand(size[0] + 1, size[1], generator=generator).mul_(2 * bound).sub_(bound)
        return rows[1:] + rows[:1]
    return torch.rand(size, generator=generator).mul_(2 * bound).sub_(bound)


def _deviation(name: str, size: tuple[int, ...]) -> float:
    """A standard deviation that keeps activations near one, and what is exponentiated below."""
    inputs = math.prod(size[1:])
    if "embeddings" in name or "embedding.weight" in name:
        return 1.0
    if name == "predictor.duration_proj.linear_layer.weight":
        return 3.5 * inputs**-0.5  # an LSTM's outputs are a tenth or less
    if name in ("predictor.F0_proj.weight", "decoder.generator.m_source.l_linear.weight"):
        return 20.0 * inputs**-0.5 if "F0" in name else 1.0
    if name == "decoder.generator.conv_post.weight":
        return 0.1 * inputs**-0.5
    if ".fc.weight" in name:
        return 0.3 * inputs**-0.5
    if ".ups." in name:  # [in, out, kernel]; each sample sums kernel / rate taps of every input channel
        return (2 * size[0]) ** -0.5
    return inputs**-0.5


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
