"""What a contender's process is told: plain data, so that it can be sent to any interpreter."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

__all__ = ["Batch", "Pronounce", "Setup", "Word", "from_json", "greedy", "independent", "in_turn", "to_json"]


class Word(NamedTuple):
    """A word to pronounce: as our runtime takes it, and as ids for everybody else."""

    language: str
    text: str
    ids: tuple[int, ...]  # of the prompt with the word in it


Batch = Sequence[Word]  # of one language

Pronounce = Callable[[Sequence[Batch]], list[list[int]]]
"""Pronounces batches: for each word the ids after the start token, in order, the end token with them or not."""


@dataclass(frozen=True)
class Setup:
    """How a contender is to be opened."""

    engine: str  # the module in g2p_build.bench.engines
    dtype: str  # "float32", "float16" or "int8"
    threads: int
    folder: str  # what `prepare` made; the checkpoint's files where the engine has no `prepare`
    batches: tuple[int, ...]  # sizes that will be asked for
    buckets: tuple[int, ...]  # input lengths that static programs are made for, ascending
    max_tokens: int  # ids after the start token, at most
    forced_tokens: int | None  # exactly so many, whatever the model says
    pad_id: int
    eos_id: int
    decoder_start_id: int


def to_json(setup: Setup) -> dict[str, Any]:
    """Plain data for a JSON line."""
    return asdict(setup)


def from_json(data: dict[str, Any]) -> Setup:
    """The inverse of `to_json`."""
    lists = {field.name for field in fields(Setup) if field.name in ("batches", "buckets")}
    return Setup(**{name: tuple(value) if name in lists else value for name, value in data.items()})


def in_turn(one: Callable[[Batch], list[list[int]]]) -> Pronounce:
    """For libraries that share the work of one batch between their threads: batches one after the other."""
    return lambda batches: [ids for batch in batches for ids in one(batch)]


def independent(workers: Sequence[Callable[[Batch], list[list[int]]]]) -> Pronounce:
    """For libraries that pronounce batches side by side: each worker takes the next batch when it is free.

    Args:
        workers: one for each thread; a worker has one batch at a time.
    """
    if len(workers) == 1:
        return in_turn(workers[0])
    idle = list(workers)
    pool = ThreadPoolExecutor(len(workers))

    def one(batch: Batch) -> list[list[int]]:
        worker = idle.pop()  # as many threads as workers, so one is idle
        try:
            return worker(batch)
        finally:
            idle.append(worker)

    return lambda batches: [ids for rows in pool.map(one, batches) for ids in rows]


def greedy(setup: Setup, rows: int, next_ids: Callable[[list[int], int], Sequence[int]]) -> list[list[int]]:
    """Greedy decoding for libraries that only run graphs, as our runtime does it.

    Args:
        setup: how many tokens, and the special ids.
        rows: words in the batch.
        next_ids: from the last token of each row and the position to the next token of each row.
    """
    tokens = [setup.decoder_start_id] * rows
    produced: list[list[int]] = [[] for _ in range(rows)]
    live = list(range(rows))
    for position in range(setup.forced_tokens or setup.max_tokens):
        tokens = [int(token) for token in next_ids(tokens, position)]
        for row in live:
            produced[row].append(tokens[row])
        if setup.forced_tokens is None:
            live = [row for row in live if tokens[row] != setup.eos_id]
            if not live:
                break
    return produced
