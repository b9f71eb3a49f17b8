"""The fields of a Kokoro checkpoint in conf/: where it comes from, its voices, and the languages of its phonemes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from g2p_build.checkpoints.kokoro.files import VOICE_SUFFIXES
from g2p_build.checkpoints.kokoro.phonemes import TABLES
from g2p_build.config.fields import at_least, expanded, matches, one_of, source_fields
from g2p_build.config.overrides import ConfigError
from g2p_build.config.schema import CheckpointConf
from g2p_build.config.variant import Checkpoint, Variant

__all__ = [
    "KokoroCheckpoint",
    "KokoroCheckpointConf",
    "Shape",
    "ShapeConf",
    "check",
    "checkpoint",
    "kokoro_checkpoint",
]

SOURCES = ("hub", "packages", "path", "random")

VOICES = "voices"  # the folder of a repository's voices


@dataclass
class ShapeConf:
    """The sizes of random weights. What is not among them is Kokoro-82M's."""

    hidden_dim: int = MISSING
    n_layer: int = MISSING
    style_dim: int = MISSING
    decoder_dim: int = MISSING
    residual_dim: int = MISSING
    upsample_initial_channel: int = MISSING
    bert_hidden_size: int = MISSING
    bert_embedding_size: int = MISSING
    bert_num_attention_heads: int = MISSING
    bert_intermediate_size: int = MISSING
    bert_num_hidden_layers: int = MISSING


@dataclass
class KokoroCheckpointConf(CheckpointConf):
    """conf/checkpoint/, for this family."""

    shape: ShapeConf | None = None
    voices: list[str] = field(default_factory=list)
    voice_files: str | None = None  # a folder of voices or a file; None: those that are published with the checkpoint
    languages: list[str] | None = None  # None: all that have a table whose symbols the checkpoint has


@dataclass(frozen=True)
class Shape:
    """The sizes of random weights, in elements, named as in an `Architecture`; those of its ALBERT begin with bert_."""

    hidden_dim: int
    n_layer: int
    style_dim: int
    decoder_dim: int
    residual_dim: int
    upsample_initial_channel: int
    bert_hidden_size: int
    bert_embedding_size: int
    bert_num_attention_heads: int
    bert_intermediate_size: int
    bert_num_hidden_layers: int


@dataclass(frozen=True)
class KokoroCheckpoint(Checkpoint):
    """A checkpoint, its voices, and the languages of its phonemes."""

    shape: Shape | None  # for random weights
    voices: tuple[str, ...]  # sorted
    voice_files: str | None  # a path that exists: a folder of voices or a file; None: the source itself has them
    languages: tuple[str, ...] | None


def checkpoint(fields: dict[str, Any]) -> KokoroCheckpoint:
    """A checkpoint from its fields, which the schema has typed.

    Raises:
        ConfigError: a field is missing or wrong, or belongs to another source. One line.
    """
    source_fields(fields, {"shape": "random"}, SOURCES)
    voices, languages = fields["voices"], fields["languages"]
    if not voices:
        raise ConfigError("checkpoint.voices=[] says nothing: name the voices, checkpoint.voices=[af_heart,am_adam]")
    for voice in voices:
        matches("checkpoint.voices", voice, r"[A-Za-z0-9_-]{1,64}", "names of letters, digits, _ and -")
    if languages is not None:
        if not languages:
            raise ConfigError("checkpoint.languages=[] allows no phoneme: list the languages, or null for all")
        for language in languages:
            one_of("language of checkpoint.languages", language, TABLES)
    resolved = {
        "shape": _shape(fields["shape"]) if fields["shape"] else None,
        "voices": tuple(sorted(set(voices))),
        "voice_files": _voice_files(fields),
        "languages": tuple(sorted(set(languages))) if languages else None,
    }
    return KokoroCheckpoint(**fields | resolved)


def kokoro_checkpoint(variant: Variant) -> KokoroCheckpoint:
    """A variant's checkpoint.

    Raises:
        ConfigError: it is of another family.
    """
    if not isinstance(variant.checkpoint, KokoroCheckpoint):
        raise ConfigError(f"{variant.name} is of the family {variant.checkpoint.family!r}, and this is for 'kokoro'")
    return variant.checkpoint


def check(variant: Variant) -> None:
    """Refuses what speech does not have: batches, the virtual machine.

    Raises:
        ConfigError: one line.
    """
    if variant.batch != (1,):
        raise ConfigError(f"batch={list(variant.batch)}: a call speaks one utterance, whatever its length: batch=1")
    if variant.target.engine != "standalone":
        raise ConfigError(
            f"target.engine={variant.target.engine}: speech is built as a plain library: target.engine=standalone"
        )
    if not variant.kv_cache:
        raise ConfigError("kv_cache=false: speech has no cache to leave out: kv_cache=true")


def _voice_files(fields: dict[str, Any]) -> str | None:
    """Where the voices are, if the source does not say it."""
    asked = fields["voice_files"]
    if asked is None:
        beside = Path(fields["path"]) / VOICES if fields["source"] == "path" else None
        if beside is not None and not beside.is_dir():
            raise ConfigError(
                f"{fields['path']} has no folder {VOICES}: say where voices are, checkpoint.voice_files=DIR"
            )
        return str(beside) if beside is not None else None
    if fields["source"] == "random":
        raise ConfigError(f"checkpoint.voice_files={asked}: random weights have random voices: leave it out")
    path = Path(expanded("checkpoint.voice_files", asked))
    if not path.is_dir() and not (path.is_file() and path.suffix in VOICE_SUFFIXES):
        raise ConfigError(
            f"checkpoint.voice_files={asked}: give a folder that exists, or a file {' '.join(VOICE_SUFFIXES)}"
        )
    return str(path)


def _shape(fields: dict[str, Any]) -> Shape:
    for key, value in fields.items():
        if value == MISSING:
            raise ConfigError(f"checkpoint.shape.{key} is missing")
        at_least(f"checkpoint.shape.{key}", value, 1)
    return Shape(**fields)
