"""One run of the benchmark: every contender has its turn, round after round."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.common import environments
from bench.common.checkout import ROOT
from bench.common.kept import kept
from bench.common.process import Failed, Process
from bench.speak import peers
from bench.speak.contenders import Contender
from bench.speak.setup import CHILD, Setup, Utterance
from bench.speak.workload import CLAUSE, EARLY, LONG, SENTENCE
from g2p_build.store.digests import file_digest
from g2p_build.store.scratch import scratch
from g2p_build.store.sources import source_digest

__all__ = ["FROM_THE_PACKAGE", "Plan", "Running", "memory", "programs", "speaking"]

FROM_THE_PACKAGE = ("g2p_build.checkpoints.kokoro.packages", "g2p_build.models.kokoro.architecture")
"""What the engines use of the package to make files. A source digest follows imports within one package only."""

SETTLE = 0.05  # seconds between turns: the last contender's threads may still be spinning

_SECONDS = 600  # for one answer
_PREPARING = 3600  # for making a contender's files

Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """One run: variants of one checkpoint, and peers."""

    root: Path  # the cache
    manifests: Mapping[str, Path]  # by variant's name
    weights: Mapping[str, Path]  # by variant's name, unpacked
    libraries: Mapping[str, Path]  # by variant's name: with clocks in them
    checkpoint: Path  # a folder with what the checkpoint stage made
    source: str  # of the checkpoint
    voices: Path
    voice: str
    contenders: Sequence[Contender]  # ours first: all others are compared with the first
    threads: Sequence[int]  # ascending
    rounds: int
    utterances: Mapping[str, Utterance]
    say: Callable[[str], None]  # progress


@dataclass
class Running:
    """A contender that takes part, and what it has said so far."""

    contender: Contender
    threads: int
    process: Process
    opened: Row  # what it said when it was open: seconds, bytes and versions
    answers: dict[str, list[Row]] = field(default_factory=dict)  # utterance → one a round
    failed: str | None = None  # why it takes part no longer


def memory(plan: Plan) -> Iterator[Row]:
    """Opens each contender in a process of its own, with the fewest threads, and has it speak the long utterance once.

    Yields:
        For each what it said when it was open, and the answer; or "failed", why there is none.
    """
    for contender in plan.contenders:
        head: Row = {"contender": contender, "threads": plan.threads[0], "failed": None}
        try:
            one = _started(plan, contender, plan.threads[0])
        except Failed as failed:
            plan.say(f"{contender.name}: {failed}")
            yield head | {"failed": str(failed)}
            continue
        try:
            yield head | one.opened | _ask(one.process, LONG)
        except Failed as failed:
            yield head | {"failed": str(failed)}
        finally:
            one.process.close()


def speaking(plan: Plan, contenders: Sequence[Contender]) -> tuple[list[Running], list[Row]]:
    """Has contenders speak a sentence and a clause, with each number of threads, round after round.

    Ours also speak the clause with the sentence behind it, until the first piece is there.

    Returns:
        Those that could be opened, and a row for each that could not: "failed" is why.
    """
    names = {each.name: (SENTENCE, CLAUSE, *((EARLY,) if each.variant else ())) for each in contenders}
    opening = [(each, threads) for threads in plan.threads for each in contenders]
    return _rounds(plan, [(_started, each, threads, names[each.name]) for each, threads in opening], "speaking")


def programs(plan: Plan) -> tuple[list[Running], list[Row]]:
    """Has our libraries with clocks in them speak the long utterance once, and the sentence round after round.

    Returns:
        As `speaking`.
    """
    mine = [each for each in plan.contenders if each.variant]
    opening = [(_clocked, each, threads, (SENTENCE,)) for threads in plan.threads for each in mine]
    return _rounds(plan, opening, "programs", once=(LONG,))


_Start = Callable[[Plan, Contender, int], Running]


def _rounds(
    plan: Plan,
    opening: Iterable[tuple[_Start, Contender, int, Sequence[str]]],
    title: str,
    once: Sequence[str] = (),
) -> tuple[list[Running], list[Row]]:
    """Opens contenders; then one pass warms up, and in each round another one begins. `once` is spoken before."""
    with ExitStack() as stack:
        running: list[tuple[Running, Sequence[str]]] = []
        lost: list[Row] = []
        for start, contender, threads, names in opening:
            try:
                one = start(plan, contender, threads)
            except Failed as failed:
                plan.say(f"{contender.name}: {failed}")
                lost.append({"contender": contender, "threads": threads, "failed": str(failed)})
                continue
            stack.callback(one.process.close)
            running.append((one, names))
            _turn(one, once, timed=True)
        for number in range(-1, plan.rounds):
            plan.say(f"{title}: {f'round {number + 1} of {plan.rounds}' if number >= 0 else 'warming up'}")
            first = max(number, 0) % max(1, len(running))
            for one, names in [*running[first:], *running[:first]]:
                _turn(one, names, timed=number >= 0)
        return [one for one, _ in running], lost


def _turn(one: Running, names: Sequence[str], timed: bool) -> None:
    for name in names:
        if one.failed is None:
            time.sleep(SETTLE)
            try:
                answer = _ask(one.process, name)
            except Failed as failed:
                one.failed = f"{name}: {failed}"
            else:
                if timed:
                    one.answers.setdefault(name, []).append(answer)


def _ask(process: Process, name: str) -> Row:
    return process.ask({"utterance": name, "first": name == EARLY}, _SECONDS)


def _started(plan: Plan, contender: Contender, threads: int) -> Running:
    """Starts a contender's process and has it open its model.

    Raises:
        Failed: it cannot be installed, made or opened.
    """
    if contender.source not in (None, plan.source):
        raise Failed(f"its file has the weights of another checkpoint: checkpoint.source={contender.source} alone")
    variant = contender.variant
    setup = _setup(plan, contender, threads, plan.manifests[variant.name] if variant else plan.checkpoint)
    try:
        python = (
            environments.interpreter(plan.root, peers.FOLDER / f"{contender.packages}.txt", plan.say, beside=True)
            if contender.packages
            else Path(sys.executable)
        )
    except environments.NotInstalled as error:
        raise Failed(f"cannot be installed: {error}") from None
    return _opened(plan, contender, _prepared(plan, contender, setup, python), python)


def _clocked(plan: Plan, contender: Contender, threads: int) -> Running:
    """The same, for our library with clocks in it."""
    assert contender.variant is not None
    name = contender.variant.name
    setup = _setup(plan, contender, threads, plan.weights[name])
    setup = replace(setup, engine="programs", library=str(plan.libraries[name]))
    return _opened(plan, contender, setup, Path(sys.executable))


def _setup(plan: Plan, contender: Contender, threads: int, folder: Path) -> Setup:
    return Setup(contender.engine, contender.dtype, threads, str(folder), str(plan.voices), plan.voice)


def _opened(plan: Plan, contender: Contender, setup: Setup, python: Path) -> Running:
    process = Process(CHILD, python, setup.threads, scratch(plan.root) / f"{contender.name}-{setup.threads}.log")
    cores = sorted(os.sched_getaffinity(0))[: setup.threads] if hasattr(os, "sched_getaffinity") else []
    try:
        opened = process.ask({"setup": asdict(setup), "cores": cores, "utterances": _plain(plan)}, _SECONDS)
    except BaseException:
        process.close()
        raise
    return Running(contender, setup.threads, process, opened)


def _plain(plan: Plan) -> Row:
    return {name: [each.phonemes, each.ids] for name, each in plan.utterances.items()}


def _prepared(plan: Plan, contender: Contender, setup: Setup, python: Path) -> Setup:
    """Makes a contender's files if they are not there, and returns the setup with their folder in it.

    Raises:
        Failed: they cannot be made.
    """
    if contender.made_for is None:
        return setup
    made_of = [
        {name: getattr(setup, name) for name in contender.made_for},
        [file_digest(plan.root, path.resolve()) for path in sorted(plan.checkpoint.iterdir())],
        source_digest(plan.root, f"bench.speak.engines.{contender.engine}", ROOT / "bench"),
        [source_digest(plan.root, module) for module in FROM_THE_PACKAGE],
        str(python),  # an environment's folder is named after its packages
        _plain(plan),
    ]

    def make(out: Path) -> None:
        plan.say(f"{contender.name}: making its files")
        process = Process(CHILD, python, setup.threads, scratch(plan.root) / "prepare.log")
        question = {"setup": asdict(replace(setup, folder=str(out))), "checkpoint": str(plan.checkpoint)}
        try:
            process.ask(question | {"utterances": _plain(plan)}, _PREPARING)
        except Failed as failed:
            raise Failed(f"its files cannot be made: {failed}") from None
        finally:
            process.close()

    return replace(setup, folder=str(kept(plan.root, f"speak-{contender.name}", made_of, make)))
