"""The trainer's command line.

    python -m g2p_build.training --data DATA --out OUT --words 1200000

DATA holds train/LANG.tsv and, to be scored on, dev/LANG.tsv and test/LANG.tsv (lines of word<TAB>ipa[,ipa...]; the
first pronunciation is learnt).

OUT receives config.json, model.safetensors and training.json (what the weights have seen, and how), and the run's
state. A run that is killed goes on when the same command is given again. The learning rate rises, stays, and falls to
zero over the last words; OUT/state.pt keeps the weights from before it fell, so that a run that has ended goes on, too:
with more --words. A smaller --words lets the learning rate fall at once.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.training.start import SHAPE
from g2p_build.training.train import Options, train

__all__ = ["main"]


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
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a part: give a number from 0 to 1")
    return value


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of words: give 0 or more")
    return int(text)


def _options(argv: Sequence[str]) -> Options:
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
    return Options(**vars(parser.parse_args(argv)))


def main(argv: Sequence[str]) -> int:
    """The command; its exit status."""
    options = _options(argv)
    try:
        train(options)
    except (BuildError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from the last saved state", file=sys.stderr)
        return 130
    return 0
