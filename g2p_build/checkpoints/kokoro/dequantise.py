"""Takes the weights out of an ONNX export of Kokoro whose matrices are rounded to eight bits."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from g2p_build.checkpoints.kokoro.onnx_file import Node, read
from g2p_build.checkpoints.kokoro.read import canonical
from g2p_build.models.kokoro.architecture import Architecture, expected

__all__ = ["dequantised"]

QUANTISED, SCALE = "_quantized", "_scale"

GATES = (0, 2, 3, 1)
"""Where ONNX's LSTM has torch's input, forget, cell and output gates."""


def dequantised(data: bytes, architecture: Architecture) -> dict[str, torch.Tensor]:
    """The tensors that `expected` lists, float32, as near to the published ones as eight bits are.

    Biases, norms and small tensors have upstream's names in the file. A matrix has a name of the exporter's, and the
    operation that uses it is named after its module. Of operations that are repeated with the same weights (ALBERT's)
    the first is named after it.

    Args:
        data: an export of upstream's model by torch, quantised dynamically by ONNX Runtime.
        architecture: the model's.

    Raises:
        BuildError: a tensor is missing, or has another shape.
    """
    nodes, values = read(data)
    wanted = expected(architecture)
    modules = {name.rpartition(".")[0] for name in wanted}
    found: dict[str, torch.Tensor] = {}
    for name, value in values.items():
        own = name.partition(".")[2]  # without the exporter's "encoder." or "decoder."
        if own in wanted and value.dtype == torch.float32:
            found[own] = value
    for node in nodes:
        if node.kind == "DequantizeLinear":  # rows of a table that were gathered before
            name = node.inputs[1].removesuffix(SCALE)
            found[name.partition(".")[2]] = _scaled(values, name + QUANTISED, node.inputs[2])
        module = _module(node.name, modules)
        if module is None:
            continue
        if node.kind == "DynamicQuantizeLSTM":
            found |= {f"{module}.{part}": value for part, value in _lstm(node, values).items()}
        elif (weight := _weight(node, values)) is not None:
            found[f"{module}.weight"] = weight
    return canonical(architecture, {name: value.contiguous() for name, value in found.items()})


def _module(path: str, modules: set[str]) -> str | None:
    """The module that a node is named after. A part of the path that only names a list goes: "cnn.0/cnn.0.1"."""
    parts = path.strip("/").split("/")[1:-1]
    own = ".".join(
        part for part, after in zip(parts, [*parts[1:], ""], strict=False) if not after.startswith(f"{part}.")
    )
    return next((name for name in (own, f"predictor.{own}") if name in modules), None)


def _scaled(values: Mapping[str, torch.Tensor], name: str, zero: str) -> torch.Tensor:
    """What rounded values stand for. Scales and zeros are one, or one for each column."""
    whole = values[name].to(torch.float32) - values[zero].to(torch.float32)
    return whole * values[name.removesuffix(QUANTISED) + SCALE]


def _weight(node: Node, values: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    """What a node multiplies with, as torch's modules have it; None if that is no weight."""
    if len(node.inputs) < 2 or node.inputs[1] not in values:
        return None
    name = node.inputs[1]
    if node.kind in ("Conv", "ConvTranspose"):
        return values[name]
    if node.kind == "MatMul":
        return values[name].T
    if node.kind not in ("ConvInteger", "MatMulInteger"):
        return None
    scaled = _scaled(values, name, node.inputs[3])
    return scaled.T if node.kind == "MatMulInteger" else scaled


def _lstm(node: Node, values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of an LSTM in both directions: the inputs are W, R, B and, from the eighth, W's and R's scales."""
    biases = values[node.inputs[3]].chunk(2, dim=1)
    matrices = (
        _by_direction(values, node.inputs[1], node.inputs[8], node.inputs[9]),
        _by_direction(values, node.inputs[2], node.inputs[10], node.inputs[11]),
    )
    found = {}
    for direction, suffix in enumerate(("", "_reverse")):
        for part, matrix, bias in zip(("ih", "hh"), matrices, biases, strict=True):
            found[f"weight_{part}_l0{suffix}"] = _gates(matrix[direction].T)
            found[f"bias_{part}_l0{suffix}"] = _gates(bias[direction])
    return found


def _by_direction(values: Mapping[str, torch.Tensor], name: str, scale: str, zero: str) -> torch.Tensor:
    """A matrix for each direction [2, inputs, 4 H], each with one scale, or with one for each column."""
    shift, factor = (values[each].to(torch.float32).reshape(2, 1, -1) for each in (zero, scale))
    return (values[name].to(torch.float32) - shift) * factor


def _gates(rows: torch.Tensor) -> torch.Tensor:
    return torch.cat([rows.chunk(4)[gate] for gate in GATES])
