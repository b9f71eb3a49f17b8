"""Kokoro's five programs: torch modules that only call `ops`, with a name for every tensor that they take or give.

What varies is L, the tokens (``tokens``), and T, the frames (``frames``). There is no padding and no mask, because
norms over time would see it. The source is https://github.com/hexgrad/kokoro, ``modules.py`` and ``istftnet.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from torch import Tensor, nn

from g2p_build.models import ops as g2p_ops
from g2p_build.models.extents import Extent
from g2p_build.models.kokoro import ops
from g2p_build.models.kokoro.architecture import Architecture
from g2p_build.models.program import Program, TensorSpec

__all__ = ["programs"]

Weights: TypeAlias = Mapping[str, Tensor]

TOKENS, FRAMES = Extent("tokens"), Extent("frames")

_EPSILON = 1e-5  # of the norms that torch's default is for
_SLOPE = 0.2  # of the leaky ReLUs outside of the generator
_MIXED = "decoder.generator.m_source.l_linear"  # how much of each sine the source has


def programs(arch: Architecture, weights: Mapping[str, TensorSpec]) -> list[Program]:
    """The programs of a library.

    Args:
        arch: The model's architecture.
        weights: By name, as `weights.pack` gives them.
    """
    width, half = arch.hidden_dim, arch.style_dim
    joined = width + half
    samples = 2 * arch.istftnet.samples
    ids, places = _spec("ids", (TOKENS,), "int32"), _spec("places", (FRAMES,), "int32")
    style = _spec("style", (1, half))
    hidden, encoded = _spec("hidden", (TOKENS, width)), _spec("encoded", (TOKENS, joined))
    text = _spec("text", (TOKENS, width))
    f0, energy = _spec("f0", (Extent("frames", 2), 1)), _spec("energy", (Extent("frames", 2), 1))
    noise = _spec("noise", (arch.istftnet.harmonics, Extent("frames", samples)))
    source, sound = (_spec(name, (Extent("frames", samples),)) for name in ("source", "sound"))
    lasting = _spec("lasting", (TOKENS,))
    made = (
        ("bert", Bert(arch), (ids,), (hidden,)),
        ("duration", Duration(arch), (hidden, style), (encoded, lasting)),
        ("text_encoder", TextEncoder(arch), (ids,), (text,)),
        ("f0n", F0N(arch), (encoded, places, style), (f0, energy)),
        ("source", Source(arch), (_spec("f0", (FRAMES, 2)), noise), (source,)),
        ("decoder", Decoder(arch), (text, places, f0, energy, source, style), (sound,)),
    )
    return [
        Program(
            name=role,
            role=role,
            batch=1,
            input_len=None,
            output_len=None,
            tokens=None,
            module=module,
            inputs=(
                *(("argument", spec) for spec in arguments),
                *(("weight", spec) for name, spec in weights.items() if _reads(role, name)),
            ),
            outputs=outputs,
        )
        for role, module, arguments, outputs in made
    ]


def _spec(name: str, shape: tuple[int | Extent, ...], dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name, shape, dtype)


def _reads(role: str, weight: str) -> bool:
    """Whether a program of this role reads the weight."""
    if role == "bert":
        return weight.startswith(("bert.", "bert_encoder."))
    if role == "duration":
        return weight.startswith(("predictor.text_encoder.", "predictor.lstm.", "predictor.duration_proj."))
    if role == "f0n":
        return weight.startswith(("predictor.shared.", "predictor.F0", "predictor.N"))
    if role == "source":
        return weight == _MIXED
    return weight.startswith(f"{role}.") and weight != _MIXED


def _convolve(
    rows: Tensor,
    weights: Weights,
    name: str,
    taps: int = 1,
    *,
    dilation: int = 1,
    stride: int = 1,
    before: int | None = None,
    after: int | None = None,
    read: str = "",
    slope: float = 0.0,
    activation: str = "",
    repeat: int = 1,
    factor: float = 1.0,
    norm: Tensor | None = None,
    alpha: Tensor | None = None,
    residual: Tensor | None = None,
) -> Tensor:
    """`ops.convolve` with a named filter. Without `before` and `after`, there are as many results as rows."""
    around = dilation * (taps - 1) // 2
    bias = weights[f"{name}.bias"]
    return ops.convolve(
        rows,
        weights[f"{name}.filter"],
        bias,
        bias.shape[0],
        taps,
        dilation,
        stride,
        around if before is None else before,
        around if after is None else after,
        read,
        slope,
        activation,
        repeat,
        factor,
        norm,
        alpha,
        residual,
        weights.get(f"{name}.scale"),
    )


def _styled(style: Tensor, weights: Weights, name: str) -> Tensor:
    """A norm's factors and summands for a style, [2, C]."""
    bias = weights[f"{name}.style_bias"]
    made = ops.convolve(
        style, weights[f"{name}.style"], bias, bias.shape[0], 1, 1, 1, 0, 0, "", 0.0, "", 1, 1.0, None, None, None, None
    )
    return made.view(2, bias.shape[0] // 2)


def _adain(rows: Tensor, style: Tensor, weights: Weights, name: str) -> Tensor:
    return ops.channel_norm(rows, _styled(style, weights, name), _EPSILON)


def _lstm(rows: Tensor, weights: Weights, name: str) -> Tensor:
    return ops.lstm(_convolve(rows, weights, name), weights[f"{name}.recurrent"])


def _block(rows: Tensor, style: Tensor, weights: Weights, name: str) -> Tensor:
    """An AdainResBlk1d. One with a pool gives two rows for each."""
    norm = _adain(rows, style, weights, f"{name}.norm1")
    doubled = f"{name}.pool" in weights
    if doubled:
        pooled = ops.pool(rows, norm, weights[f"{name}.pool"], weights[f"{name}.pool_bias"], _SLOPE)
        hidden = _convolve(pooled, weights, f"{name}.conv1", 3)
    else:
        hidden = _convolve(rows, weights, f"{name}.conv1", 3, read="leaky", slope=_SLOPE, norm=norm)
    shortcut = _convolve(rows, weights, f"{name}.conv1x1") if f"{name}.conv1x1.filter" in weights else rows
    return _convolve(
        hidden,
        weights,
        f"{name}.conv2",
        3,
        read="leaky",
        slope=_SLOPE,
        norm=_adain(hidden, style, weights, f"{name}.norm2"),
        residual=shortcut,
        repeat=2 if doubled else 1,
        factor=2**-0.5,
    )


class Bert(nn.Module):
    """ids [L] → hidden [L, D]."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch

    def forward(self, ids: Tensor, weights: Weights) -> Tensor:
        bert = self.arch.plbert
        epsilon = bert.layer_norm_eps
        rows = ops.embed_places(ids, weights["bert.words"], weights["bert.places"])
        rows = ops.affine_norm(rows, weights["bert.embedded.affine"], epsilon, 1.0, None)
        rows = _convolve(rows, weights, "bert.hidden")
        for _ in range(bert.num_hidden_layers):
            attended = ops.attend(_convolve(rows, weights, "bert.query_key_value"), bert.num_attention_heads)
            attended = _convolve(attended, weights, "bert.attended")
            rows = ops.affine_norm(attended, weights["bert.attended.affine"], epsilon, 1.0, rows)
            wide = _convolve(rows, weights, "bert.wide", activation="gelu")
            narrow = _convolve(wide, weights, "bert.narrow")
            rows = ops.affine_norm(narrow, weights["bert.narrow.affine"], epsilon, 1.0, rows)
        return _convolve(rows, weights, "bert_encoder")


class Duration(nn.Module):
    """(hidden [L, D], style [1, S]) → (encoded [L, D + S], lasting [L], in frames)."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch

    def forward(self, hidden: Tensor, style: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        rows = ops.join(hidden, style, None, None)
        for layer in range(self.arch.n_layer):
            name = "predictor.text_encoder.lstms"
            told = _lstm(rows, weights, f"{name}.{2 * layer}")
            affine = _styled(style, weights, f"{name}.{2 * layer + 1}")
            rows = ops.join(ops.affine_norm(told, affine, _EPSILON, 1.0, None), style, None, None)
        chances = _convolve(_lstm(rows, weights, "predictor.lstm"), weights, "predictor.duration_proj")
        return rows, ops.sigmoid_sum(chances)


class TextEncoder(nn.Module):
    """ids [L] → text [L, D]."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch

    def forward(self, ids: Tensor, weights: Weights) -> Tensor:
        rows = g2p_ops.embed(ids, weights["text_encoder.words"])
        for layer in range(self.arch.n_layer):
            name = f"text_encoder.cnn.{layer}"
            rows = _convolve(rows, weights, name, self.arch.text_encoder_kernel_size)
            rows = ops.affine_norm(rows, weights[f"{name}.affine"], _EPSILON, _SLOPE, None)
        return _lstm(rows, weights, "text_encoder.lstm")


class F0N(nn.Module):
    """(encoded [L, D + S], places [T], style [1, S]) → (f0 [2 T, 1], energy [2 T, 1])."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch

    def forward(self, encoded: Tensor, places: Tensor, style: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        shared = _lstm(ops.gather(encoded, places), weights, "predictor.shared")
        curves = []
        for curve in ("F0", "N"):
            rows = shared
            for block in range(3):
                rows = _block(rows, style, weights, f"predictor.{curve}.{block}")
            curves.append(_convolve(rows, weights, f"predictor.{curve}_proj"))
        return curves[0], curves[1]


class Source(nn.Module):
    """(f0 [T, 2], noise [H, 600 T]) → source [600 T].

    It is a program of its own because the noise is as long as all else that it needs is short: its memory is the
    decoder's afterwards.
    """

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.rate = arch.sample_rate

    def forward(self, f0: Tensor, noise: Tensor, weights: Weights) -> Tensor:
        return ops.sine_source(f0.view(2 * f0.shape[0], 1), noise, weights[_MIXED], self.rate)


class Decoder(nn.Module):
    """(text [L, D], places [T], f0 [2 T, 1], energy [2 T, 1], source [600 T], style [1, S]) → sound [600 T]."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch

    def forward(
        self, text: Tensor, places: Tensor, f0: Tensor, energy: Tensor, source: Tensor, style: Tensor, weights: Weights
    ) -> Tensor:
        spoken = ops.gather(text, places)
        pitch = _convolve(f0, weights, "decoder.F0_conv", 3, stride=2)
        loudness = _convolve(energy, weights, "decoder.N_conv", 3, stride=2)
        rows = _block(ops.join(spoken, pitch, loudness, None), style, weights, "decoder.encode")
        again = _convolve(spoken, weights, "decoder.asr_res")
        for block in range(4):
            joined = ops.join(rows, again, pitch, loudness)
            rows = _block(joined, style, weights, f"decoder.decode.{block}")
        return self._generated(rows, source, style, weights)

    def _generated(self, rows: Tensor, source: Tensor, style: Tensor, weights: Weights) -> Tensor:
        generator, name = self.arch.istftnet, "decoder.generator"
        size, hop = generator.gen_istft_n_fft, generator.gen_istft_hop_size
        spectrum = ops.stft(source, size, hop)
        last = len(generator.upsample_rates) - 1
        for stage, (rate, taps) in enumerate(
            zip(generator.upsample_rates, generator.upsample_kernel_sizes, strict=True)
        ):
            below = 1
            for later in generator.upsample_rates[stage + 1 :]:
                below *= later
            around = (below + 1) // 2 if stage < last else 0
            heard = _convolve(
                spectrum,
                weights,
                f"{name}.noise_convs.{stage}",
                2 * below if stage < last else 1,
                stride=below,
                before=around,
                after=around,
            )
            heard = self._snakes(heard, style, weights, f"{name}.noise_res.{stage}", 7 if stage < last else 11)
            reach = taps // rate - 1
            grown = _convolve(
                rows, weights, f"{name}.ups.{stage}", reach + 1, before=reach, after=reach, read="leaky", slope=0.1
            )
            grown = grown.view(grown.shape[0] * rate, grown.shape[1] // rate)
            rows = ops.crop_add(grown, heard, (taps - rate) // 2, int(stage == last))
            kernels = generator.resblock_kernel_sizes
            total = None
            for number, taps in enumerate(kernels):
                block = f"{name}.resblocks.{stage * len(kernels) + number}"
                grown = self._snakes(rows, style, weights, block, taps)
                share = 1 / len(kernels) if number == len(kernels) - 1 else 1.0
                total = grown if total is None else ops.add(total, grown, share)
            assert total is not None
            rows = total
        rows = _convolve(rows, weights, f"{name}.conv_post", 7, read="leaky", slope=0.01)
        return ops.istft(rows, size, hop)

    def _snakes(self, rows: Tensor, style: Tensor, weights: Weights, name: str, taps: int) -> Tensor:
        """An AdaINResBlock1."""
        for number, dilation in enumerate(self.arch.istftnet.resblock_dilation_sizes[0]):
            convs1, convs2 = f"{name}.convs1.{number}", f"{name}.convs2.{number}"
            norm = _adain(rows, style, weights, f"{name}.adain1.{number}")
            alpha = weights[f"{name}.alpha1.{number}"]
            first = _convolve(rows, weights, convs1, taps, dilation=dilation, read="snake", norm=norm, alpha=alpha)
            norm = _adain(first, style, weights, f"{name}.adain2.{number}")
            alpha = weights[f"{name}.alpha2.{number}"]
            rows = _convolve(first, weights, convs2, taps, read="snake", norm=norm, alpha=alpha, residual=rows)
        return rows
