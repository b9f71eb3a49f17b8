"""Kokoro's weights as its programs take them: their names, layout and order.

A program names a weight for the module that it is of in upstream's code (``decoder.generator.ups.0``), with one of
these endings:

- ``.filter``, ``.bias`` and, where filters are int8, ``.scale``: of a convolution or a linear layer, as `ops.convolve`
  takes them.
- ``.style``, ``.style_bias``: of the linear layer that makes a norm's factors and summands of a style. What the norm
  has of its own, and the 1 that upstream adds to factors, are in it.
- ``.affine``: a norm's own factors and summands. ``.alpha``: a snake's. ``.pool``, ``.pool_bias``: `ops.pool`'s.
- ``.recurrent``: an LSTM's. Its ``.filter`` and ``.bias`` are those of its inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import Architecture
from g2p_build.models.layout import UNITS, pack_columns, quantise_columns

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MATRICES", "pack"]

MATRICES = (".filter",)
"""Endings of the names of weights that may be kept in another dtype than float32."""

_FEW = (".style",)
"""Endings of those that are float16 where `MATRICES` are int8: they are few, and every row of a norm is times them."""

State: TypeAlias = Mapping[str, "Tensor"]


def pack(arch: Architecture, state: State, dtype: str = "float32") -> dict[str, Tensor]:
    """The weights of all programs, in the order that is used everywhere.

    Args:
        arch: The model's architecture.
        state: The checkpoint's tensors, float32, weight norm folded. Tensors on the device "meta" give shapes alone.
        dtype: Of the `MATRICES`: ``"float32"``, ``"float16"``, ``"bfloat16"`` or ``"int8"``.

    Raises:
        BuildError: A weight is too large for the dtype.
    """
    found: dict[str, Tensor] = {}
    for part in (_bert, _duration, _text_encoder, _f0n, _decoder):
        found |= part(arch, state)
    kept: dict[str, Tensor] = {}
    for name, tensor in found.items():
        if name.endswith(MATRICES) and dtype == "int8":
            kept[name], scale = quantise_columns(tensor)
            stem = name.removesuffix(".filter")
            kept[f"{stem}.scale"] = scale[: found[f"{stem}.bias"].shape[0]]
        elif name.endswith(MATRICES) and dtype != "float32":
            kept[name] = _smaller(name, tensor, dtype)
        elif name.endswith(_FEW) and dtype == "int8":
            kept[name] = _smaller(name, tensor, "float16")
        else:
            kept[name] = tensor
    return {name: tensor.contiguous() for name, tensor in kept.items()}


def _smaller(name: str, tensor: Tensor, dtype: str) -> Tensor:
    import torch

    smaller = tensor.to(getattr(torch, dtype))
    if tensor.device.type != "meta" and not torch.isfinite(smaller).all():
        raise BuildError(f"the weight {name} has values that {dtype} cannot hold: use dtype=float32")
    return smaller


def _bert(arch: Architecture, state: State) -> dict[str, Tensor]:
    import torch

    layer = "bert.encoder.albert_layer_groups.0.albert_layers.0"
    of, attention = "bert.embeddings", f"{layer}.attention"
    # The layer's dimensions divide the scores. Queries are made smaller instead.
    share = (arch.plbert.hidden_size / arch.plbert.num_attention_heads) ** -0.5
    query, key, value = (f"{attention}.{name}" for name in ("query", "key", "value"))
    weight = torch.cat([state[f"{query}.weight"] * share, state[f"{key}.weight"], state[f"{value}.weight"]])
    bias = torch.cat([state[f"{query}.bias"] * share, state[f"{key}.bias"], state[f"{value}.bias"]])
    return {
        "bert.words": state[f"{of}.word_embeddings.weight"],
        "bert.places": state[f"{of}.position_embeddings.weight"] + state[f"{of}.token_type_embeddings.weight"][0],
        "bert.embedded.affine": _affine(state, f"{of}.LayerNorm"),
        **_named("bert.hidden", _convolution(state, "bert.encoder.embedding_hidden_mapping_in")),
        **_named("bert.query_key_value", {"filter": pack_columns(weight.T), "bias": bias}),
        **_named("bert.attended", _convolution(state, f"{attention}.dense")),
        "bert.attended.affine": _affine(state, f"{attention}.LayerNorm"),
        **_named("bert.wide", _convolution(state, f"{layer}.ffn")),
        **_named("bert.narrow", _convolution(state, f"{layer}.ffn_output")),
        "bert.narrow.affine": _affine(state, f"{layer}.full_layer_layer_norm"),
        **_named("bert_encoder", _convolution(state, "bert_encoder")),
    }


def _duration(arch: Architecture, state: State) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for layer in range(arch.n_layer):
        found |= _lstm(state, f"predictor.text_encoder.lstms.{2 * layer}")
        found |= _style(state, f"predictor.text_encoder.lstms.{2 * layer + 1}")
    found |= _lstm(state, "predictor.lstm")
    proj = "predictor.duration_proj"
    return found | _named(proj, _convolution(state, f"{proj}.linear_layer"))


def _text_encoder(arch: Architecture, state: State) -> dict[str, Tensor]:
    found = {"text_encoder.words": state["text_encoder.embedding.weight"]}
    for layer in range(arch.n_layer):
        name = f"text_encoder.cnn.{layer}"
        found |= _named(name, _convolution(state, f"{name}.0"))
        found[f"{name}.affine"] = _affine(state, f"{name}.1", "gamma", "beta")
    return found | _lstm(state, "text_encoder.lstm")


def _f0n(arch: Architecture, state: State) -> dict[str, Tensor]:
    found = _lstm(state, "predictor.shared")
    for curve in ("F0", "N"):
        for block in range(3):
            found |= _block(state, f"predictor.{curve}.{block}")
        name = f"predictor.{curve}_proj"
        found |= _named(name, _convolution(state, name))
    return found


def _decoder(arch: Architecture, state: State) -> dict[str, Tensor]:
    import torch

    found: dict[str, Tensor] = {}
    for name in ("F0_conv", "N_conv"):
        found |= _named(f"decoder.{name}", _convolution(state, f"decoder.{name}"))
    found |= _block(state, "decoder.encode")
    found |= _named("decoder.asr_res", _convolution(state, "decoder.asr_res.0"))
    for block in range(4):
        found |= _block(state, f"decoder.decode.{block}")
    generator, kernels = arch.istftnet, len(arch.istftnet.resblock_kernel_sizes)
    name = "decoder.generator"
    source = f"{name}.m_source.l_linear"
    found[source] = torch.cat([state[f"{source}.weight"].view(-1), state[f"{source}.bias"]])
    for stage, rate in enumerate(generator.upsample_rates):
        found |= _named(f"{name}.noise_convs.{stage}", _convolution(state, f"{name}.noise_convs.{stage}"))
        found |= _snakes(state, f"{name}.noise_res.{stage}")
        found |= _named(f"{name}.ups.{stage}", _transposed(state, f"{name}.ups.{stage}", rate))
        for number in range(stage * kernels, (stage + 1) * kernels):
            found |= _snakes(state, f"{name}.resblocks.{number}")
    return found | _named(f"{name}.conv_post", _convolution(state, f"{name}.conv_post"))


def _block(state: State, name: str) -> dict[str, Tensor]:
    """An AdainResBlk1d."""
    found = _style(state, f"{name}.norm1")
    if f"{name}.pool.weight" in state:
        found[f"{name}.pool"] = state[f"{name}.pool.weight"][:, 0].T
        found[f"{name}.pool_bias"] = state[f"{name}.pool.bias"]
    found |= _named(f"{name}.conv1", _convolution(state, f"{name}.conv1"))
    found |= _style(state, f"{name}.norm2")
    found |= _named(f"{name}.conv2", _convolution(state, f"{name}.conv2"))
    if f"{name}.conv1x1.weight" in state:
        found |= _named(f"{name}.conv1x1", _convolution(state, f"{name}.conv1x1"))
    return found


def _snakes(state: State, name: str) -> dict[str, Tensor]:
    """An AdaINResBlock1."""
    import torch

    found: dict[str, Tensor] = {}
    for number in range(3):
        for half in (1, 2):
            found |= _style(state, f"{name}.adain{half}.{number}")
            alpha = state[f"{name}.alpha{half}.{number}"].view(-1)
            found[f"{name}.alpha{half}.{number}"] = torch.stack([alpha, 1 / alpha])
            conv = f"{name}.convs{half}.{number}"
            found |= _named(conv, _convolution(state, conv))
    return found


def _named(name: str, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{part}": tensor for part, tensor in parts.items()}


def _convolution(state: State, name: str) -> dict[str, Tensor]:
    """Of a convolution [out, in, taps], or a linear layer [out, in]."""
    weight = state[f"{name}.weight"]
    taps = weight.shape[2] if weight.ndim == 3 else 1
    matrix = weight.reshape(weight.shape[0], -1, taps).permute(2, 1, 0).reshape(-1, weight.shape[0])
    bias = state.get(f"{name}.bias")
    return {"filter": pack_columns(matrix), "bias": weight.new_zeros(weight.shape[0]) if bias is None else bias}


def _transposed(state: State, name: str, stride: int) -> dict[str, Tensor]:
    """Of a transposed convolution, as a convolution that gives `stride` rows beside each other.

    Row ``stride * q + r`` of the whole result is the sum of row ``q - j`` times tap ``stride * j + r``, for all j.
    """
    weight = state[f"{name}.weight"]  # [in, out, taps]
    inner, columns, taps = weight.shape
    by_row = weight.view(inner, columns, taps // stride, stride).flip(2).permute(2, 0, 3, 1)
    return {
        "filter": pack_columns(by_row.reshape(taps // stride * inner, stride * columns)),
        "bias": state[f"{name}.bias"].repeat(stride),
    }


def _affine(state: State, name: str, factor: str = "weight", summand: str = "bias") -> Tensor:
    import torch

    return torch.stack([state[f"{name}.{factor}"], state[f"{name}.{summand}"]])


def _style(state: State, name: str) -> dict[str, Tensor]:
    """Of the layer that makes [1, 2 * C] of a style: factors, then summands."""
    import torch

    factor, summand = state[f"{name}.fc.weight"].chunk(2)
    factor_bias, summand_bias = state[f"{name}.fc.bias"].chunk(2)
    factor_bias = 1 + factor_bias
    if f"{name}.norm.weight" in state:
        own, added = state[f"{name}.norm.weight"], state[f"{name}.norm.bias"]
        summand, summand_bias = summand + factor * added[:, None], summand_bias + factor_bias * added
        factor, factor_bias = factor * own[:, None], factor_bias * own
    return {
        f"{name}.style": pack_columns(torch.cat([factor, summand]).T),
        f"{name}.style_bias": torch.cat([factor_bias, summand_bias]),
    }


def _lstm(state: State, name: str) -> dict[str, Tensor]:
    import torch

    inputs, biases, recurrent = [], [], []
    for end in ("", "_reverse"):
        inputs.append(_by_units(state[f"{name}.weight_ih_l0{end}"]))
        biases.append(_by_units(state[f"{name}.bias_ih_l0{end}"] + state[f"{name}.bias_hh_l0{end}"]))
        matrix = state[f"{name}.weight_hh_l0{end}"]
        units = matrix.shape[1]
        recurrent.append(_by_units(matrix).view(units // UNITS, 4 * UNITS, units).transpose(1, 2))
    return {
        f"{name}.filter": pack_columns(torch.cat(inputs).T),
        f"{name}.bias": torch.cat(biases),
        f"{name}.recurrent": torch.stack(recurrent),
    }


def _by_units(gates: Tensor) -> Tensor:
    """[4 * H, ...], gate after gate, as [4 * H, ...] with the gates of 16 units after each other."""
    return gates.view(4, -1, UNITS, *gates.shape[1:]).transpose(0, 1).reshape(gates.shape)
