"""The types of everything under conf/, as OmegaConf's structured configs."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

__all__ = ["GROUPS", "CheckpointConf", "MaxLensConf", "TargetConf", "VariantConf"]


@dataclass
class CheckpointConf:
    """conf/checkpoint/: what every family's checkpoints have."""

    name: str | None = None  # else the option's name, or the directory's
    family: str = "g2p"
    source: str = MISSING
    repo: str | None = None
    revision: str | None = None
    path: str | None = None
    seed: int = 0


@dataclass
class TargetConf:
    """conf/target/."""

    name: str | None = None  # else the option's
    kind: str = MISSING
    triple: str = MISSING  # "host": this machine's
    cpu: str = MISSING  # "host": this machine's
    features: list[str] | None = None  # else those of the CPU
    engine: str = MISSING
    package: str = MISSING


@dataclass
class MaxLensConf:
    """conf/max_lens/."""

    input: int = MISSING
    output: int = MISSING


@dataclass
class VariantConf:
    """conf/config.yaml."""

    checkpoint: Any = MISSING  # typed by its family's `conf`, once it is known which family that is
    target: TargetConf = MISSING
    max_lens: MaxLensConf = MISSING
    batch: Any = MISSING  # int or list of int, which OmegaConf has no type for
    dtype: str = MISSING
    kv_cache: bool = MISSING


GROUPS = ("checkpoint", "target", "max_lens")
"""The fields of a variant that are folders of conf/."""
