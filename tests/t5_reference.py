"""transformers' T5 and this package's programs, on the same weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from g2p_build.models.architecture import Architecture, architecture_of
from g2p_build.models.program import Program, nested_arguments
from g2p_build.models.programs import programs
from g2p_build.models.weights import pack

torch.set_num_threads(1)  # the tensors are tiny, and idle threads that spin would slow everything else

EMBEDDED = Path(__file__).parents[1] / "g2p_build" / "checkpoints" / "embedded"


@dataclass(frozen=True)
class Checkpoint:
    """A model of transformers, and this package's architecture and tensors for it."""

    model: T5ForConditionalGeneration
    architecture: Architecture
    state: dict[str, Tensor]

    def weights(self, dtype: str) -> dict[str, Tensor]:
        """The weights in the layout that programs take."""
        return pack(self.architecture, self.state, dtype)


@dataclass(frozen=True)
class Batch:
    """Inputs, and transformers' results for them. Padded positions hold arbitrary tokens. `hidden` is packed."""

    ids: Tensor
    length: Tensor
    decoder_ids: Tensor
    hidden: Tensor
    logits: Tensor

    @property
    def packed_ids(self) -> Tensor:
        """The ids, packed as programs take them."""
        return packed(self.ids, self.length)


def packed(rows: Tensor, length: Tensor) -> Tensor:
    """[B, L, ...] as [B * L, ...]: first the used positions of all rows, then values that mean nothing."""
    used = torch.arange(rows.shape[1])[None] < length[:, None]
    return torch.cat([rows[used], rows[~used]])


def embedded() -> Checkpoint:
    """The embedded checkpoint."""
    model = T5ForConditionalGeneration.from_pretrained(EMBEDDED).eval()
    return _checkpoint(json.loads((EMBEDDED / "config.json").read_text()), model)


def random_checkpoint(seed: int = 0, separate_lm_head: bool = False, **shape: object) -> Checkpoint:
    """A seeded model, written in its config as transformers writes it."""
    torch.manual_seed(seed)
    model = T5ForConditionalGeneration(T5Config(vocab_size=384, dropout_rate=0.0, **shape)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # The norms differ from 1, and the weights are large, so that attention is far from uniform.
            parameter.add_(torch.randn_like(parameter) * (0.2 if parameter.ndim == 1 else 0.15))
        if separate_lm_head:
            model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.2)
    return _checkpoint(model.config.to_dict(), model, separate_lm_head)


def _checkpoint(
    config: dict[str, object], model: T5ForConditionalGeneration, separate_lm_head: bool = True
) -> Checkpoint:
    state = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if "embed_tokens" not in name and (separate_lm_head or name != "lm_head.weight")
    }
    architecture = architecture_of(config, {name: tuple(tensor.shape) for name, tensor in state.items()})
    return Checkpoint(model, architecture, state)


def batch(checkpoint: Checkpoint, lengths: Sequence[int], input_len: int, output_len: int, seed: int = 0) -> Batch:
    """Random inputs of the given lengths, and the reference's hidden states and logits."""
    generator = torch.Generator().manual_seed(seed)
    rows = len(lengths)
    ids = torch.randint(0, 384, (rows, input_len), dtype=torch.int32, generator=generator)
    decoder_ids = torch.randint(3, 384, (rows, output_len), dtype=torch.int32, generator=generator)
    decoder_ids[:, 0] = 0
    mask = (torch.arange(input_len)[None] < torch.tensor(lengths)[:, None]).to(torch.int32)
    with torch.no_grad():
        hidden = checkpoint.model.encoder(ids.long(), attention_mask=mask).last_hidden_state
        logits = checkpoint.model(
            encoder_outputs=(hidden,), attention_mask=mask, decoder_input_ids=decoder_ids.long()
        ).logits
    length = torch.tensor(lengths, dtype=torch.int32)
    return Batch(ids, length, decoder_ids, packed(hidden, length), logits)


def roles(checkpoint: Checkpoint, example: Batch, dtype: str) -> dict[str, Program]:
    """The four programs for a batch, by role. They are for its longest input, and for steps of one token."""
    rows, input_len = example.ids.shape
    output_len = example.decoder_ids.shape[1]
    return {
        program.role: program
        for kv_cache in (True, False)
        for program in programs(checkpoint.architecture, [rows], [input_len], output_len, dtype, kv_cache)
        if program.tokens in (None, 1)
    }


def run(program: Program, weights: dict[str, Tensor], *others: Tensor) -> tuple[Tensor, ...]:
    """Runs a program's torch module and returns its outputs, then its state."""
    taken = [weights[spec.name] for kind, spec in program.inputs if kind == "weight"]
    with torch.no_grad():
        result = program.module(*nested_arguments(program, [*others, *taken]))
    return result if isinstance(result, tuple) else (result,)


def hidden_error(found: Tensor, example: Batch) -> float:
    """The largest difference of packed hidden states from the reference's."""
    used = int(example.length.sum())
    return float((found - example.hidden)[:used].abs().max())
