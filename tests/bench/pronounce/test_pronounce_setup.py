"""What contenders have in common: how they are described, batches on threads, greedy decoding."""

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace

from bench.pronounce.setup import Batch, Setup, Word, from_json, greedy, in_turn, independent, padded

SETUP = Setup("ours", "float32", 1, "somewhere", (1, 8), (16, 24), 64, 5, None, 0, 1, 0)
WORDS = [Word("fin", letter * length, (5,) * length) for letter, length in (("a", 3), ("b", 1), ("c", 2))]


def test_a_setup_survives_json() -> None:
    assert from_json(json.loads(json.dumps(asdict(SETUP)))) == SETUP


def test_a_batch_is_padded_on_the_right() -> None:
    ids, mask = padded(SETUP, WORDS[:2], 4)
    assert ids == [[5, 5, 5, 0], [5, 0, 0, 0]]
    assert mask == [[1, 1, 1, 0], [1, 0, 0, 0]]


def lengths(batch: Batch) -> list[list[int]]:
    return [[len(word.ids)] for word in batch]


def test_answers_come_in_the_order_of_the_words() -> None:
    batches = [WORDS[:2], WORDS[2:], WORDS[1:]] * 5
    expected = [[len(word.ids)] for batch in batches for word in batch]
    assert in_turn(lengths)(batches) == expected
    assert independent([lengths, lengths])(batches) == expected


def test_independent_workers_have_one_batch_at_a_time_and_work_side_by_side() -> None:
    together = threading.Barrier(2, timeout=20)
    busy = [threading.Lock(), threading.Lock()]

    def worker(lock: threading.Lock) -> list[list[int]]:
        assert lock.acquire(blocking=False)
        together.wait()  # passes only when both are in the middle of a batch
        lock.release()
        return [[]]

    pronounce = independent([lambda _, lock=lock: worker(lock) for lock in busy])
    assert pronounce([WORDS] * 8) == [[]] * 8


def script(rows: Sequence[Sequence[int]]) -> tuple[list[tuple[list[int], int]], Sequence[list[int]]]:
    return [], [list(column) for column in zip(*rows, strict=True)]


def test_decoding_feeds_each_token_back_and_ends_with_the_last_row() -> None:
    asked, columns = script([[7, 1, 9, 9], [8, 6, 1, 9]])

    def next_ids(tokens: list[int], position: int) -> Sequence[int]:
        asked.append((tokens, position))
        return columns[position]

    assert greedy(SETUP, 2, next_ids) == [[7, 1], [8, 6, 1]]
    assert asked == [([0, 0], 0), ([7, 8], 1), ([1, 6], 2)]


def test_decoding_is_bounded() -> None:
    assert greedy(SETUP, 1, lambda tokens, position: [9]) == [[9] * 5]


def test_forced_decoding_goes_on_after_the_end_token() -> None:
    assert greedy(replace(SETUP, forced_tokens=3), 1, lambda tokens, position: [1]) == [[1, 1, 1]]
