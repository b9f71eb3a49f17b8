"""Trains a ByT5-style G2P checkpoint on the CPU, from scratch or from another checkpoint.

    python -m g2p_build.training --data DATA --out OUT --minutes 75

DATA holds train/LANG.tsv and, to be scored on, dev/LANG.tsv and test/LANG.tsv (lines of word<TAB>ipa[,ipa...]; the
first pronunciation is learnt). OUT receives config.json and model.safetensors, and state.pt, from which the same
command goes on where it was killed. Inputs have no end token, labels do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import T5ForConditionalGeneration

from g2p_build.checkpoints.files import local_files
from g2p_build.checkpoints.random_weights import architecture_from_shape
from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.errors import BuildError
from g2p_build.models.architecture import Architecture, to_json
from g2p_build.reference.generate import PAD, generate, text_of, tokens_of
from g2p_build.reference.pretrained import as_config, as_model, save_checkpoint, write_whole
from g2p_build.reference.scores import Entry, read_dictionary, score
from g2p_build.store.digests import digest_of
from g2p_build.training.batches import Example, batches_of, examples_of, pad, shares_of

__all__ = ["main", "train"]

SHAPE: dict[str, Any] = {
    "d_model": 192,
    "d_kv": 64,
    "d_ff": 512,
    "num_heads": 4,
    "num_layers": 4,
    "num_decoder_layers": 2,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "vocab_size": 384,
    "layer_norm_epsilon": 1e-6,
}
"""The embedded checkpoint's."""

WARM_UP = 400
"""Steps until the learning rate is at its peak; at most a tenth of the run."""

REPORT, SCORE = 200, 5000
"""Steps between progress lines, and between scores on 50 words a language of dev/."""


def train(args: argparse.Namespace) -> None:
    """Trains as the command line says, from OUT's saved state where there is one.

    Raises:
        BuildError: the data, the shape, the first checkpoint or the saved state cannot be used, or training diverged.
    """
    words = read_dictionary(_folder(args.data / "train"))
    shares = shares_of(args.shares, {language: len(rows) for language, rows in words.items()})
    scored = {part: _scored(args.data / part, shares) for part in ("dev", "test")}
    data = {language: examples_of(args.prompt, language, words[language]) for language in shares}
    architecture, model = _first_model(args.init, args.shape, args.seed)
    optimizer = _optimizer(model, args.lr)
    settings = {
        "data": digest_of(data),
        "architecture": to_json(architecture),
        "first weights": _digest(model),
        **{name: getattr(args, name) for name in ("batch", "lr", "seed", "minutes", "steps", "prompt")},
        "shares": shares,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    step, before, mean = _resume(args.out / "state.pt", settings, model, optimizer)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters; from step {step}", flush=True)
    warm_up = min(WARM_UP, max(1, args.steps // 10)) if args.steps else WARM_UP
    started = time.monotonic()
    for examples in islice(batches_of(data, shares, args.batch, args.seed), step, None):
        elapsed = before + time.monotonic() - started
        done = step / args.steps if args.steps else elapsed / (60 * args.minutes)
        if done >= 1:
            break
        step += 1
        rate = args.lr * min(1.0, step / warm_up) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        loss = _step(model, optimizer, examples, rate)
        if not math.isfinite(loss):
            raise BuildError(f"the loss is {loss} at step {step}: training diverged; lower --lr (it is {args.lr:g})")
        mean = loss if mean is None else 0.98 * mean + 0.02 * loss
        if step % REPORT == 0 or step == args.steps:
            print(f"step {step} ({done:.0%}) loss {mean:.4f} rate {rate:.2e} {elapsed:.0f} s", flush=True)
        if step % SCORE == 0:
            _score(model, "dev", scored["dev"], args.prompt, 50)
        if step % args.save_every == 0:
            _save_state(args.out / "state.pt", settings, model, optimizer, (step, elapsed, mean))
    _save_state(args.out / "state.pt", settings, model, optimizer, (step, before + time.monotonic() - started, mean))
    save_checkpoint(args.out, architecture, model)
    for part, rows in scored.items():
        _score(model, part, rows, args.prompt, 250)
    print(f"wrote {args.out / 'model.safetensors'} after step {step}", flush=True)


def _digest(model: T5ForConditionalGeneration) -> str:
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().numpy())
    return digest.hexdigest()


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise BuildError(f"{path} is not a folder: --data needs train/LANG.tsv in it")
    return path


def _first_model(
    init: Path | None, shape: Mapping[str, Any], seed: int
) -> tuple[Architecture, T5ForConditionalGeneration]:
    if init is not None:
        architecture, state = read_checkpoint(local_files(init))
        if architecture.separate_lm_head and torch.equal(state["lm_head.weight"], state["shared.weight"]):
            # One matrix that was saved under two names (as `_save_checkpoint` does) goes on being one.
            architecture = replace(architecture, separate_lm_head=False)
            del state["lm_head.weight"]
        return architecture, as_model(architecture, state).train()
    architecture = replace(architecture_from_shape({**SHAPE, **shape}), separate_lm_head=False)
    torch.manual_seed(seed)
    model = T5ForConditionalGeneration(as_config(architecture))
    # At a standard deviation of 0.3 the model had not learnt to align letters with phonemes after 780,000 words.
    torch.nn.init.normal_(model.shared.weight, std=architecture.d_model**-0.5)
    return architecture, model.train()


def _optimizer(model: T5ForConditionalGeneration, rate: float) -> torch.optim.Optimizer:
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    scales = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": 0.01},
        {"params": scales, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


def _step(
    model: T5ForConditionalGeneration, optimizer: torch.optim.Optimizer, examples: Sequence[Example], rate: float
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    ids, labels = pad([x for x, _ in examples], PAD), pad([y for _, y in examples], -100)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(input_ids=ids, attention_mask=(ids != PAD).long(), labels=labels).logits
    loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def _scored(folder: Path, shares: Mapping[str, float]) -> dict[str, list[Entry]]:
    """The dictionaries of dev/ or test/ in the languages trained; none where there is no such folder."""
    found = read_dictionary(folder) if folder.is_dir() else {}
    return {language: rows for language, rows in found.items() if language in shares}


def _score(
    model: T5ForConditionalGeneration, part: str, rows: Mapping[str, Sequence[Entry]], prompt: str, limit: int
) -> None:
    """Prints the error rates on the first `limit` words of each language."""
    model.eval()
    for language, entries in rows.items():
        first = entries[:limit]
        ids = generate(model, [tokens_of(prompt, language, word) for word, _ in first], max_length=128)
        result = score([text_of(row) for row in ids], [known for _, known in first])
        rates = f"PER {result.per():.4f} WER {result.wer():.3f}"
        print(f"{part} {language}: {rates} over {result.words} words", flush=True)
    model.train()


def _resume(
    path: Path, settings: Mapping[str, Any], model: T5ForConditionalGeneration, optimizer: torch.optim.Optimizer
) -> tuple[int, float, float | None]:
    """Loads a saved state; the steps done, the seconds they took and their mean loss."""
    if not path.exists():
        return 0, 0.0, None
    try:
        saved = torch.load(path, weights_only=True)
        other = [name for name, value in settings.items() if saved["settings"].get(name) != value]
    except Exception as error:
        reason = " ".join(str(error).split())[:100]
        raise BuildError(f"{path} is not a saved state ({reason}): remove it, or give another --out") from None
    if other:
        raise BuildError(
            f"{path} is the state of a run with another {other[0]}: give the same settings and data to go "
            "on with it, or another --out"
        )
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    return saved["step"], saved["elapsed"], saved["mean"]


def _save_state(
    path: Path,
    settings: Mapping[str, Any],
    model: T5ForConditionalGeneration,
    optimizer: torch.optim.Optimizer,
    progress: tuple[int, float, float | None],
) -> None:
    # No generator's state: the batches follow from the seed and the step, and there is no dropout.
    state = {
        "settings": dict(settings),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        **dict(zip(("step", "elapsed", "mean"), progress, strict=True)),
    }
    write_whole(path, lambda temporary: torch.save(state, temporary))


def _shape(text: str) -> dict[str, Any]:
    try:
        shape = json.loads(text)
    except ValueError:
        shape = None
    if not isinstance(shape, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object")
    unknown = sorted(set(shape) - set(SHAPE))
    if unknown:
        raise argparse.ArgumentTypeError(f"no field {unknown[0]!r}: there are {', '.join(SHAPE)}")
    return shape


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value

    number.__name__ = f"positive {kind.__name__}"
    return number


def _prompt(text: str) -> str:
    if "{word}" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} has no {{word}} in it")
    try:
        text.format(lang="", word="")
    except (KeyError, IndexError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} has other fields than {{lang}} and {{word}}") from None
    return text


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m g2p_build.training", description="Trains a ByT5-style G2P checkpoint.")
    add = parser.add_argument
    add("--data", type=Path, required=True, help="a folder with train/LANG.tsv, dev/LANG.tsv, test/LANG.tsv")
    add("--out", type=Path, required=True, help="the checkpoint's folder; a run killed here is gone on with")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=_positive(float), help="train for so long, in all runs together")
    length.add_argument("--steps", type=_positive(int), help="batches; with as many threads the weights are the same")
    first = parser.add_mutually_exclusive_group()
    first.add_argument("--init", type=Path, help="a checkpoint's folder to start from")
    first.add_argument("--shape", type=_shape, default={}, help="JSON: T5Config fields that differ from embedded's")
    add("--shares", help="LANG=SHARE,...: how often each language is drawn (by default by the roots of their sizes)")
    add("--prompt", type=_prompt, default="<{lang}>: {word}", help="default: %(default)s")
    add("--batch", type=_positive(int), default=64, help="words a step (%(default)s)")
    add("--lr", type=_positive(float), default=6e-4, help="peak learning rate (%(default)s)")
    add("--seed", type=int, default=0)
    add("--save-every", type=_positive(int), default=500, metavar="STEPS", help="state saved so often (%(default)s)")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """The command; its exit status."""
    args = _arguments(argv)
    try:
        train(args)
    except (BuildError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from the last saved state", file=sys.stderr)
        return 130
    return 0
