"""The fields of a letters checkpoint in conf/: its width, and the names of the classes."""

from dataclasses import dataclass, field
from typing import Any

from g2p_build.config.fields import at_least, source_fields
from g2p_build.config.overrides import ConfigError
from g2p_build.config.schema import CheckpointConf
from g2p_build.config.variant import Checkpoint, Variant

__all__ = ["LettersCheckpoint", "LettersConf", "check", "checkpoint"]


@dataclass
class LettersConf(CheckpointConf):
    """conf/checkpoint/, for this family."""

    width: int = 32
    classes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LettersCheckpoint(Checkpoint):
    """Random weights with a given width and given classes."""

    width: int
    classes: tuple[str, ...]


def checkpoint(fields: dict[str, Any]) -> LettersCheckpoint:
    """A checkpoint from its fields, which the schema has typed."""
    source_fields(fields, {})
    at_least("checkpoint.width", fields["width"], 1)
    if len(fields["classes"]) < 2:
        raise ConfigError("checkpoint.classes: name two classes or more")
    return LettersCheckpoint(**fields | {"classes": tuple(fields["classes"])})


def check(variant: Variant) -> None:
    """Refuses batch sizes: a call takes any number of bytes anyway."""
    if variant.batch != (1,):
        raise ConfigError(f"batch={list(variant.batch)}: a model of letters takes one text at a time, batch=1")
