"""What is measured: how long every tool takes in every scenario."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.build.contenders import Contender, change_weights, lose_product

__all__ = ["SCENARIOS", "Scenario", "measure"]

PATIENCE = 15.0
"""Seconds. A tool that would take longer than this in all rounds together has fewer rounds, but at least two."""

CUT_OFF = {"checkpoint", "weights", "weights_archive", "manifest", "publish"}
"""The steps that new weights stale. Tokenizer, program, code and library need only the architecture, which stays."""

DOWNSTREAM = CUT_OFF | {"tokenizer", "program", "code", "library", "library_archive"}
"""The steps that a tool without early cut-off runs: all that are downstream of the checkpoint."""


@dataclass(frozen=True)
class Scenario:
    """One thing that happens to a finished build, and what must run then."""

    name: str
    happens: Callable[[Contender, str, int], None]  # to a contender's folder; the checkpoint's name; the round
    runs: Callable[[str], set[str]]  # from a tool's name to the steps that it must run, each once


SCENARIOS = (
    Scenario("nothing", lambda contender, leaf, turn: None, lambda tool: set()),
    Scenario(
        "weights",
        lambda contender, leaf, turn: change_weights(contender.folder, leaf, -1.0 - turn),
        lambda tool: DOWNSTREAM if tool == "snakemake" else CUT_OFF,
    ),
    Scenario("product", lambda contender, leaf, turn: lose_product(contender, leaf), lambda tool: {"publish"}),
)


def measure(
    contenders: Sequence[Contender], leaves: Sequence[str], rounds: int, tick: Callable[[str], None]
) -> dict[tuple[str, str], list[float]]:
    """Times every tool in every scenario. The tools take turns, so that a slow minute of the machine slows them all.

    Args:
        contenders: each up to date.
        leaves: names of the checkpoints; each round changes another.
        rounds: how often; a tool that is slow in a scenario is measured less often (see PATIENCE).
        tick: called before each measurement with what it is of.

    Returns:
        (tool, scenario) → seconds of the whole process, by round.

    Raises:
        RuntimeError: a tool failed, or ran other steps than it should have.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for turn in range(rounds):
        leaf = leaves[turn % len(leaves)]
        for scenario in SCENARIOS:
            for contender in contenders:
                seconds = found.setdefault((contender.name, scenario.name), [])
                tick(f"{len(leaves)} variants, round {turn + 1}: {scenario.name}, {contender.name}")
                if turn >= 2 and seconds[0] * (turn + 1) > PATIENCE:
                    continue
                if scenario.name == "nothing" and min(seconds, default=0) < PATIENCE:
                    contender.run()  # it may still have to notice the last change, which is not to be measured
                scenario.happens(contender, leaf, turn)
                started = time.perf_counter()
                said = contender.start()
                seconds.append(time.perf_counter() - started)
                ran, expected = sorted(contender.ran(said)), sorted(scenario.runs(contender.name))
                if ran != expected:
                    raise RuntimeError(f"{contender.name} ran {ran} after {scenario.name}, not {expected}")
    return found
