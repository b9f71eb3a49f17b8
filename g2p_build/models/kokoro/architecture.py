"""What a Kokoro checkpoint is, apart from the values of its weights.

Kokoro is StyleTTS 2 with an iSTFTNet generator: https://github.com/hexgrad/kokoro. Fields are named as in its
``config.json`` where that has them. Sizes are in elements.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["KOKORO_82M", "Architecture", "Bert", "Generator", "from_json", "to_json"]


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
        found = self.gen_istft_hop_size
        for rate in self.upsample_rates:
            found *= rate
        return found


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
