"""The types of everything under conf/, as OmegaConf's structured configs."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

__all__ = ["GROUPS", "CheckpointConf", "DraftConf", "LexiconConf", "MaxLensConf", "TargetConf", "VariantConf"]


@dataclass
class CheckpointConf:
    """conf/checkpoint/: the fields that checkpoints of every family have."""

    name: str | None = None  # default: the option's name, or the directory's
    family: str = "g2p"
    source: str = MISSING
    repo: str | None = None
    revision: str | None = None
    path: str | None = None
    seed: int = 0


@dataclass
class TargetConf:
    """conf/target/."""

    name: str | None = None  # default: the option's name
    kind: str = MISSING
    triple: str = MISSING  # "host": this machine's
    cpu: str = MISSING  # "host": this machine's
    features: list[str] | None = None  # default: the features of the CPU
    engine: str = MISSING
    package: str = MISSING


@dataclass
class MaxLensConf:
    """conf/max_lens/."""

    input: int = MISSING
    output: int = MISSING


@dataclass
class LexiconConf:
    """conf/config.yaml, below `lexicon`. The override `lexicon=off` is short for `lexicon.files=off`."""

    files: Any = "auto"  # auto, off, or embedded, a file or a folder, or a list of these
    exceptions: str | None = None  # a folder of dictionaries
    use: str | None = None  # a folder of lists of how much words are used
    max_bytes: int = 600_000  # of the exceptions' table


@dataclass
class DraftConf:
    """conf/config.yaml, below `draft`. The override `draft=off` is short for `draft.path=off`."""

    path: Any = "auto"  # auto, off, embedded, or a table, a file or a folder of words with pronunciations
    words: str | None = None  # a file or a folder of words that the checkpoint pronounces
    max_bytes: int = 250_000  # of each language


@dataclass
class VariantConf:
    """conf/config.yaml."""

    checkpoint: Any = MISSING  # its family's `conf` gives the type, once the family is known
    target: TargetConf = MISSING
    max_lens: MaxLensConf = MISSING
    batch: Any = MISSING  # int or list of int; OmegaConf has no type for that
    dtype: str = MISSING
    kv_cache: bool = MISSING
    lexicon: LexiconConf = field(default_factory=LexiconConf)
    draft: DraftConf = field(default_factory=DraftConf)


GROUPS = ("checkpoint", "target", "max_lens")
"""The fields of a variant that are folders of conf/."""
