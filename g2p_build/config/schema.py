"""The types of everything under conf/, as OmegaConf's structured configs."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

__all__ = ["GROUPS", "CheckpointConf", "MaxLensConf", "ShapeConf", "TargetConf", "VariantConf"]


@dataclass
class ShapeConf:
    """conf/checkpoint/shape/."""

    d_model: int = MISSING
    d_kv: int = MISSING
    d_ff: int = MISSING
    num_heads: int = MISSING
    num_layers: int = MISSING
    num_decoder_layers: int = MISSING
    feed_forward_proj: str = MISSING
    tie_word_embeddings: bool = MISSING
    relative_attention_num_buckets: int = MISSING
    relative_attention_max_distance: int = MISSING
    vocab_size: int = MISSING
    layer_norm_epsilon: float = MISSING


@dataclass
class CheckpointConf:
    """conf/checkpoint/."""

    name: str | None = None  # else the option's name, or the directory's
    source: str = MISSING
    repo: str | None = None
    revision: str | None = None
    path: str | None = None
    shape: ShapeConf | None = None
    seed: int = 0
    prompt: str = MISSING
    space_after_colon: bool = MISSING
    append_eos: bool = MISSING
    byte_offset: int = 3
    pad_id: int = 0
    eos_id: int = 1
    unk_id: int = 2
    decoder_start_id: int = 0
    languages: list[str] | None = None


@dataclass
class TargetConf:
    """conf/target/."""

    name: str | None = None  # else the option's
    kind: str = MISSING
    triple: str = MISSING  # "host": this machine's
    cpu: str = MISSING  # "host": this machine's
    features: list[str] | None = None  # else those of the CPU
    link: str = MISSING
    library: str = MISSING


@dataclass
class MaxLensConf:
    """conf/max_lens/."""

    input: int = MISSING
    output: int = MISSING


@dataclass
class VariantConf:
    """conf/config.yaml."""

    checkpoint: CheckpointConf = MISSING
    target: TargetConf = MISSING
    max_lens: MaxLensConf = MISSING
    batch: Any = MISSING  # int or list of int, which OmegaConf has no type for
    dtype: str = MISSING
    kv_cache: bool = MISSING


GROUPS = {"checkpoint": CheckpointConf, "target": TargetConf, "max_lens": MaxLensConf}
