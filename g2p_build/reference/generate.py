"""The reference: transformers' greedy `generate`, on a checkpoint as it was published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import ByT5Tokenizer, GenerationConfig, T5ForConditionalGeneration
from transformers.utils import logging

from g2p_build.errors import BuildError
from g2p_build.families.g2p.checkpoint import G2PCheckpoint
from g2p_build.models.architecture import from_json
from g2p_build.reference.pretrained import as_model

__all__ = ["EOS", "PAD", "Published", "Reference", "generate", "ids_of", "text_of", "tokens_of"]

PAD, EOS = 0, 1
"""ByT5's ids for padding and the end. Decoding starts with the padding id."""


@torch.no_grad()
def generate(
    model: T5ForConditionalGeneration,
    prompts: Sequence[Sequence[int]],
    max_length: int,
    batch_size: int = 64,
    pad_id: int = PAD,
    eos_id: int = EOS,
    decoder_start_id: int = PAD,
    beams: int = 1,
) -> list[list[int]]:
    """Runs transformers' `generate` over prompts, greedily unless there are several beams.

    Args:
        model: in evaluation mode.
        prompts: the input ids of each word, at least one id each.
        max_length: as in `generate`: the most output ids, the start token included.
        batch_size: how many words to decode at a time. Words of like length go together.
        pad_id: fills short prompts.
        eos_id: ends a pronunciation.
        decoder_start_id: the first id of the decoder.
        beams: how many beginnings are kept at each step.

    Returns:
        For each prompt, in their order, the ids after the start token, with the end token if the model wrote one.
    """
    settings = GenerationConfig(
        max_length=max_length,
        do_sample=False,
        num_beams=beams,
        pad_token_id=pad_id,
        eos_token_id=eos_id,
        decoder_start_token_id=decoder_start_id,
    )
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    found: list[list[int]] = [[] for _ in prompts]
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        width = max(len(prompts[i]) for i in part)
        ids = torch.tensor([[*prompts[i], *[pad_id] * (width - len(prompts[i]))] for i in part])
        mask = torch.tensor([[1] * len(prompts[i]) + [0] * (width - len(prompts[i])) for i in part])
        rows = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings).tolist()
        for i, row in zip(part, rows, strict=True):
            found[i] = _to_end(row[1:], eos_id)
    return found


def tokens_of(prompt: str, lang: str, word: str, byte_offset: int = 3) -> list[int]:
    """The ids of a prompt template ("<{lang}>: {word}") with its fields filled in."""
    return ids_of(prompt.format(lang=lang, word=word), byte_offset)


def ids_of(text: str, byte_offset: int = 3) -> list[int]:
    """The ids of a text: its UTF-8 bytes, shifted past the special ids."""
    return [byte + byte_offset for byte in text.encode()]


def text_of(ids: Sequence[int], byte_offset: int = 3) -> str:
    """The text of ids. Special ids and incomplete characters are left out, as in ByT5's tokenizer."""
    return bytes(i - byte_offset for i in ids if byte_offset <= i < byte_offset + 256).decode("utf-8", "ignore")


@dataclass(frozen=True)
class Published:
    """Where transformers finds a checkpoint: what its `from_pretrained` takes."""

    place: str  # a folder, or a repository's name
    revision: str | None = None  # of the repository

    @property
    def loaded(self) -> T5ForConditionalGeneration:
        """The model in evaluation mode, in float32, with the checkpoint's own settings for `generate`.

        Raises:
            BuildError: transformers leaves out tensors of it, or makes some up.
        """
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        where: dict[str, Any] = {"revision": self.revision} if self.revision else {}
        model, said = T5ForConditionalGeneration.from_pretrained(
            self.place, dtype=torch.float32, output_loading_info=True, **where
        )
        for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            if said[what]:
                names = ", ".join(sorted(map(str, said[what]))[:3])
                raise BuildError(f"transformers cannot load {self.place} as it is ({what.replace('_', ' ')}: {names})")
        return model.eval()

    @property
    def tokenizer(self) -> ByT5Tokenizer:
        """The checkpoint's own tokenizer, if it brings one; else that of ByT5."""
        brings = Path(self.place, "tokenizer_config.json").is_file()
        return ByT5Tokenizer.from_pretrained(self.place) if brings else ByT5Tokenizer()


class Reference:
    """A checkpoint in transformers.

    A published checkpoint is loaded by transformers, gets its input from transformers' tokenizer and decodes with its
    own settings. Of ours it gets the prompt: its text, and whether the end token follows it. Random weights have no
    files, so they get the ids of their config too.
    """

    def __init__(
        self, checkpoint: G2PCheckpoint, architecture: Path, weights: Path, published: Published | None = None
    ) -> None:
        """Loads a checkpoint.

        Args:
            checkpoint: how it is prompted.
            architecture, weights: what the checkpoint stage made: `architecture.json` and `model.safetensors`. Only
                read if nothing is published.
            published: where the checkpoint's own files are.

        Raises:
            BuildError: transformers cannot load it as it is.
        """
        self._checkpoint = checkpoint
        self._tokenizer = published.tokenizer if published is not None else None
        if published is not None:
            self._model = published.loaded
        else:
            self._model = as_model(from_json(json.loads(architecture.read_bytes())), load_file(weights))

    def tokens(
        self, words: Sequence[str], lang: str, max_length: int, batch_size: int = 64, beams: int = 1
    ) -> list[list[int]]:
        """For each word the ids after the start token, with the end token if the model wrote one.

        Args:
            words: as they are; no form of text is applied to them.
            lang: goes into the prompt.
            max_length: as in transformers' `generate`: the most output ids, the start token included.
            batch_size: how many words are decoded at a time.
            beams: how many beginnings are kept at each step.
        """
        checkpoint = self._checkpoint
        if self._tokenizer is None:
            prompts = [self._prompt(word, lang) for word in words]
            ids = checkpoint.pad_id, checkpoint.eos_id, checkpoint.decoder_start_id
            return generate(self._model, prompts, max_length, batch_size, *ids, beams)
        ends = self._model.generation_config.eos_token_id
        order = sorted(range(len(words)), key=lambda i: len(words[i].encode()))
        found: list[list[int]] = [[] for _ in words]
        for start in range(0, len(order), batch_size):
            part = order[start : start + batch_size]
            inputs = self._tokenizer(
                [self._text(words[i], lang) for i in part],
                add_special_tokens=checkpoint.append_eos,
                padding=True,
                return_tensors="pt",
            )
            with torch.no_grad():
                rows = self._model.generate(**inputs, max_length=max_length, num_beams=beams).tolist()
            for i, row in zip(part, rows, strict=True):
                found[i] = _to_end(row[1:], ends)
        return found

    def text(self, ids: Sequence[int]) -> str:
        """The pronunciation that ids spell."""
        if self._tokenizer is None:
            return text_of(ids, self._checkpoint.byte_offset)
        said = self._tokenizer.decode(ids, skip_special_tokens=True)
        assert isinstance(said, str)
        return said

    def length(self, word: str, lang: str) -> int:
        """How many input ids a word takes, with its prompt and end token."""
        return len(self._prompt(word, lang))

    def _text(self, word: str, lang: str) -> str:
        return self._checkpoint.resolved_prompt.format(lang=lang, word=word)

    def _prompt(self, word: str, lang: str) -> list[int]:
        checkpoint = self._checkpoint
        if self._tokenizer is not None:
            ids = self._tokenizer(self._text(word, lang), add_special_tokens=checkpoint.append_eos)["input_ids"]
            return list(ids)
        ids = tokens_of(checkpoint.resolved_prompt, lang, word, checkpoint.byte_offset)
        return [*ids, checkpoint.eos_id] if checkpoint.append_eos else ids


def _to_end(row: list[int], end: int | Sequence[int]) -> list[int]:
    """Leaves out what follows the end token, which is padding. Without one the row is full, and its zeros are said."""
    ends = {end} if isinstance(end, int) else set(end)
    return next((row[: i + 1] for i, said in enumerate(row) if said in ends), row)
