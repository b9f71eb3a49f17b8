"""Rows: what the measurements of a run come to, as plain data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.common.process import Process
from bench.common.spread import ratios, spread
from bench.pronounce.contenders import TRUTH, Contender
from bench.pronounce.setup import Batch, Word

__all__ = ["ALL", "Row", "Running", "agreement", "failure", "head", "rows", "said", "times"]

ALL = "all"
"""Names the batches that have every word, where only some words are timed."""

Row = dict[str, Any]


@dataclass
class Running:
    """A contender that takes part, and what it has done so far."""

    contender: Contender
    threads: int
    sizes: tuple[int, ...]  # batches that it is asked for
    process: Process
    opened: Row  # what it said when it was open: seconds, bytes and versions
    loads: list[float]  # seconds from starting it to its first word, each time
    peak_bytes: int | None = None  # after its first pass over its smallest batches
    ms: dict[str, list[float]] = field(default_factory=dict)  # batches → milliseconds a word, one a round
    ids: dict[str, list[list[int]]] = field(default_factory=dict)  # batches → what it said
    failed: str | None = None  # why it takes part no longer


def failure(contender: Contender, threads: int, reason: str) -> Row:
    """The row of a contender that never pronounced anything."""
    return head(contender, threads) | {"batch": None, "failed": reason}


def rows(
    running: Sequence[Running], batches: Mapping[str, Sequence[Batch]], forced: bool, eos_id: int
) -> Iterator[Row]:
    """A row for each contender and batch size, then one for the words that were not timed.

    Args:
        running: contenders with the same number of threads. Ours is the first: all times are compared with its times.
        batches: what they pronounced.
        forced: the number of tokens was forced. Then the end token means nothing, and some libraries avoid it.
        eos_id: the end token.
    """
    truth = _truth(running)
    mine = running[0] if running and running[0].contender.variant else None
    base, first = (mine.ms, mine.loads) if mine else ({}, [])
    for one in running:
        row = head(one.contender, one.threads) | one.opened | {"peak_bytes": one.peak_bytes}
        row["load"] = spread(one.loads).as_json()
        row["load_ratio"] = ratios(one.loads, first).as_json() if first else None
        for name in batches:
            if name in one.ids:
                assert truth is not None
                words = [word for batch in batches[name] for word in batch]
                same = agreement(words, one.ids[name], truth.ids.get(name), forced, eos_id)
                timed = times(one.ms[name], base.get(name)) if name in one.ms else {}
                if timed or name == ALL:
                    yield row | {"batch": None if name == ALL else int(name), **timed, **same, "failed": None}
        if one.failed is not None:
            yield row | {"batch": None, "failed": one.failed}


def said(running: Sequence[Running], batches: Mapping[str, Sequence[Batch]]) -> dict[Word, list[int]]:
    """The ids that the others' are compared with, by word."""
    truth = _truth(running)
    found: dict[Word, list[int]] = {}
    for name, ids in truth.ids.items() if truth else ():
        found |= zip((word for batch in batches[name] for word in batch), ids, strict=True)
    return found


def _truth(running: Sequence[Running]) -> Running | None:
    """The contender that the others' ids are compared with: `TRUTH`, or else the first."""
    return next((one for one in running if one.contender.name == TRUTH), running[0] if running else None)


def head(contender: Contender, threads: int) -> Row:
    """How each row begins: who, with how many threads."""
    return {
        "contender": contender.name,
        "library": contender.says,
        "dtype": contender.dtype,
        "variant": contender.variant.name if contender.variant else None,
        "threads": threads,
    }


def times(ms: Sequence[float], base: Sequence[float] | None) -> Row:
    """Milliseconds a word, and their ratio to those of another, round by round."""
    return {
        "ms": spread(ms).as_json(),
        "ratio": ratios(ms, base).as_json() if base else None,
        "rounds": [round(value, 4) for value in ms],
    }


def agreement(
    words: Sequence[Word],
    ids: Sequence[Sequence[int]],
    truth: Sequence[Sequence[int]] | None,
    forced: bool,
    eos_id: int,
) -> Row:
    """Counts the distinct words, and those whose ids are not the truth's. `forced` and `eos_id` are as in `rows`."""
    if truth is None:
        return {"words": len(set(words)), "differ": None}
    found: dict[Word, bool] = {}
    for word, mine, theirs in zip(words, ids, truth, strict=True):
        ended = _to_end(mine, eos_id), _to_end(theirs, eos_id)
        # Beyond its forced end a word goes on in one library and stops in another: only what comes before is compared.
        same = all(a == b for a, b in zip(*ended, strict=False)) if forced else ended[0] == ended[1]
        found[word] = found.get(word, True) and same
    return {"words": len(found), "differ": list(found.values()).count(False)}


def _to_end(ids: Sequence[int], eos_id: int) -> list[int]:
    return list(ids[: ids.index(eos_id)]) if eos_id in ids else list(ids)
