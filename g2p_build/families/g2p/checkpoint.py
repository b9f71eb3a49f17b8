"""The fields of a G2P checkpoint in conf/: where it comes from, and how it is prompted."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from g2p_build.config.fields import at_least, expanded, matches, one_of, source_fields
from g2p_build.config.overrides import ConfigError
from g2p_build.config.schema import CheckpointConf
from g2p_build.config.variant import Checkpoint, Variant
from g2p_build.families.g2p.text import Text, TextConf, text

__all__ = [
    "OWN_WORDS",
    "G2PCheckpoint",
    "G2PCheckpointConf",
    "Shape",
    "ShapeConf",
    "check",
    "checkpoint",
    "g2p_checkpoint",
]

FEED_FORWARDS = ("relu", "gated-gelu")
BYTES = 256
OWN_WORDS = "embedded"  # the word for the calibration words that come with the embedded checkpoint


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
class G2PCheckpointConf(CheckpointConf):
    """conf/checkpoint/, for this family."""

    shape: ShapeConf | None = None
    prompt: str = MISSING
    space_after_colon: bool = MISSING
    append_eos: bool = MISSING
    byte_offset: int = 3
    pad_id: int = 0
    eos_id: int = 1
    unk_id: int = 2
    decoder_start_id: int = 0
    languages: list[str] | None = None
    text: TextConf | None = None  # the form of text; None: words are taken as they are
    calibration: str | None = None  # words for int8: embedded, LANG.tsv or a folder of them; None: each number alone


@dataclass(frozen=True)
class Shape:
    """The shape of a T5 with random weights. The fields are those of transformers' T5Config; sizes are in elements."""

    d_model: int
    d_kv: int
    d_ff: int
    num_heads: int
    num_layers: int  # of the encoder
    num_decoder_layers: int
    feed_forward_proj: str
    tie_word_embeddings: bool
    relative_attention_num_buckets: int
    relative_attention_max_distance: int
    vocab_size: int
    layer_norm_epsilon: float


@dataclass(frozen=True)
class G2PCheckpoint(Checkpoint):
    """A checkpoint, and how it is prompted."""

    shape: Shape | None  # for random weights
    prompt: str  # a template with {lang}, {space} and {word}
    space_after_colon: bool
    append_eos: bool
    byte_offset: int = 3  # the id of byte 0
    pad_id: int = 0
    eos_id: int = 1
    unk_id: int = 2
    decoder_start_id: int = 0
    languages: tuple[str, ...] | None = None  # None: they are not known, so every language is accepted
    text: Text | None = None  # None: words are taken as they are
    calibration: str | None = None  # "embedded", or a path that exists: words that int8 weights are rounded for

    @property
    def resolved_prompt(self) -> str:
        """The template with `{space}` filled in: "<{lang}>: {word}"."""
        return self.prompt.replace("{space}", " " if self.space_after_colon else "")


def checkpoint(fields: dict[str, Any]) -> G2PCheckpoint:
    """A checkpoint from its fields, which the schema has typed.

    Raises:
        ConfigError: a field is missing or wrong, or belongs to another source. One line.
    """
    source_fields(fields, {"shape": "random"})
    shape, languages = fields["shape"], fields["languages"]
    _check_prompt(fields["prompt"])
    for key in ("byte_offset", "pad_id", "eos_id", "unk_id", "decoder_start_id"):
        at_least(f"checkpoint.{key}", fields[key], 0)
    for key in ("pad_id", "eos_id", "unk_id", "decoder_start_id"):
        if fields[key] >= fields["byte_offset"]:
            raise ConfigError(f"checkpoint.{key}={fields[key]} is a byte's id: checkpoint.byte_offset must be above it")
    if languages is not None:
        if not languages:
            raise ConfigError("checkpoint.languages=[] allows no word: list the languages, or null if not known")
        for language in languages:
            matches("checkpoint.languages", language, r"[A-Za-z0-9_-]{1,35}", "codes of letters, digits, _ and -")
    resolved = {
        "shape": _shape(shape) if shape else None,
        "languages": tuple(dict.fromkeys(languages)) if languages else None,
        "text": text(fields["text"], languages),
        "calibration": _calibration(fields["calibration"], fields["source"], languages),
    }
    return G2PCheckpoint(**fields | resolved)


def g2p_checkpoint(variant: Variant) -> G2PCheckpoint:
    """A variant's checkpoint.

    Raises:
        ConfigError: it is of another family.
    """
    if not isinstance(variant.checkpoint, G2PCheckpoint):
        raise ConfigError(f"{variant.name} is of the family {variant.checkpoint.family!r}, and this is for 'g2p' alone")
    return variant.checkpoint


def check(variant: Variant) -> None:
    """Checks that a one-byte word fits into the variant's input bound, and that lists are of the model's languages.

    Raises:
        ConfigError: one does not. One line.
    """
    checkpoint = g2p_checkpoint(variant)
    for file in variant.lexicon.files:
        if file.endswith(".tsv") and Path(file).is_file() and checkpoint.languages:
            one_of(f"language of lexicon={file}:", Path(file).stem, checkpoint.languages)
    for key, given in (("path", variant.draft.path), ("words", variant.draft.words)):
        if given and Path(given).is_file() and Path(given).suffix in (".tsv", ".txt") and checkpoint.languages:
            one_of(f"language of draft.{key}={given}:", Path(given).stem, checkpoint.languages)
    longest = max(checkpoint.languages or ("",), key=lambda language: len(language.encode()))
    prompt = checkpoint.resolved_prompt.replace("{lang}", longest).replace("{word}", "")
    least = len(prompt.encode()) + 1 + checkpoint.append_eos
    if variant.max_lens.input < least:
        raise ConfigError(
            f"max_lens.input={variant.max_lens.input} is too short for checkpoint {checkpoint.name}: "
            f"a one-byte word with its prompt {prompt!r} takes {least}"
        )


def _calibration(asked: str | None, source: str, languages: list[str] | None) -> str | None:
    if asked is None:
        return None
    if asked == OWN_WORDS and source == "embedded":
        return asked
    path = Path(expanded("checkpoint.calibration", asked))
    wanted = f"checkpoint.calibration={asked}: give a file LANG.tsv, or a folder of files LANG.tsv, a word a line"
    if path.is_dir() and not any(path.glob("*.tsv")):
        raise ConfigError(f"{wanted}; this folder has no LANG.tsv")
    if not path.is_dir() and (path.suffix != ".tsv" or not path.is_file()):
        raise ConfigError(wanted if path.is_file() else f"{wanted}; there is no such file")
    if languages and not path.is_dir():
        one_of(f"language of checkpoint.calibration={asked}:", path.stem, languages)
    return str(path)


def _shape(fields: dict[str, Any]) -> Shape:
    one_of("checkpoint.shape.feed_forward_proj", fields["feed_forward_proj"], FEED_FORWARDS)
    for key, value in fields.items():
        if value == MISSING:
            raise ConfigError(f"checkpoint.shape.{key} is missing")
        if type(value) is int:
            at_least(f"checkpoint.shape.{key}", value, 1)
    at_least("checkpoint.shape.vocab_size", fields["vocab_size"], BYTES + 3)
    if not 0 < fields["layer_norm_epsilon"] < 1:
        raise ConfigError(f"checkpoint.shape.layer_norm_epsilon={fields['layer_norm_epsilon']}: give a small number")
    return Shape(**fields)


def _check_prompt(prompt: str) -> None:
    rest = re.sub(r"\{(lang|space|word)\}", "", prompt)
    if prompt.count("{word}") != 1 or "{" in rest or "}" in rest or not prompt.isprintable():
        raise ConfigError(
            f"checkpoint.prompt={prompt!r}: give a line with {{word}} once, and {{lang}} and {{space}} where they go"
        )
