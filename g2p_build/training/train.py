"""Trains the weights of a ByT5-style G2P checkpoint on the CPU.

Inputs have no end token, labels do. The learning rate rises, stays, and falls to zero over the last words. The state is
saved before it falls as well as after, so that a run that has ended can go on with more words.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import T5ForConditionalGeneration

from g2p_build.errors import BuildError
from g2p_build.models.architecture import Architecture, to_json
from g2p_build.reference.generate import PAD, generate, text_of, tokens_of
from g2p_build.reference.pretrained import as_model, save_checkpoint, write_whole
from g2p_build.reference.scores import Entry, score
from g2p_build.store.digests import digest_of
from g2p_build.training.batches import PIECE, Example, Source, batches_of, examples_of, pad, piece_of, shares_of
from g2p_build.training.data import scored_words, sources_of, split, training_words
from g2p_build.training.forward import IGNORED, loss_of, matrices_in
from g2p_build.training.muon import Muon
from g2p_build.training.start import RECORD, start
from g2p_build.training.states import Progress, read_state, resume, save_state

__all__ = ["Options", "train"]

REPORT, SCORE = 100, 1000
"""Steps between progress lines, and between losses on words that are not trained on."""


@dataclass(frozen=True)
class Options:
    """What the command line says. Each field is an option of the same name."""

    data: Path
    out: Path
    words: int  # to see, in all runs with this `out` together
    warm_up: int  # words until the learning rate is at its peak
    decay: int | None  # the last words, over which it falls; None: a fifth of them
    init: Path | None  # a checkpoint's folder; None: random weights
    shape: Mapping[str, Any]  # of random weights, where it differs from the embedded checkpoint's
    shares: str | None  # LANG=SHARE,...
    by_use: float  # the part of the draws that goes by use
    hold_out: int  # words a language that are kept for scoring
    prompt: str
    batch: int  # words a step
    lr: float  # the learning rate at its peak
    dtype: str  # of the matrix products, as torch names it
    seed: int
    threads: int
    save_every: int  # steps


@dataclass(frozen=True)
class Run:
    """What stays the same for a whole run; the weights' and the optimiser's values change in place."""

    options: Options
    dtype: torch.dtype  # of the matrix products
    architecture: Architecture
    weights: dict[str, Tensor]
    optimizer: Muon
    sources: Mapping[str, Source]
    unseen: Mapping[str, Sequence[Example]]
    settings: dict[str, Any]
    threads: Executor


def train(options: Options) -> None:
    """Trains as the options say, from OUT's saved state where there is one.

    Raises:
        BuildError: the data, the shape, the first checkpoint or the saved state cannot be used, or training diverged.
    """
    piece_of(options.batch)
    words = training_words(options.data)
    shares = shares_of(options.shares, {language: len(rows) for language, rows in words.items()})
    kept, held = split(words, shares, options.hold_out)
    scored = {part: scored_words(options.data / part, shares) for part in ("dev", "test")} | {"held-out": held}
    sources = sources_of(kept, shares, options.by_use, options.prompt)
    first = start(options.init, options.shape, options.seed)
    architecture, weights = first.architecture, first.weights
    settings = {
        # Of the frequencies their sum is enough to tell one edition of a list from another.
        "data": digest_of([[language, kept[language], str(sources[language].use[-1:])] for language in shares]),
        "architecture": to_json(architecture),
        **{name: getattr(options, name) for name in ("batch", "lr", "dtype", "seed", "hold_out", "prompt")},
        "shares": shares,
        "by_use": {language: source.by_use for language, source in sources.items()},
    }
    unseen = {
        language: list(examples_of(options.prompt, language, rows[:250]).values())
        for language, rows in (held if options.hold_out else scored["dev"]).items()
    }
    options.out.mkdir(parents=True, exist_ok=True)
    with _one_thread_each(options.threads) as threads:
        dtype = getattr(torch, options.dtype)
        optimizer = Muon(architecture, weights, dtype)
        run = Run(options, dtype, architecture, weights, optimizer, sources, unseen, settings, threads)
        record = _train(run, first.legs)
    model = as_model(architecture, {name: weight.detach() for name, weight in weights.items()})
    save_checkpoint(options.out, architecture, model)
    text = json.dumps(record, indent=2) + "\n"
    write_whole(options.out / RECORD, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    for part, rows in scored.items():
        _score(model, part, rows, options.prompt)
    print(f"wrote {options.out / 'model.safetensors'} after {record['words']:,} words in all", flush=True)


def _train(run: Run, earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The two phases: the learning rate at its peak, then falling; the record of what the weights have seen."""
    options = run.options
    state, falling = options.out / "state.pt", options.out / "decay.pt"
    progress, saved = resume(state, run.settings, run.weights, run.optimizer)
    earlier = list(earlier if saved is None else saved["earlier"])
    count = sum(weight.numel() for weight in run.weights.values())
    print(f"{count:,} parameters; from step {progress.step}, {progress.step * options.batch:,} words", flush=True)
    decay = options.words // 5 if options.decay is None else options.decay
    warm_up = max(1, options.warm_up // options.batch)
    first, length = math.ceil((options.words - decay) / options.batch), math.ceil(decay / options.batch)
    if progress.step < first:
        progress = _advance(run, progress, first, lambda step: min(1.0, step / warm_up), state, {"earlier": earlier})
    first = progress.step
    settings = {**run.settings, "decay": [first, length]}
    if falling.exists() and read_state(falling)["settings"] != settings:
        falling.unlink()  # of an end that is no longer wanted
    fallen, saved = resume(falling, settings, run.weights, run.optimizer)
    progress = progress if saved is None else fallen

    def rate(step: int) -> float:
        return min(1.0, step / warm_up) * (length - (step - first) + 1) / (length + 1)

    progress = _advance(run, progress, first + length, rate, falling, {}, settings)
    leg = {
        "words": progress.step * options.batch,
        "decay": length * options.batch,
        "optimizer": "Muon",
        **{name: settings[name] for name in ("lr", "dtype", "batch", "seed", "hold_out")},
        "shares": {language: round(share, 4) for language, share in settings["shares"].items()},
        "by_use": settings["by_use"],
    }
    legs = [*earlier, leg]
    return {"words": sum(leg["words"] for leg in legs), "legs": legs}


def _advance(
    run: Run,
    progress: Progress,
    end: int,
    rate: Callable[[int], float],
    state: Path,
    more: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
) -> Progress:
    """Trains up to a step and saves the state, at the end and on the way.

    Args:
        run: what is trained.
        progress: how far it is.
        end: the step to stop after.
        rate: the learning rate at a step, in units of --lr.
        state: the file to save to.
        more: what else to save.
        settings: the settings to save, where they are not the run's.
    """
    options = run.options
    started, before = time.monotonic(), progress.step

    def save() -> None:
        content = {"settings": dict(settings or run.settings), **more}
        save_state(state, content, run.weights, run.optimizer, progress)

    for pieces in batches_of(run.sources, options.batch, options.seed, progress.step):
        if progress.step >= end:
            break
        step = progress.step + 1
        loss = _step(run, pieces, options.lr * rate(step))
        if not math.isfinite(loss):
            raise BuildError(f"the loss is {loss} at step {step}: training diverged; lower --lr (it is {options.lr:g})")
        mean = loss if progress.mean is None else 0.98 * progress.mean + 0.02 * loss
        progress = Progress(step, mean)
        if step % REPORT == 0 or step == end:
            speed = (step - before) * options.batch / (time.monotonic() - started)
            started, before = time.monotonic(), step
            words = f"{step * options.batch:,} words"
            print(f"step {step}, {words}: loss {mean:.4f} rate {options.lr * rate(step):.2e} {speed:.0f}/s", flush=True)
        if run.unseen and (step % SCORE == 0 or step == end):
            print(f"unseen after {step * options.batch:,} words: {_losses(run)}", flush=True)
        if step % options.save_every == 0:
            save()
    save()
    return progress


def _step(run: Run, pieces: Sequence[Sequence[Example]], rate: float) -> float:
    tokens = sum(len(y) for piece in pieces for _, y in piece)
    # The optimiser changes float32 weights: most of its steps are smaller than bfloat16 can tell apart.
    weights = matrices_in(run.weights, run.dtype)
    leaves = [weight.requires_grad_() for weight in weights.values()]

    def gradients_of(piece: Sequence[Example]) -> tuple[float, list[Tensor]]:
        loss = _loss(run, weights, piece) / tokens
        gradients = torch.autograd.grad(loss, leaves)
        return loss.item(), [gradient.float() for gradient in gradients]

    # Added up in the order of the pieces: the sum does not depend on the number of threads.
    first, *others = run.threads.map(gradients_of, pieces)
    loss, total = first
    for part, gradients in others:
        loss += part
        torch._foreach_add_(total, gradients)
    norm = torch.nn.utils.get_total_norm(total)
    torch._foreach_mul_(total, (1 / norm).clamp(max=1.0))
    run.optimizer.step(dict(zip(run.weights, total, strict=True)), rate, run.threads.map)
    return loss


def _loss(run: Run, weights: Mapping[str, Tensor], piece: Sequence[Example]) -> Tensor:
    ids, labels = pad([x for x, _ in piece], PAD), pad([y for _, y in piece], IGNORED)
    return loss_of(run.architecture, weights, ids, labels)


@torch.no_grad()
def _losses(run: Run) -> str:
    """The loss a token on words that are not trained on, by language."""
    found = []
    for language, examples in run.unseen.items():
        rows = sorted(examples, key=lambda row: (len(row[0]), len(row[1])))
        pieces = [rows[i : i + PIECE] for i in range(0, len(rows), PIECE)]
        # A thread does not know that its parent wants no gradients.
        total = sum(run.threads.map(lambda piece: torch.no_grad()(_loss)(run, run.weights, piece).item(), pieces))
        found.append(f"{language} {total / sum(len(y) for _, y in rows):.4f}")
    return " ".join(found)


@contextmanager
def _one_thread_each(count: int) -> Iterator[Executor]:
    """Threads whose torch operations take one thread each.

    A thread with work of its own never waits for another in the middle of an operation, as torch's own threads do; on
    a busy machine that is most of the time.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(count) as threads:
            yield threads
    finally:
        torch.set_num_threads(before)


def _score(model: T5ForConditionalGeneration, part: str, rows: Mapping[str, Sequence[Entry]], prompt: str) -> None:
    """Prints the error rates of each language."""
    for language, entries in rows.items():
        ids = generate(model, [tokens_of(prompt, language, word) for word, _ in entries], max_length=128)
        result = score([text_of(row) for row in ids], [known for _, known in entries])
        rates = f"PER {result.per():.4f} WER {result.wer():.3f}"
        print(f"{part} {language}: {rates} over {result.words} words", flush=True)
