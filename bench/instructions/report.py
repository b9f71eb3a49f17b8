"""What was counted, as a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.common import page
from bench.common.spread import digits

__all__ = ["DRAFTED", "OURS", "Split", "markdown", "split", "write"]

OURS = "g2p"
"""The library that others are set beside."""

DRAFTED = f"{OURS}, with its draft table"
"""The same where a step may have several ids."""


class Split(NamedTuple):
    """Where a word's instructions go, in instructions."""

    before: float  # a word's, on average, without its steps: mostly the encoder
    step: float


def write(folder: Path, result: Mapping[str, Any]) -> None:
    """Writes the page and the numbers: `instructions.md` and `instructions.json`.

    Raises:
        OSError: the folder cannot be written.
    """
    page.write(folder, "instructions", result, markdown(result), picture=None)


def split(inputs: Sequence[int], steps: Sequence[int], instructions: Sequence[int]) -> Split:
    """Tells words' steps from the rest: by least squares, a word has its constant, so much an id of input, and a step.

    Args:
        inputs: how many ids each word's input has.
        steps: how many steps each word took.
        instructions: of each word.
    """
    terms = np.stack([np.ones(len(inputs)), np.asarray(inputs), np.asarray(steps)], 1)
    (constant, each, step), *_ = np.linalg.lstsq(terms, np.asarray(instructions, np.float64), rcond=None)
    return Split(float(constant + each * np.mean(inputs)), float(step))


def markdown(result: Mapping[str, Any]) -> list[str]:
    """The page's lines."""
    words = len(result["inputs"])
    means = {_key(row): float(np.mean(row["instructions"])) for row in result["found"]}
    rows = []
    for row in result["found"]:
        mean, beside = means[_key(row)], means.get((OURS, *_key(row)[1:]))
        parts = split(result["inputs"], row["steps"], row["instructions"])
        drafted = row["library"] == DRAFTED
        rows.append(
            {
                "weights": row["dtype"],
                "processor with": row["cpu"],
                "library": row["library"],
                "words as the checkpoint": f"{row['equal']} of {words}",
                "millions a word": digits(mean / 1e6),
                "before the steps": "" if drafted else digits(parts.before / 1e6),
                "a step": "" if drafted else digits(parts.step / 1e6),
                f"times {OURS}": digits(mean / beside) if beside else "",
            }
        )
    order = list(dict.fromkeys((row["weights"], row["processor with"]) for row in rows))
    rows.sort(key=lambda row: order.index((row["weights"], row["processor with"])))
    return [
        *page.head("Instructions a word on 64-bit Arm", "instructions", result, result["versions"]),
        "",
        "## How to read it",
        "",
        f"- The embedded checkpoint, the {words} golden words one by one, one thread, no lexicon. A plugin of the "
        "emulator counts the instructions between one word and the next, of the whole process: peers are called from "
        "Python, as their users call them, and that counts too. Opening a model and a first word do not.",
        "- **It is not time.** Nothing here knows of caches and memory, of how many instructions a processor does at "
        "once or how long each takes, or of its clock. What reads weights from memory waits there, however few "
        "instructions it has. A ratio of counts says which library has less to do, not how much faster it is.",
        "- processor with: what it has of instructions for bytes: NEON alone (Cortex-A72), dot products (Neoverse N1, "
        "Armv8.2), and products of matrices (`i8mm`, Armv8.6, without SVE). Libraries choose by what the system says.",
        "- before the steps, a step: millions, by least squares over the words' input ids and steps: the share of a "
        "word that does not grow with its steps (mostly the encoder), and one pass of the decoder.",
        *(f"- {what} was not counted: {why}" for what, why in result["failed"].items()),
        "",
        *page.table(rows),
    ]


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["library"], row["dtype"], row["cpu"]
