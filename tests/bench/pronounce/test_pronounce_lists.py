"""One list: who takes part, which batch size does, and what its rows say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.common.process import Failed
from bench.pronounce import contenders, lists, measure
from bench.pronounce.contenders import PEERS, Contender
from bench.pronounce.setup import Setup, Word
from g2p_build.config import compose

[VARIANT] = compose.variants([])
[OURS] = contenders.ours([VARIANT])
EAGER, PEER = (next(peer for peer in PEERS if peer.name == name) for name in ("eager", "ctranslate2-float32"))
WORDS = [Word("fin", letter, (5,)) for letter in "abcd"]


class Scripted:
    """A contender that takes as many milliseconds for the list as a table says. Its last turns are slower."""

    def __init__(self, contender: Contender, threads: int) -> None:
        self.contender, self.threads, self.turns = contender, threads, 0

    def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        self.turns += 1
        if self.contender is PEER and self.threads == 2 and self.turns > 12:
            raise Failed("died of SIGSEGV")
        base = {0: 8, 8: 40, 16: 20, 32: 16, 64: 24, 128: 32}[question["most"]]
        says = [[7, 1], [8, 1], [9, 1], [6 + (self.contender is PEER), 1]]
        return {"seconds": base / self.threads / 1000, "ids": says if question["ids"] else None}

    def close(self) -> None:
        pass


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> measure.Plan:
    def started(plan: measure.Plan, contender: Contender, setup: Setup, words: object) -> Any:
        return Scripted(contender, setup.threads), {"versions": {}}, 0.1

    monkeypatch.setattr(lists, "started", started)
    monkeypatch.setattr(lists, "SETTLE", 0)
    manifests = {VARIANT.name: tmp_path}
    peers = [OURS, EAGER, PEER]
    return measure.Plan(tmp_path, manifests, {}, tmp_path, peers, (1, 2), {}, WORDS, None, 3, lambda line: None)


def test_the_best_batch_size_is_compared_with_ours(plan: measure.Plan) -> None:
    rows = {(row["contender"], row["threads"]): row for row in lists.whole_list(plan, {})}
    assert set(rows) == {(name, threads) for name in (OURS.name, PEER.name) for threads in (1, 2)}
    peer = rows[PEER.name, 1]
    assert (peer["most"], peer["tried"]) == (32, {"8": 10.0, "16": 5.0, "32": 4.0, "64": 6.0, "128": 8.0})
    assert (peer["ms"]["median"], peer["words_s"]["median"], peer["ratio"]["median"]) == (4.0, 250.0, 2.0)
    assert (rows[OURS.name, 1]["most"], rows[OURS.name, 1]["ratio"]["median"]) == (None, 1.0)
    assert [rows[OURS.name, threads]["speedup"]["median"] for threads in (1, 2)] == [1.0, 2.0]
    assert "died of SIGSEGV" in rows[PEER.name, 2]["failed"]


def test_answers_are_compared_with_what_was_said_before_or_with_ours(plan: measure.Plan) -> None:
    assert [row["differ"] for row in lists.whole_list(plan, {}) if "differ" in row] == [0, 1, 0]
    said = dict(zip(WORDS, [[7, 1], [8, 1], [5, 1], [7, 1]], strict=True))
    assert [row["differ"] for row in lists.whole_list(plan, said) if "differ" in row] == [2, 1, 2]
