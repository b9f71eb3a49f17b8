"""What a Kokoro checkpoint's config and shapes say: its architecture and its symbols."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import KOKORO_82M, Architecture, Bert, Generator

__all__ = ["architecture_from_shape", "architecture_of", "vocabulary_of"]

FIXED = {"hidden_act": "gelu_new", "position_embedding_type": "absolute", "num_hidden_groups": 1, "inner_group_num": 1}
"""Fields of `plbert` that programs take for granted, with the values that transformers' AlbertConfig has."""

LISTS = ("upsample_rates", "upsample_kernel_sizes", "resblock_kernel_sizes")

STAGE_DILATIONS = 3  # convolution pairs of a block of the generator


def architecture_of(config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> Architecture:
    """A checkpoint's architecture: what its config says, and where that is silent, what its tensors' shapes say.

    Shapes do not tell the heads and repeats of the ALBERT, the dilations and the hop. Without a config those are
    Kokoro-82M's, and every transposed convolution's kernel is twice its rate.

    Args:
        config: the contents of `config.json`; empty if there is none.
        shapes: shape of each tensor, by upstream's name, with weight norm folded.

    Raises:
        BuildError: a field is not what it should be, a tensor that tells a size is missing, or such a model cannot be
            built.
    """
    found = _from_shapes(shapes)
    own = {name: _size(config, name) for name in _sizes(Architecture) if name in config}
    bert = _fields(config, "plbert")
    for name, wanted in FIXED.items():
        if bert.get(name, wanted) != wanted:
            raise BuildError(f"config.json says plbert.{name} {bert[name]!r}: only {wanted!r} is supported")
    of_bert: dict[str, Any] = {name: _size(bert, name, "plbert.") for name in _sizes(Bert) if name in bert}
    if "layer_norm_eps" in bert:
        of_bert["layer_norm_eps"] = _epsilon(bert["layer_norm_eps"])
    net = _fields(config, "istftnet")
    of_net: dict[str, Any] = {name: _size(net, name, "istftnet.") for name in _sizes(Generator) if name in net}
    of_net |= {name: _sizes_of(net[name], f"istftnet.{name}") for name in LISTS if name in net}
    if "resblock_dilation_sizes" in net:
        lists = net["resblock_dilation_sizes"]
        if not isinstance(lists, list):
            raise BuildError(f"config.json says istftnet.resblock_dilation_sizes {lists!r}: a list of lists is needed")
        of_net["resblock_dilation_sizes"] = tuple(_sizes_of(each, "istftnet.resblock_dilation_sizes") for each in lists)
    return _checked(
        dataclasses.replace(
            found,
            **own,
            plbert=dataclasses.replace(found.plbert, **of_bert),
            istftnet=dataclasses.replace(found.istftnet, **of_net),
        )
    )


def architecture_from_shape(shape: Mapping[str, int]) -> Architecture:
    """The architecture of a shape: Kokoro-82M's, with other sizes.

    Args:
        shape: fields of `Architecture`, of `Generator` and, with ``bert_`` before them, of `Bert`, that are numbers.

    Raises:
        BuildError: a model of this shape cannot be built.
    """
    bert = {name.removeprefix("bert_"): value for name, value in shape.items() if name.startswith("bert_")}
    own: dict[str, Any] = {name: value for name, value in shape.items() if not name.startswith("bert_")}
    net = {name: own.pop(name) for name in tuple(own) if hasattr(KOKORO_82M.istftnet, name)}
    return _checked(
        dataclasses.replace(
            KOKORO_82M,
            **own,
            plbert=dataclasses.replace(KOKORO_82M.plbert, **bert),
            istftnet=dataclasses.replace(KOKORO_82M.istftnet, **net),
        )
    )


def _checked(architecture: Architecture) -> Architecture:
    """The same architecture.

    Raises:
        BuildError: no model has it: sizes do not go together.
    """
    bert, net = architecture.plbert, architecture.istftnet
    if bert.hidden_size % bert.num_attention_heads:
        raise BuildError(
            f"plbert.hidden_size {bert.hidden_size} is not a multiple of its {bert.num_attention_heads} heads"
        )
    if architecture.hidden_dim % 2:
        raise BuildError(f"hidden_dim {architecture.hidden_dim} is odd: an LSTM has half of it in each direction")
    if not architecture.text_encoder_kernel_size % 2:
        raise BuildError(f"text_encoder_kernel_size {architecture.text_encoder_kernel_size} is even: it must be odd")
    if bert.max_position_embeddings < 3:
        raise BuildError(f"plbert.max_position_embeddings {bert.max_position_embeddings} leaves no room for a symbol")
    if len(net.upsample_rates) != len(net.upsample_kernel_sizes):
        raise BuildError("istftnet.upsample_rates and upsample_kernel_sizes differ in length")
    if len(net.resblock_kernel_sizes) != len(net.resblock_dilation_sizes):
        raise BuildError("istftnet.resblock_kernel_sizes and resblock_dilation_sizes differ in length")
    for rate, kernel in zip(net.upsample_rates, net.upsample_kernel_sizes, strict=True):
        if kernel < rate or (kernel - rate) % 2:
            raise BuildError(f"istftnet: a kernel of {kernel} does not go with a rate of {rate}")
    if any(not size % 2 for size in net.resblock_kernel_sizes):
        raise BuildError(f"istftnet.resblock_kernel_sizes {list(net.resblock_kernel_sizes)}: they must be odd")
    if any(len(each) != STAGE_DILATIONS for each in net.resblock_dilation_sizes):
        raise BuildError(f"istftnet.resblock_dilation_sizes: {STAGE_DILATIONS} of each block are needed")
    if net.upsample_initial_channel % (1 << len(net.upsample_rates)):
        raise BuildError(
            f"istftnet.upsample_initial_channel {net.upsample_initial_channel} cannot be halved at "
            f"{len(net.upsample_rates)} stages"
        )
    if net.gen_istft_n_fft % 2 or net.gen_istft_hop_size > net.gen_istft_n_fft // 2:
        raise BuildError(
            f"istftnet: a transform of {net.gen_istft_n_fft} samples every {net.gen_istft_hop_size} cannot be undone"
        )
    return architecture


def vocabulary_of(config: Mapping[str, Any], symbols: int) -> dict[str, int]:
    """A checkpoint's symbols, and the id of each, sorted by id. Id 0 is no symbol: it begins and ends every input.

    Args:
        config: the contents of `config.json`.
        symbols: rows of the embeddings.

    Raises:
        BuildError: it has no table of symbols, or one that does not fit the embeddings.
    """
    table = config.get("vocab")
    if not isinstance(table, Mapping) or not table:
        raise BuildError("no config.json with the model's symbols (vocab) is beside the weights: fetch it too")
    seen: dict[int, str] = {}
    for symbol, number in table.items():
        if len(symbol) != 1:
            raise BuildError(f"config.json's vocab has {symbol!r}: a symbol is one character")
        if type(number) is not int or not 0 < number < symbols:
            raise BuildError(f"config.json's vocab gives {symbol!r} the id {number!r}: ids are 1 to {symbols - 1}")
        if number in seen:
            raise BuildError(f"config.json's vocab gives {seen[number]!r} and {symbol!r} the same id, {number}")
        seen[number] = symbol
    return {seen[number]: number for number in sorted(seen)}


def _from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> Architecture:
    def size(name: str, axis: int) -> int:
        shape = shapes.get(name)
        if shape is None:
            raise BuildError(f"the checkpoint lacks the tensor {name}: it is truncated, or no Kokoro")
        if len(shape) <= axis or shape[axis] < 1:
            raise BuildError(f"the tensor {name} has shape {list(shape)}, which is no Kokoro's")
        return shape[axis]

    def count(pattern: str) -> int:
        number = 0
        while pattern.format(number) in shapes:
            number += 1
        return number

    layer = "bert.encoder.albert_layer_groups.0.albert_layers.0"
    bert = dataclasses.replace(
        KOKORO_82M.plbert,
        hidden_size=size("bert_encoder.weight", 1),
        embedding_size=size("bert.embeddings.word_embeddings.weight", 1),
        intermediate_size=size(f"{layer}.ffn.weight", 0),
        max_position_embeddings=size("bert.embeddings.position_embeddings.weight", 0),
    )
    kernels = tuple(
        size(f"decoder.generator.ups.{stage}.weight", 2)
        for stage in range(max(1, count("decoder.generator.ups.{}.weight")))
    )
    blocks = count("decoder.generator.resblocks.{}.convs1.0.weight") // len(kernels)
    net = dataclasses.replace(
        KOKORO_82M.istftnet,
        upsample_initial_channel=size("decoder.generator.ups.0.weight", 0),
        upsample_rates=tuple(max(1, kernel // 2) for kernel in kernels),
        upsample_kernel_sizes=kernels,
        resblock_kernel_sizes=tuple(
            size(f"decoder.generator.resblocks.{block}.convs1.0.weight", 2) for block in range(max(1, blocks))
        ),
        resblock_dilation_sizes=((1, 3, 5),) * max(1, blocks),
        gen_istft_n_fft=max(2, size("decoder.generator.conv_post.weight", 0) - 2),
        harmonics=size("decoder.generator.m_source.l_linear.weight", 1),
    )
    return Architecture(
        n_token=size("text_encoder.embedding.weight", 0),
        hidden_dim=size("text_encoder.embedding.weight", 1),
        n_layer=max(1, count("text_encoder.cnn.{}.0.weight")),
        style_dim=size("decoder.encode.norm1.fc.weight", 1),
        max_dur=size("predictor.duration_proj.linear_layer.weight", 0),
        text_encoder_kernel_size=size("text_encoder.cnn.0.0.weight", 2),
        decoder_dim=size("decoder.encode.conv1.weight", 0),
        residual_dim=size("decoder.asr_res.0.weight", 0),
        plbert=bert,
        istftnet=net,
    )


def _sizes(kind: type) -> list[str]:
    """The fields of a dataclass that are whole numbers."""
    return [field.name for field in dataclasses.fields(kind) if field.type == "int"]


def _fields(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name, {})
    if not isinstance(value, Mapping):
        raise BuildError(f"config.json says {name} {value!r}: an object is needed")
    return value


def _size(fields: Mapping[str, Any], name: str, prefix: str = "") -> int:
    value = fields[name]
    if type(value) is not int or not 0 < value < 1 << 24:
        raise BuildError(f"config.json says {prefix}{name} {value!r}: a positive whole number is needed")
    return value


def _sizes_of(value: Any, name: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise BuildError(f"config.json says {name} {value!r}: a list of positive whole numbers is needed")
    return tuple(_size({name: each}, name) for each in value)


def _epsilon(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise BuildError(f"config.json says plbert.layer_norm_eps {value!r}: a number of at least 0 is needed")
    return float(value)
