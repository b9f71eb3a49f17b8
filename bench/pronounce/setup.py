"""What a contender's process is told, as plain data, and what contenders have in common."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = [
    "CHILD",
    "Batch",
    "Pronounce",
    "PronounceList",
    "Setup",
    "Word",
    "from_json",
    "greedy",
    "in_turn",
    "independent",
    "padded",
]

CHILD = "bench.pronounce.child"
"""What runs in a contender's process."""


class Word(NamedTuple):
    """A word to pronounce: as our runtime takes it, and as ids for everybody else."""

    language: str
    text: str
    ids: tuple[int, ...]  # of the prompt with the word in it


Batch = Sequence[Word]  # of one language, the longest first

Pronounce = Callable[[Sequence[Batch]], list[list[int]]]
"""Pronounces batches: for each word the ids after the start token; the end token may follow, and padding."""

PronounceList = Callable[[Sequence[Word], int], list[list[int]]]
"""Pronounces words of any languages in one call, with at most so many in a batch (0: as it likes)."""


@dataclass(frozen=True)
class Setup:
    """How a contender is to be opened."""

    engine: str  # the module in bench.pronounce.engines
    dtype: str  # "float32", "float16" or "int8"
    threads: int
    folder: str  # what `prepare` made, or the checkpoint stage's files; our own runtime: the manifest
    batches: tuple[int, ...]  # sizes that will be asked for, ascending
    buckets: tuple[int, ...]  # input lengths that static programs are made for, ascending
    max_input: int  # ids of a prompt, at most
    max_tokens: int  # ids after the start token, at most
    forced_tokens: int | None  # exactly so many, whatever the model says
    pad_id: int
    eos_id: int
    decoder_start_id: int

    @property
    def tokens(self) -> int:
        """How many steps there can be."""
        return self.forced_tokens or self.max_tokens


def from_json(data: Mapping[str, Any]) -> Setup:
    """A setup from what JSON made of its `asdict`."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return Setup(**fields)


def padded(setup: Setup, batch: Batch, width: int) -> tuple[list[list[int]], list[list[int]]]:
    """The ids of a batch, padded on the right to a width, and its mask: 1 for a token and 0 for padding."""
    ids = [[*word.ids, *[setup.pad_id] * (width - len(word.ids))] for word in batch]
    return ids, [[1] * len(word.ids) + [0] * (width - len(word.ids)) for word in batch]


def in_turn(one: Callable[[Batch], list[list[int]]]) -> Pronounce:
    """For libraries that share the work of one batch between their threads: batches one after the other."""
    return lambda batches: [ids for batch in batches for ids in one(batch)]


def independent(workers: Sequence[Callable[[Batch], list[list[int]]]]) -> Pronounce:
    """For libraries that pronounce batches side by side: whichever worker is free takes the next.

    Args:
        workers: one for each thread; each has one batch at a time.
    """
    if len(workers) == 1:
        return in_turn(workers[0])
    idle = list(workers)
    pool = ThreadPoolExecutor(len(workers))

    def one(batch: Batch) -> list[list[int]]:
        worker = idle.pop()  # there are as many as threads
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
        next_ids: from the last token of each row and its position to the next token of each row.
    """
    tokens = [setup.decoder_start_id] * rows
    produced: list[list[int]] = [[] for _ in range(rows)]
    live = list(range(rows))
    for position in range(setup.tokens):
        tokens = list(next_ids(tokens, position))
        for row in live:
            produced[row].append(tokens[row])
        if setup.forced_tokens is None:
            live = [row for row in live if tokens[row] != setup.eos_id]
            if not live:
                break
    return produced
