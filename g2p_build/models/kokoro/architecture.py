"""What a Kokoro checkpoint is, apart from the values of its weights.

Kokoro is StyleTTS 2 with an iSTFTNet generator: https://github.com/hexgrad/kokoro. Fields are named as in its
``config.json`` where that has them. Sizes are in elements.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["KOKORO_82M", "Architecture", "Bert", "Generator", "expected", "from_json", "to_json"]


@dataclass(frozen=True)
class Bert:
    """An ALBERT: one layer, applied `num_hidden_layers` times."""

    hidden_size: int = 768
    embedding_size: int = 128
    num_attention_heads: int = 12
    intermediate_size: int = 2048
    max_position_embeddings: int = 512
    num_hidden_layers: int = 12
    layer_norm_eps: float = 1e-12


@dataclass(frozen=True)
class Generator:
    """The iSTFTNet, which makes sound of features."""

    upsample_initial_channel: int = 512
    upsample_rates: tuple[int, ...] = (10, 6)
    upsample_kernel_sizes: tuple[int, ...] = (20, 12)
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    gen_istft_n_fft: int = 20
    gen_istft_hop_size: int = 5
    harmonics: int = 9  # sines of the source, the fundamental among them

    @property
    def samples(self) -> int:
        """Samples that one frame of F0 becomes. A frame of the alignment is two of those."""
        return self.gen_istft_hop_size * math.prod(self.upsample_rates)


@dataclass(frozen=True)
class Architecture:
    """Everything about a Kokoro that decides its programs. The values are those of Kokoro-82M.

    Attributes:
        n_token: Rows of the embeddings.
        hidden_dim: Width of the encoded text.
        n_layer: Layers of the text encoder and of the duration encoder.
        style_dim: Half of a voice's style: the first half goes to the decoder, the second to the predictor.
        max_dur: The most frames of a token at speed 1.
        text_encoder_kernel_size: Of its convolutions, in tokens.
        decoder_dim: Width of the decoder's blocks before the generator.
        residual_dim: Width of the encoded text that every block of the decoder sees again.
        sample_rate: Of the sound, in hertz.
    """

    n_token: int = 178
    hidden_dim: int = 512
    n_layer: int = 3
    style_dim: int = 128
    max_dur: int = 50
    text_encoder_kernel_size: int = 5
    decoder_dim: int = 1024
    residual_dim: int = 64
    sample_rate: int = 24000
    plbert: Bert = Bert()
    istftnet: Generator = Generator()


KOKORO_82M = Architecture()


def to_json(architecture: Architecture) -> dict[str, Any]:
    """As an object of JSON that `from_json` takes."""
    return dataclasses.asdict(architecture)


def from_json(fields: Mapping[str, Any]) -> Architecture:
    """An architecture from what `to_json` gave."""
    generator: dict[str, Any] = {
        name: tuple(tuple(item) if isinstance(item, list | tuple) else item for item in value)
        if isinstance(value, list | tuple)
        else value
        for name, value in fields["istftnet"].items()
    }
    return Architecture(**{**fields, "plbert": Bert(**fields["plbert"]), "istftnet": Generator(**generator)})


def expected(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The tensors of a checkpoint of this architecture that sound depends on: names as upstream's, and shapes.

    Weight norm is folded: a convolution has one ``weight``.
    """
    found: dict[str, tuple[int, ...]] = {}
    _add_bert(found, architecture)
    _add_predictor(found, architecture)
    _add_text_encoder(found, architecture)
    _add_decoder(found, architecture)
    _add_generator(found, architecture)
    return found


def _add_bert(found: dict[str, tuple[int, ...]], architecture: Architecture) -> None:
    bert = architecture.plbert
    wide, narrow, inner = bert.hidden_size, bert.embedding_size, bert.intermediate_size
    rows = {"word": architecture.n_token, "position": bert.max_position_embeddings, "token_type": 2}
    for table, count in rows.items():
        found[f"bert.embeddings.{table}_embeddings.weight"] = (count, narrow)
    _norm(found, "bert.embeddings.LayerNorm", narrow)
    _linear(found, "bert.encoder.embedding_hidden_mapping_in", narrow, wide)
    layer = "bert.encoder.albert_layer_groups.0.albert_layers.0"
    _norm(found, f"{layer}.full_layer_layer_norm", wide)
    for part in ("query", "key", "value", "dense"):
        _linear(found, f"{layer}.attention.{part}", wide, wide)
    _norm(found, f"{layer}.attention.LayerNorm", wide)
    _linear(found, f"{layer}.ffn", wide, inner)
    _linear(found, f"{layer}.ffn_output", inner, wide)
    _linear(found, "bert_encoder", wide, architecture.hidden_dim)


def _add_predictor(found: dict[str, tuple[int, ...]], architecture: Architecture) -> None:
    width, style = architecture.hidden_dim, architecture.style_dim
    for layer in range(architecture.n_layer):
        _lstm(found, f"predictor.text_encoder.lstms.{2 * layer}", width + style, width // 2)
        _linear(found, f"predictor.text_encoder.lstms.{2 * layer + 1}.fc", style, 2 * width)
    _lstm(found, "predictor.lstm", width + style, width // 2)
    _linear(found, "predictor.duration_proj.linear_layer", width, architecture.max_dur)
    _lstm(found, "predictor.shared", width + style, width // 2)
    for curve in ("F0", "N"):
        _block(found, f"predictor.{curve}.0", width, width, style)
        _block(found, f"predictor.{curve}.1", width, width // 2, style, doubles=True)
        _block(found, f"predictor.{curve}.2", width // 2, width // 2, style)
        _conv(found, f"predictor.{curve}_proj", width // 2, 1, 1)


def _add_text_encoder(found: dict[str, tuple[int, ...]], architecture: Architecture) -> None:
    width = architecture.hidden_dim
    found["text_encoder.embedding.weight"] = (architecture.n_token, width)
    for layer in range(architecture.n_layer):
        _conv(found, f"text_encoder.cnn.{layer}.0", width, width, architecture.text_encoder_kernel_size)
        for part in ("gamma", "beta"):
            found[f"text_encoder.cnn.{layer}.1.{part}"] = (width,)
    _lstm(found, "text_encoder.lstm", width, width // 2)


def _add_decoder(found: dict[str, tuple[int, ...]], architecture: Architecture) -> None:
    width, style, inner = architecture.hidden_dim, architecture.style_dim, architecture.decoder_dim
    again = inner + architecture.residual_dim + 2  # every block sees the text, F0 and energy beside the last block
    _block(found, "decoder.encode", width + 2, inner, style)
    for block in range(3):
        _block(found, f"decoder.decode.{block}", again, inner, style)
    _block(found, "decoder.decode.3", again, architecture.istftnet.upsample_initial_channel, style, doubles=True)
    for curve in ("F0_conv", "N_conv"):
        _conv(found, f"decoder.{curve}", 1, 1, 3)
    _conv(found, "decoder.asr_res.0", width, architecture.residual_dim, 1)


def _add_generator(found: dict[str, tuple[int, ...]], architecture: Architecture) -> None:
    net, style = architecture.istftnet, architecture.style_dim
    spectrum, channels = net.gen_istft_n_fft + 2, net.upsample_initial_channel
    _linear(found, "decoder.generator.m_source.l_linear", net.harmonics, 1)
    for stage, kernel in enumerate(net.upsample_kernel_sizes):
        last = stage == len(net.upsample_rates) - 1
        found[f"decoder.generator.ups.{stage}.weight"] = (channels, channels // 2, kernel)
        channels //= 2
        found[f"decoder.generator.ups.{stage}.bias"] = (channels,)
        # The source has the sound's rate: it is brought down by what the later stages bring up.
        stride = math.prod(net.upsample_rates[stage + 1 :])
        _conv(found, f"decoder.generator.noise_convs.{stage}", spectrum, channels, 1 if last else 2 * stride)
        _snake_block(found, f"decoder.generator.noise_res.{stage}", channels, 11 if last else 7, 3, style)
        for number, (size, dilations) in enumerate(
            zip(net.resblock_kernel_sizes, net.resblock_dilation_sizes, strict=True)
        ):
            name = f"decoder.generator.resblocks.{stage * len(net.resblock_kernel_sizes) + number}"
            _snake_block(found, name, channels, size, len(dilations), style)
    _conv(found, "decoder.generator.conv_post", channels, spectrum, 7)


def _linear(found: dict[str, tuple[int, ...]], name: str, inputs: int, outputs: int) -> None:
    found[f"{name}.weight"] = (outputs, inputs)
    found[f"{name}.bias"] = (outputs,)


def _conv(found: dict[str, tuple[int, ...]], name: str, inputs: int, outputs: int, kernel: int) -> None:
    found[f"{name}.weight"] = (outputs, inputs, kernel)
    found[f"{name}.bias"] = (outputs,)


def _norm(found: dict[str, tuple[int, ...]], name: str, width: int) -> None:
    found[f"{name}.weight"] = (width,)
    found[f"{name}.bias"] = (width,)


def _lstm(found: dict[str, tuple[int, ...]], name: str, inputs: int, width: int) -> None:
    for direction in ("", "_reverse"):
        found[f"{name}.weight_ih_l0{direction}"] = (4 * width, inputs)
        found[f"{name}.weight_hh_l0{direction}"] = (4 * width, width)
        found[f"{name}.bias_ih_l0{direction}"] = (4 * width,)
        found[f"{name}.bias_hh_l0{direction}"] = (4 * width,)


def _style_norm(found: dict[str, tuple[int, ...]], name: str, channels: int, style: int) -> None:
    _norm(found, f"{name}.norm", channels)
    _linear(found, f"{name}.fc", style, 2 * channels)


def _block(
    found: dict[str, tuple[int, ...]], name: str, inputs: int, outputs: int, style: int, doubles: bool = False
) -> None:
    """A residual block with style. If it `doubles`, it has twice as many frames behind it."""
    _conv(found, f"{name}.conv1", inputs, outputs, 3)
    _conv(found, f"{name}.conv2", outputs, outputs, 3)
    _style_norm(found, f"{name}.norm1", inputs, style)
    _style_norm(found, f"{name}.norm2", outputs, style)
    if inputs != outputs:
        found[f"{name}.conv1x1.weight"] = (outputs, inputs, 1)
    if doubles:
        _conv(found, f"{name}.pool", 1, inputs, 3)


def _snake_block(
    found: dict[str, tuple[int, ...]], name: str, channels: int, kernel: int, depth: int, style: int
) -> None:
    for number in range(depth):
        for half in (1, 2):
            found[f"{name}.alpha{half}.{number}"] = (1, channels, 1)
            _style_norm(found, f"{name}.adain{half}.{number}", channels, style)
            _conv(found, f"{name}.convs{half}.{number}", channels, channels, kernel)
