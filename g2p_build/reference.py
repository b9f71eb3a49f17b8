"""The truth: transformers' greedy `generate` on what the checkpoint stage made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration

from g2p_build.models.architecture import EMBEDDINGS, Architecture, from_json
from g2p_build.variant import Checkpoint

__all__ = ["Reference", "as_config", "as_model", "generate", "text_of", "tokens_of"]


def as_config(architecture: Architecture) -> T5Config:
    """The transformers config of an architecture, with ByT5's special ids and no dropout."""
    return T5Config(
        vocab_size=architecture.vocab_size,
        d_model=architecture.d_model,
        d_kv=architecture.d_kv,
        d_ff=architecture.d_ff,
        num_heads=architecture.num_heads,
        num_layers=architecture.num_encoder_layers,
        num_decoder_layers=architecture.num_decoder_layers,
        relative_attention_num_buckets=architecture.relative_attention_num_buckets,
        relative_attention_max_distance=architecture.relative_attention_max_distance,
        layer_norm_epsilon=architecture.layer_norm_epsilon,
        feed_forward_proj=architecture.feed_forward,
        dropout_rate=0.0,
        # All that transformers 5 takes from this field is whether the decoder's output is scaled.
        tie_word_embeddings=architecture.scale_decoder_outputs,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )


def as_model(architecture: Architecture, state: Mapping[str, torch.Tensor]) -> T5ForConditionalGeneration:
    """The transformers model of a checkpoint, in evaluation mode.

    Args:
        architecture: its architecture.
        state: its tensors, as `checkpoint_tensors` lists them; they are used, not copied.
    """
    with torch.device("meta"):
        model = T5ForConditionalGeneration(as_config(architecture))
    shared = torch.nn.Parameter(state[EMBEDDINGS[0]])
    head = torch.nn.Parameter(state["lm_head.weight"]) if architecture.separate_lm_head else shared
    # A projection of its own is not tied to the embedding: transformers ties the two whenever it loads by itself.
    everything = {**state, **dict.fromkeys(EMBEDDINGS, shared), "lm_head.weight": head}
    model.load_state_dict(everything, strict=True, assign=True)
    model.shared.weight = model.encoder.embed_tokens.weight = model.decoder.embed_tokens.weight = shared
    model.lm_head.weight = head
    return model.eval()


@torch.no_grad()
def generate(
    model: T5ForConditionalGeneration,
    prompts: Sequence[Sequence[int]],
    max_length: int,
    batch_size: int = 64,
    pad_id: int = 0,
    eos_id: int = 1,
    decoder_start_id: int = 0,
) -> list[list[int]]:
    """Greedy `generate`, the order kept.

    Args:
        model: in evaluation mode.
        prompts: the input ids of each word, at least one each.
        max_length: as generate's: the start token counts.
        batch_size: words at a time, those of about one length together.

    Returns:
        For each prompt the ids after the start token, the end token included where the model wrote one.
    """
    settings = GenerationConfig(
        max_length=max_length,
        do_sample=False,
        num_beams=1,
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
    """The ids of a prompt ("<{lang}>: {word}"): its UTF-8 bytes, shifted past the special ids."""
    return [byte + byte_offset for byte in prompt.format(lang=lang, word=word).encode()]


def text_of(ids: Sequence[int], byte_offset: int = 3) -> str:
    """The text of ids: special ids and incomplete characters left out, as ByT5's tokenizer does."""
    return bytes(i - byte_offset for i in ids if byte_offset <= i < byte_offset + 256).decode("utf-8", "ignore")


class Reference:
    """A checkpoint under transformers, prompted as its config says."""

    def __init__(self, checkpoint: Checkpoint, architecture: Path, weights: Path) -> None:
        """Loads what the checkpoint stage made: its `architecture.json` and its `model.safetensors`."""
        self._checkpoint = checkpoint
        self._model = as_model(from_json(json.loads(architecture.read_bytes())), load_file(weights))

    def tokens(self, words: Sequence[str], lang: str, max_length: int, batch_size: int = 64) -> list[list[int]]:
        """What `generate` gives for each word, as the function `generate` returns it."""
        checkpoint = self._checkpoint
        prompts = [self._prompt(word, lang) for word in words]
        ids = checkpoint.pad_id, checkpoint.eos_id, checkpoint.decoder_start_id
        return generate(self._model, prompts, max_length, batch_size, *ids)

    def text(self, ids: Sequence[int]) -> str:
        """The pronunciation that ids spell."""
        return text_of(ids, self._checkpoint.byte_offset)

    def length(self, word: str, lang: str) -> int:
        """Input ids that a word takes, prompt and end token included."""
        return len(self._prompt(word, lang))

    def _prompt(self, word: str, lang: str) -> list[int]:
        checkpoint = self._checkpoint
        ids = tokens_of(checkpoint.resolved_prompt, lang, word, checkpoint.byte_offset)
        return [*ids, checkpoint.eos_id] if checkpoint.append_eos else ids


def _to_end(row: list[int], eos_id: int) -> list[int]:
    # Behind the end token there is only padding; a row without one is as long as allowed, and its zeros are its own.
    return row[: row.index(eos_id) + 1] if eos_id in row else row
