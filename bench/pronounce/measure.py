"""One run of the benchmark: every contender has its turn, round after round."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.common.process import Failed, Process
from bench.pronounce import workload
from bench.pronounce.contenders import Contender
from bench.pronounce.peers import interpreter
from bench.pronounce.prepare import prepared
from bench.pronounce.results import ALL, Row, Running, failure, rows, said
from bench.pronounce.setup import CHILD, Batch, Setup, Word
from g2p_build.config.variant import Variant
from g2p_build.families.g2p.checkpoint import g2p_checkpoint
from g2p_build.store.scratch import scratch

__all__ = ["SECONDS", "SETTLE", "Plan", "function_times", "run", "setup_of", "started"]

SECONDS = 600  # for one answer
SETTLE = 0.05  # seconds between turns: the last contender's threads may still be spinning

_WORDS = 10  # of each language that are timed
_LOADS = 3  # how often each contender is opened, with the fewest threads


@dataclass(frozen=True)
class Plan:
    """One run: variants of one checkpoint and one pair of bounds, and peers."""

    root: Path  # the cache
    manifests: Mapping[str, Path]  # variant's name → the manifest that is measured for it
    machines: Mapping[str, Path]  # variant's name → a manifest for the virtual machine, to time its functions
    checkpoint: Path  # a folder with what the checkpoint stage made
    contenders: Sequence[Contender]  # ours first: all others are compared with the first
    threads: Sequence[int]
    words: Mapping[str, Sequence[str]] | None  # real words by language; None: made-up ones
    listed: Sequence[Word]  # real words that are pronounced as one list; may be empty
    forced_tokens: int | None
    rounds: int
    say: Callable[[str], None]  # progress

    @property
    def variants(self) -> list[Variant]:
        """Ours."""
        return [contender.variant for contender in self.contenders if contender.variant]

    @property
    def sizes(self) -> list[int]:
        """Batch sizes, ascending."""
        return sorted({size for variant in self.variants for size in variant.batch})


def run(plan: Plan) -> tuple[list[Row], dict[Word, list[int]]]:
    """Measures with each number of threads in turn.

    Returns:
        A row for each contender, number of threads and batch size, or one that says why there is none; and the ids
        that all answers are compared with, by word.
    """
    batches, found, truth = _batches(plan), list[Row](), dict[Word, list[int]]()
    for threads in plan.threads:
        with ExitStack() as stack:
            running: list[Running] = []
            found += _start(plan, threads, batches, stack, running)
            for name, listed in batches.items():
                if name != ALL:
                    _rounds(plan, running, name, listed)
                elif threads == plan.threads[0]:
                    plan.say(f"every word: {sum(map(len, listed))}")
                    _first([one for one in running if one.sizes[-1] == plan.sizes[-1]], ALL)
            forced = plan.forced_tokens is not None
            found += rows(running, batches, forced, g2p_checkpoint(plan.variants[0]).eos_id)
            truth = truth or said(running, batches)
    return found, truth


def _start(
    plan: Plan, threads: int, batches: Mapping[str, Sequence[Batch]], stack: ExitStack, running: list[Running]
) -> Iterator[Row]:
    """Opens all contenders in turn, several times. Those of the last time stay open and are added to `running`.

    Yields:
        A row for each contender that cannot be opened.
    """
    times = _LOADS if threads == plan.threads[0] else 1
    seconds: dict[str, list[float]] = {}
    out: set[str] = set()
    for number in range(times):
        for contender in plan.contenders:
            # A contender that is opened less often misses the first times.
            if contender.name in out or number < times - (contender.loads or times):
                continue
            try:
                one = _opened(plan, contender, threads, batches)
            except Failed as failed:
                out.add(contender.name)
                plan.say(f"{contender.name}: {failed}")
                yield failure(contender, threads, str(failed))
                continue
            if one is not None:
                one.loads = seconds[contender.name] = seconds.get(contender.name, []) + one.loads
                if number < times - 1:
                    one.process.close()
                else:
                    stack.callback(one.process.close)
                    running.append(one)


def function_times(plan: Plan) -> list[Row]:
    """Times each function of our variants' programs by itself: see `engines.ours_vm.function_times`."""
    found = []
    for contender in plan.contenders:
        if contender.variant is not None:
            folder = plan.machines[contender.variant.name]
            setup = replace(setup_of(plan, contender, 1, {}), engine="ours_vm", folder=str(folder))
            process = Process(CHILD, Path(sys.executable), 1, scratch(plan.root) / "functions.log")
            try:
                _open(process, setup, {str(setup.batches[0]): _batches(plan)[str(setup.batches[0])]})
                plan.say(f"{contender.name}: its functions")
                answer = process.ask({"functions": True}, SECONDS)
                found += [{"contender": contender.name, **row} for row in answer["functions"]]
            except Failed as failed:
                plan.say(f"{contender.name}: functions: {failed}")
            finally:
                process.close()
    return found


def _batches(plan: Plan) -> dict[str, list[Batch]]:
    """The batches that are pronounced, by size. `ALL` has every word, if there are more than are timed."""
    variant = plan.variants[0]
    found = {}
    for size in plan.sizes:
        words = plan.words and workload.evenly(plan.words, _WORDS)
        found[str(size)] = workload.batches(variant, words or workload.made_up(variant, size), size)
    if plan.words is not None and any(len(listed) > _WORDS for listed in plan.words.values()):
        found[ALL] = workload.batches(variant, plan.words, plan.sizes[-1])
    return found


def setup_of(plan: Plan, contender: Contender, threads: int, batches: Mapping[str, Sequence[Batch]]) -> Setup:
    """How a contender is to be opened, before its own files are made."""
    variant = contender.variant or plan.variants[0]
    mine = variant.batch if contender.variant else plan.sizes
    return contender.setup(
        variant,
        threads=threads,
        folder=plan.manifests[variant.name] if contender.variant else plan.checkpoint,
        batches=tuple(size for size in mine if contender.only_batch in (None, size)),
        buckets=workload.buckets(batch for listed in batches.values() for batch in listed),
        forced_tokens=plan.forced_tokens,
    )


def _opened(plan: Plan, contender: Contender, threads: int, batches: Mapping[str, Sequence[Batch]]) -> Running | None:
    """A contender's process, or None where it does not take part with these threads.

    Raises:
        Failed: it cannot be installed, made or opened.
    """
    setup = setup_of(plan, contender, threads, batches)
    if contender.only_threads not in (None, threads) or not setup.batches:
        return None
    names = [str(size) for size in setup.batches]
    if setup.batches[-1] == plan.sizes[-1] and threads == plan.threads[0]:
        names.append(ALL)
    process, answer, seconds = started(
        plan, contender, setup, {name: batches[name] for name in names if name in batches}
    )
    return Running(contender, threads, setup.batches, process, answer, [seconds])


def started(
    plan: Plan, contender: Contender, setup: Setup, batches: Mapping[str, Sequence[Batch]]
) -> tuple[Process, Row, float]:
    """Starts a contender's process and has it open its model.

    Returns:
        The process, what it said when the model was open, and the seconds from its start until then.

    Raises:
        Failed: it cannot be installed, made or opened.
    """
    python = interpreter(plan.root, contender.packages, plan.say)
    setup = prepared(plan.root, contender, setup, plan.checkpoint, python, plan.say)
    began = time.perf_counter()
    threads = setup.threads
    process = Process(CHILD, python, threads, scratch(plan.root) / f"{contender.name}-{threads}.log")
    try:
        answer = _open(process, setup, batches)
    except BaseException:
        process.close()
        raise
    seconds = time.perf_counter() - began
    plan.say(f"{contender.name}: {threads} {'thread' if threads == 1 else 'threads'}, open after {seconds:.1f} s")
    return process, answer, seconds


def _open(process: Process, setup: Setup, batches: Mapping[str, Sequence[Batch]]) -> Row:
    cores = sorted(os.sched_getaffinity(0))[: setup.threads] if hasattr(os, "sched_getaffinity") else []
    return process.ask({"setup": asdict(setup), "cores": cores, "words": batches}, SECONDS)


def _rounds(plan: Plan, running: Sequence[Running], name: str, batches: Sequence[Batch]) -> None:
    """One pass warms up, then come the rounds. Each begins with another contender."""
    taking = [one for one in running if int(name) in one.sizes and one.failed is None]
    plan.say(f"batch {name}: {sum(map(len, batches))} words, {plan.rounds} rounds")
    _first(taking, name)
    for number in range(plan.rounds):
        first = number % max(1, len(taking))
        for one in [*taking[first:], *taking[:first]]:
            if one.failed is None and number < (one.contender.rounds or plan.rounds):
                answer = _ask(one, name, with_ids=False)
                if answer is not None:
                    words = sum(len(batch) for batch in batches)
                    one.ms.setdefault(name, []).append(1000 * answer["seconds"] / words)


def _first(running: Sequence[Running], name: str) -> None:
    for one in running:
        if one.failed is None:
            answer = _ask(one, name, with_ids=True)
            if answer is not None:
                one.ids[name] = answer["ids"]
                one.peak_bytes = one.peak_bytes or answer["peak_bytes"]  # of the smallest batch, which comes first


def _ask(one: Running, name: str, with_ids: bool) -> Row | None:
    time.sleep(SETTLE)
    try:
        return one.process.ask({"words": name, "ids": with_ids}, SECONDS)
    except Failed as failed:
        one.failed = f"batch {name}: {failed}"
        return None
