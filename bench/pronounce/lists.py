"""How fast contenders get through a whole list of words that they are handed in one call."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from bench.common.process import Failed, Process
from bench.common.spread import ratios, spread
from bench.pronounce.contenders import Contender
from bench.pronounce.measure import SECONDS, SETTLE, Plan, setup_of, started
from bench.pronounce.results import Row, agreement, failure, head, times
from bench.pronounce.setup import Word
from g2p_build.families.g2p.checkpoint import g2p_checkpoint

__all__ = ["whole_list"]

_LIST = "list"
_TRIALS = 2  # passes at each batch size; the best size takes part in the rounds


@dataclass
class _Taking:
    """A contender that takes part with some number of threads, and what it has done so far."""

    contender: Contender
    threads: int
    process: Process
    versions: Mapping[str, str]
    tried: dict[int, float] = field(default_factory=dict)  # words in a batch → the best milliseconds a word
    ms: list[float] = field(default_factory=list)  # at the best size, one a round
    ids: list[list[int]] = field(default_factory=list)
    failed: str | None = None

    @property
    def most(self) -> int:
        """The batch size that takes part in the rounds."""
        return min(self.tried, key=lambda size: self.tried[size])


def whole_list(plan: Plan, said: Mapping[Word, Sequence[int]]) -> list[Row]:
    """Times the contenders that take whole lists on `plan.listed`.

    In each round, every contender has a turn with every number of threads.

    Args:
        plan: the run's.
        said: the ids that answers are compared with. If a word is missing, the first contender's ids take their place.

    Returns:
        A row for each contender and number of threads. It has words a second and milliseconds a word at the best batch
        size, the ratio to ours, and how many times as fast it is as with the fewest threads; or why it has none.
    """
    if not plan.listed:
        return []
    with ExitStack() as stack:
        taking, rows = _start(plan, stack)
        plan.say(f"one list: {len(plan.listed)} words, {plan.rounds} rounds")
        _try_sizes(plan, taking)
        for number in range(plan.rounds):
            first = number % max(1, len(taking))
            for one in [*taking[first:], *taking[:first]]:
                _turn(one, plan, one.ms)
    return [*rows, *_rows(plan, taking, said)]


def _start(plan: Plan, stack: ExitStack) -> tuple[list[_Taking], list[Row]]:
    taking: list[_Taking] = []
    rows: list[Row] = []
    for threads in plan.threads:
        for contender in plan.contenders:
            if contender.lists:
                setup = setup_of(plan, contender, threads, {})
                words = {str(setup.batches[0]): [plan.listed[:1]], _LIST: [plan.listed]}
                try:
                    process, told, _ = started(plan, contender, setup, words)
                except Failed as failed:
                    plan.say(f"{contender.name}: {failed}")
                    rows.append(failure(contender, threads, str(failed)))
                    continue
                stack.callback(process.close)
                taking.append(_Taking(contender, threads, process, told["versions"]))
    return taking, rows


def _try_sizes(plan: Plan, taking: Sequence[_Taking]) -> None:
    """A first pass warms up, and its ids are kept. Then each batch size is tried, where there is a choice."""
    for one in taking:
        one.tried = dict.fromkeys(one.contender.lists, float("inf"))
        answer = _ask(one, one.contender.lists[0], with_ids=True)
        one.ids = answer["ids"] if answer else []
    for _ in range(_TRIALS):
        for one in taking:
            for size in one.contender.lists if len(one.contender.lists) > 1 else ():
                found: list[float] = []
                _turn(one, plan, found, size)
                one.tried[size] = min([one.tried[size], *found])


def _turn(one: _Taking, plan: Plan, ms: list[float], size: int | None = None) -> None:
    """One timed pass over the list; adds milliseconds a word."""
    answer = _ask(one, one.most if size is None else size, with_ids=False)
    if answer is not None:
        ms.append(1000 * answer["seconds"] / len(plan.listed))


def _ask(one: _Taking, size: int, with_ids: bool) -> dict[str, Any] | None:
    if one.failed is not None:
        return None
    time.sleep(SETTLE)
    try:
        return one.process.ask({"words": _LIST, "most": size, "ids": with_ids}, SECONDS)
    except Failed as failed:
        one.failed = f"one list: {failed}"
        return None


def _rows(plan: Plan, taking: Sequence[_Taking], said: Mapping[Word, Sequence[int]]) -> list[Row]:
    words, forced = plan.listed, plan.forced_tokens is not None
    known = [said[word] for word in words if word in said]
    truth = known if len(known) == len(words) else next((one.ids for one in taking if one.ids), None)
    found = []
    for one in taking:
        row = head(one.contender, one.threads) | {"batch": None, "versions": one.versions}
        if one.failed is not None:
            found.append(row | {"failed": one.failed})
            continue
        ours = next((other.ms for other in taking if other.threads == one.threads and other.contender.variant), None)
        fewest = next(other.ms for other in taking if other.contender is one.contender)
        row |= {"list": len(words), "most": one.most or None}
        row |= {"tried": {str(size): round(ms, 4) for size, ms in one.tried.items() if ms < float("inf")}}
        row |= times(one.ms, ours) | {"words_s": spread([1000 / ms for ms in one.ms]).as_json()}
        row |= {"speedup": ratios(fewest, one.ms).as_json() if fewest else None}
        same = agreement(words, one.ids, truth, forced, g2p_checkpoint(plan.variants[0]).eos_id)
        found.append(row | same | {"failed": None})
    return found
