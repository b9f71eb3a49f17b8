"""What conf/ says of a checkpoint of letters: how wide it is, and the names of the classes."""

from dataclasses import dataclass, field
from typing import Any

from g2p_build.config.fields import at_least, source_fields
from g2p_build.config.overrides import ConfigError
from g2p_build.config.schema import CheckpointConf
from g2p_build.config.variant import Checkpoint, Variant

__all__ = ["LettersCheckpoint", "LettersConf", "check", "checkpoint"]


@dataclass
class LettersConf(CheckpointConf):
    """conf/checkpoint/, of this family."""

    width: int = 32
    classes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LettersCheckpoint(Checkpoint):
    """Random weights of a width, for some classes."""

    width: int
    classes: tuple[str, ...]


def checkpoint(fields: dict[str, Any]) -> LettersCheckpoint:
    """Fields, typed by the schema."""
    source_fields(fields, {})
    at_least("checkpoint.width", fields["width"], 1)
    if len(fields["classes"]) < 2:
        raise ConfigError("checkpoint.classes: name two classes or more")
    return LettersCheckpoint(**fields | {"classes": tuple(fields["classes"])})


def check(variant: Variant) -> None:
    """Refuses a batch: a call takes any number of bytes already."""
    if variant.batch != (1,):
        raise ConfigError(f"batch={list(variant.batch)}: a model of letters takes one text at a time, batch=1")
