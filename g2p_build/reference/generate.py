"""The reference: transformers' greedy `generate` on the files that the checkpoint stage made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import GenerationConfig, T5ForConditionalGeneration

from g2p_build.families.g2p.checkpoint import G2PCheckpoint
from g2p_build.models.architecture import from_json
from g2p_build.reference.pretrained import as_model

__all__ = ["EOS", "PAD", "Reference", "generate", "ids_of", "text_of", "tokens_of"]

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


class Reference:
    """A checkpoint in transformers, prompted as its config says."""

    def __init__(self, checkpoint: G2PCheckpoint, architecture: Path, weights: Path) -> None:
        """Loads the checkpoint stage's outputs: `architecture.json` and `model.safetensors`."""
        self._checkpoint = checkpoint
        self._model = as_model(from_json(json.loads(architecture.read_bytes())), load_file(weights))

    def tokens(
        self, words: Sequence[str], lang: str, max_length: int, batch_size: int = 64, beams: int = 1
    ) -> list[list[int]]:
        """The ids that `generate`, the function above, returns for each word."""
        checkpoint = self._checkpoint
        prompts = [self._prompt(word, lang) for word in words]
        ids = checkpoint.pad_id, checkpoint.eos_id, checkpoint.decoder_start_id
        return generate(self._model, prompts, max_length, batch_size, *ids, beams)

    def text(self, ids: Sequence[int]) -> str:
        """The pronunciation that ids spell."""
        return text_of(ids, self._checkpoint.byte_offset)

    def length(self, word: str, lang: str) -> int:
        """How many input ids a word takes, with its prompt and end token."""
        return len(self._prompt(word, lang))

    def _prompt(self, word: str, lang: str) -> list[int]:
        checkpoint = self._checkpoint
        ids = tokens_of(checkpoint.resolved_prompt, lang, word, checkpoint.byte_offset)
        return [*ids, checkpoint.eos_id] if checkpoint.append_eos else ids


def _to_end(row: list[int], eos_id: int) -> list[int]:
    # After the end token there is only padding. Without one, the row is full, and its zeros were generated.
    return row[: row.index(eos_id) + 1] if eos_id in row else row
