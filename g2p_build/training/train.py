"""Trains a ByT5-style G2P checkpoint on the CPU, from scratch or from another checkpoint.

    python -m g2p_build.training --data DATA --out OUT --words 1200000

DATA holds train/LANG.tsv and, to be scored on, dev/LANG.tsv and test/LANG.tsv (lines of word<TAB>ipa[,ipa...]; the
first pronunciation is learnt). Inputs have no end token, labels do.

OUT receives config.json, model.safetensors and training.json (what the weights have seen, and how), and the run's
state. A run that is killed goes on when the same command is given again. The learning rate rises, stays, and falls to
zero over the last words; OUT/state.pt keeps the weights from before it fell, so that a run that has ended goes on, too:
with more --words. A smaller --words lets the learning rate fall at once.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import T5ForConditionalGeneration

from g2p_build.checkpoints.files import local_files
from g2p_build.checkpoints.random_weights import architecture_from_shape
from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.errors import BuildError
from g2p_build.models.architecture import EMBEDDINGS, Architecture, checkpoint_tensors, to_json
from g2p_build.reference.generate import PAD, generate, text_of, tokens_of
from g2p_build.reference.pretrained import as_config, as_model, save_checkpoint, write_whole
from g2p_build.reference.scores import Entry, read_dictionary, score
from g2p_build.store.digests import digest_of
from g2p_build.training.batches import PIECE, Example, Source, batches_of, examples_of, pad, piece_of, shares_of
from g2p_build.training.forward import IGNORED, loss_of
from g2p_build.training.muon import Muon, is_block_matrix
from g2p_build.training.use import frequencies_of, held_out

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

REPORT, SCORE = 100, 1000
"""Steps between progress lines, and between losses on words that are not trained on."""

RECORD = "training.json"


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: batches seen.
        mean: their mean loss a token, the latest counting most.
    """

    step: int = 0
    mean: float | None = None


@dataclass(frozen=True)
class Run:
    """What stays the same for a whole run; the weights' and the optimiser's values change in place."""

    args: argparse.Namespace
    architecture: Architecture
    weights: dict[str, Tensor]
    optimizer: Muon
    sources: Mapping[str, Source]
    unseen: Mapping[str, Sequence[Example]]
    settings: dict[str, Any]
    threads: Executor


def train(args: argparse.Namespace) -> None:
    """Trains as the command line says, from OUT's saved state where there is one.

    Raises:
        BuildError: the data, the shape, the first checkpoint or the saved state cannot be used, or training diverged.
    """
    piece_of(args.batch)
    words = read_dictionary(_folder(args.data / "train"))
    shares = shares_of(args.shares, {language: len(rows) for language, rows in words.items()})
    kept, held = _split(words, shares, args.hold_out)
    scored = {part: _scored(args.data / part, shares) for part in ("dev", "test")} | {"held-out": held}
    sources = _sources(args, kept, shares)
    architecture, weights, earlier = _first_weights(args.init, args.shape, args.seed)
    settings = {
        # Of the frequencies their sum is enough to tell one edition of a list from another.
        "data": digest_of([[language, kept[language], str(sources[language].use[-1:])] for language in shares]),
        "architecture": to_json(architecture),
        **{name: getattr(args, name) for name in ("batch", "lr", "dtype", "seed", "hold_out", "prompt")},
        "shares": shares,
        "by_use": {language: source.by_use for language, source in sources.items()},
    }
    unseen = {
        language: list(examples_of(args.prompt, language, rows[:250]).values())
        for language, rows in (held if args.hold_out else scored["dev"]).items()
    }
    args.out.mkdir(parents=True, exist_ok=True)
    with _one_thread_each(args.threads) as threads:
        optimizer = Muon(architecture, weights, getattr(torch, args.dtype))
        run = Run(args, architecture, weights, optimizer, sources, unseen, settings, threads)
        record = _train(run, earlier)
    model = as_model(architecture, {name: weight.detach() for name, weight in weights.items()})
    save_checkpoint(args.out, architecture, model)
    text = json.dumps(record, indent=2) + "\n"
    write_whole(args.out / RECORD, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    for part, rows in scored.items():
        _score(model, part, rows, args.prompt)
    print(f"wrote {args.out / 'model.safetensors'} after {record['words']:,} words in all", flush=True)


def _train(run: Run, earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The two phases: the learning rate at its peak, then falling; the record of what the weights have seen."""
    args = run.args
    state, falling = args.out / "state.pt", args.out / "decay.pt"
    progress, saved = _resume(state, run.settings, run)
    earlier = list(earlier if saved is None else saved["earlier"])
    count = sum(weight.numel() for weight in run.weights.values())
    print(f"{count:,} parameters; from step {progress.step}, {progress.step * args.batch:,} words", flush=True)
    decay = args.words // 5 if args.decay is None else args.decay
    warm_up = max(1, args.warm_up // args.batch)
    first, length = math.ceil((args.words - decay) / args.batch), math.ceil(decay / args.batch)
    if progress.step < first:
        progress = _advance(run, progress, first, lambda step: min(1.0, step / warm_up), state, {"earlier": earlier})
    first = progress.step
    settings = {**run.settings, "decay": [first, length]}
    if falling.exists() and _read_state(falling)["settings"] != settings:
        falling.unlink()  # of an end that is no longer wanted
    fallen, saved = _resume(falling, settings, run)
    progress = progress if saved is None else fallen

    def rate(step: int) -> float:
        return min(1.0, step / warm_up) * (length - (step - first) + 1) / (length + 1)

    progress = _advance(run, progress, first + length, rate, falling, {}, settings)
    leg = {
        "words": progress.step * args.batch,
        "decay": length * args.batch,
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
    args = run.args
    started, before = time.monotonic(), progress.step

    def save() -> None:
        _save_state(state, {"settings": dict(settings or run.settings), **more}, run, progress)

    for pieces in batches_of(run.sources, args.batch, args.seed, progress.step):
        if progress.step >= end:
            break
        step = progress.step + 1
        loss = _step(run, pieces, args.lr * rate(step))
        if not math.isfinite(loss):
            raise BuildError(f"the loss is {loss} at step {step}: training diverged; lower --lr (it is {args.lr:g})")
        mean = loss if progress.mean is None else 0.98 * progress.mean + 0.02 * loss
        progress = Progress(step, mean)
        if step % REPORT == 0 or step == end:
            speed = (step - before) * args.batch / (time.monotonic() - started)
            started, before = time.monotonic(), step
            words = f"{step * args.batch:,} words"
            print(f"step {step}, {words}: loss {mean:.4f} rate {args.lr * rate(step):.2e} {speed:.0f}/s", flush=True)
        if run.unseen and (step % SCORE == 0 or step == end):
            print(f"unseen after {step * args.batch:,} words: {_losses(run)}", flush=True)
        if step % args.save_every == 0:
            save()
    save()
    return progress


def _step(run: Run, pieces: Sequence[Sequence[Example]], rate: float) -> float:
    tokens = sum(len(y) for piece in pieces for _, y in piece)
    weights = _computed_with(run)

    def gradients_of(piece: Sequence[Example]) -> tuple[float, list[Tensor]]:
        loss = _loss(run, weights, piece) / tokens
        gradients = torch.autograd.grad(loss, list(weights.values()))
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


def _computed_with(run: Run) -> dict[str, Tensor]:
    """The weights as the forward pass takes them: the matrices in the type of the products.

    The optimiser changes float32 weights: most of its steps are smaller than bfloat16 can tell apart.
    """
    dtype = getattr(torch, run.args.dtype)
    return {
        name: weight.detach()
        .to(dtype if is_block_matrix(name) or name in (EMBEDDINGS[0], "lm_head.weight") else torch.float32)
        .requires_grad_()
        for name, weight in run.weights.items()
    }


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


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise BuildError(f"{path} is not a folder: --data needs train/LANG.tsv in it")
    return path


def _split(
    words: Mapping[str, Sequence[Entry]], languages: Mapping[str, float], count: int
) -> tuple[dict[str, list[Entry]], dict[str, list[Entry]]]:
    """The words of each language to train on, and those that are held out."""
    kept: dict[str, list[Entry]] = {}
    held: dict[str, list[Entry]] = {}
    for language in languages:
        out = held_out(language, (word for word, _ in words[language]), count)
        kept[language] = [entry for entry in words[language] if entry[0] not in out]
        held[language] = [entry for entry in words[language] if entry[0] in out]
        if not kept[language]:
            raise BuildError(f"--hold-out {count} leaves no word of {language} to train on")
    return kept, held if count else {}


def _sources(
    args: argparse.Namespace, words: Mapping[str, Sequence[Entry]], shares: Mapping[str, float]
) -> dict[str, Source]:
    sources = {}
    for language, share in shares.items():
        examples = examples_of(args.prompt, language, words[language])
        known = frequencies_of(language) if args.by_use else {}
        # The root: words would otherwise come as seldom as they are used, most of them never.
        use = list(itertools.accumulate(known.get(word, 0.0) ** 0.5 for word in examples))
        by_use = args.by_use if use[-1] else 0.0
        sources[language] = Source(list(examples.values()), share, by_use, use if by_use else ())
        left_out = len(words[language]) - len(examples)
        print(
            f"{language}: {len(examples):,} words, share {share:.3f}, by use {by_use:g}"
            + (f" ({left_out:,} too long)" if left_out else ""),
            flush=True,
        )
    return sources


def _first_weights(
    init: Path | None, shape: Mapping[str, Any], seed: int
) -> tuple[Architecture, dict[str, Tensor], list[Any]]:
    """The architecture, the tensors as leaves that gradients are taken of, and what they have been trained on."""
    earlier: list[Any] = []
    if init is not None:
        architecture, state = read_checkpoint(local_files(init))
        if architecture.separate_lm_head and torch.equal(state["lm_head.weight"], state["shared.weight"]):
            # One matrix that was saved under two names (as `save_checkpoint` does) goes on being one.
            architecture = replace(architecture, separate_lm_head=False)
        if (init / RECORD).is_file():
            earlier = _legs(init / RECORD)
    else:
        architecture = replace(architecture_from_shape({**SHAPE, **shape}), separate_lm_head=False)
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(as_config(architecture))
        # At a standard deviation of 0.3 the model had not learnt to align letters with phonemes after 780,000 words.
        torch.nn.init.normal_(model.shared.weight, std=architecture.d_model**-0.5)
        state = model.state_dict()
    names = checkpoint_tensors(architecture)
    return architecture, {name: state[name].detach().clone().float().requires_grad_() for name in names}, earlier


def _legs(path: Path) -> list[Any]:
    try:
        legs = json.loads(path.read_bytes())["legs"]
        sum(leg["words"] for leg in legs)
    except (ValueError, KeyError, TypeError):
        raise BuildError(f"{path} is not a record of training: repair or remove it") from None
    return list(legs)


def _scored(folder: Path, shares: Mapping[str, float]) -> dict[str, list[Entry]]:
    """The dictionaries of dev/ or test/ in the languages trained; none where there is no such folder."""
    found = read_dictionary(folder) if folder.is_dir() else {}
    return {language: rows for language, rows in found.items() if language in shares}


def _score(model: T5ForConditionalGeneration, part: str, rows: Mapping[str, Sequence[Entry]], prompt: str) -> None:
    """Prints the error rates of each language."""
    for language, entries in rows.items():
        ids = generate(model, [tokens_of(prompt, language, word) for word, _ in entries], max_length=128)
        result = score([text_of(row) for row in ids], [known for _, known in entries])
        rates = f"PER {result.per():.4f} WER {result.wer():.3f}"
        print(f"{part} {language}: {rates} over {result.words} words", flush=True)


def _read_state(path: Path) -> dict[str, Any]:
    try:
        saved = torch.load(path, weights_only=True)
        saved["settings"], saved["progress"]
    except Exception as error:
        reason = " ".join(str(error).split())[:100]
        raise BuildError(f"{path} is not a saved state ({reason}): remove it, or give another --out") from None
    return dict(saved)


def _resume(path: Path, settings: Mapping[str, Any], run: Run) -> tuple[Progress, dict[str, Any] | None]:
    """Loads a saved state, where there is one."""
    if not path.exists():
        return Progress(), None
    saved = _read_state(path)
    other = [name for name, value in settings.items() if saved["settings"].get(name) != value]
    if other:
        raise BuildError(
            f"{path} is the state of a run with another {other[0]}: give the same settings and data to go "
            "on with it, or another --out"
        )
    with torch.no_grad():
        for name, weight in run.weights.items():
            weight.copy_(saved["weights"][name])
    run.optimizer.load_state_dict(saved["optimizer"])
    return Progress(**saved["progress"]), saved


def _save_state(path: Path, content: Mapping[str, Any], run: Run, progress: Progress) -> None:
    # No generator's state: the batches follow from the seed and the step, and there is no dropout.
    state = {
        **content,
        "weights": {name: weight.detach() for name, weight in run.weights.items()},
        "optimizer": run.optimizer.state_dict(),
        "progress": asdict(progress),
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


def _part(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m g2p_build.training", description="Trains a ByT5-style G2P checkpoint.")
    add = parser.add_argument
    add("--data", type=Path, required=True, help="a folder with train/LANG.tsv, dev/LANG.tsv, test/LANG.tsv")
    add("--out", type=Path, required=True, help="the checkpoint's folder; a run killed here is gone on with")
    add("--words", type=_positive(int), required=True, help="words to see, in all runs of this command together")
    add("--warm-up", type=_natural, default=20_000, help="words until the learning rate is at its peak (%(default)s)")
    add("--decay", type=_natural, help="the last words, over which the learning rate falls (default: a fifth)")
    first = parser.add_mutually_exclusive_group()
    first.add_argument("--init", type=Path, help="a checkpoint's folder to start from where OUT has no state yet")
    first.add_argument("--shape", type=_shape, default={}, help="JSON: T5Config fields that differ from embedded's")
    add("--shares", help="LANG=SHARE,...: how often each language is drawn (by default by the roots of their sizes)")
    add("--by-use", type=_part, default=0.0, metavar="PART", help="how many draws go by the root of a word's use")
    add("--hold-out", type=_natural, default=0, metavar="WORDS", help="words a language kept for scoring, see use.py")
    add("--prompt", type=_prompt, default="<{lang}>: {word}", help="default: %(default)s")
    add("--batch", type=_positive(int), default=128, help="words a step (%(default)s)")
    add("--lr", type=_positive(float), default=1e-3, help="peak learning rate (%(default)s)")
    add("--dtype", choices=("float32", "bfloat16"), default="float32", help="of the matrix products (%(default)s)")
    add("--seed", type=int, default=0)
    add("--threads", type=_positive(int), default=os.cpu_count(), help="they do not change the weights (%(default)s)")
    add("--save-every", type=_positive(int), default=200, metavar="STEPS", help="state saved so often (%(default)s)")
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
