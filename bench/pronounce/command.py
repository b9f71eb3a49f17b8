"""All of `doit bench` but its tables: from the options of the command line to plain data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.common import machine
from bench.common.checkpoint import checkpoint_files
from bench.common.named import chosen, thread_counts
from bench.pronounce import contenders, counterparts, lists, measure, workload
from bench.pronounce.contenders import Contender
from bench.pronounce.opening import opening
from g2p_build.config.variant import Variant, on_virtual_machine
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError

__all__ = ["FORCED_TOKENS", "Options", "bench", "options"]

FORCED_TOKENS = 16
"""How many tokens a word gets where the weights are random, unless the options say otherwise."""


@dataclass(frozen=True)
class Options:
    """What the command line says besides the variants."""

    words: str  # a dictionary; "": the golden set
    contenders: tuple[str, ...]  # names; empty: all
    threads: tuple[int, ...]
    rounds: int
    forced_tokens: int  # 0: as many as the model says, or FORCED_TOKENS where its weights are random


def options(words: str, names: str, threads: str, rounds: int, forced_tokens: int) -> Options:
    """Reads the options as the command line has them; commas separate the parts of a list.

    Raises:
        BuildError: one is not what it should be.
    """
    counts = thread_counts(threads)
    if rounds < 1:
        raise BuildError(f"--rounds {rounds}: at least one round is needed")
    if forced_tokens < 0:
        raise BuildError(f"--forced-tokens {forced_tokens}: not a number of tokens")
    listed = tuple(name for name in names.split(",") if name)
    return Options(words, listed, counts, rounds, forced_tokens)


def bench(build: Build, variants: Sequence[Variant], options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measures built variants and the contenders.

    Args:
        build: the command's; the variants are published in its tree.
        variants: what is measured. Those of one checkpoint and one pair of bounds make one run, in which they are
            compared with each other too.
        options: as given.
        say: progress.

    Returns:
        Plain data: the machine and the runs. A run has what was pronounced, the rows of its contenders
        (`results.rows`), of the whole list (`lists`) and of opening (`opening`), and the times of our functions.

    Raises:
        BuildError: an option names something that does not exist, or a variant cannot be built.
    """
    peers = chosen(options.contenders, contenders.PEERS) if options.contenders else list(contenders.PEERS)
    real = workload.real(options.words)
    groups: dict[Any, list[Variant]] = {}
    for variant in variants:
        groups.setdefault((variant.checkpoint, variant.max_lens), []).append(variant)
    before = machine.load()
    runs = [_run(build, group, peers, real, options, say) for group in groups.values()]
    return {"machine": machine.describe(before), "runs": runs}


def _run(
    build: Build,
    group: Sequence[Variant],
    peers: Sequence[Contender],
    real: Mapping[str, Sequence[str]],
    options: Options,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measures variants of one checkpoint and one pair of bounds; the arguments are as `bench` has them."""
    made_up = group[0].checkpoint.source == "random"
    forced = options.forced_tokens or (FORCED_TOKENS if made_up else None)
    # The first is what all others are compared with.
    mine = contenders.ours(
        sorted(group, key=lambda each: (each.target.engine != "standalone", each.dtype != "float32"))
    )
    asked = {each.name: build.workspace.tree / "manifests" / f"{each.name}.json" for each in group}
    say("building the stand-ins for our variants")
    standalone = [each for each in group if each.target.engine == "standalone"]
    machines = {each.name: counterparts.built(build, on_virtual_machine(each)) for each in standalone}
    endless = {each.name: counterparts.built(build, counterparts.endless(each)) for each in standalone if forced}
    listed = workload.listed(group[0], real)
    plan = measure.Plan(
        root=build.cache,
        manifests=asked | endless,
        machines=asked | machines,
        checkpoint=checkpoint_files(build, group[0]),
        contenders=[*mine, *peers],
        threads=options.threads,
        words=None if made_up else real,
        listed=listed if options.words else [],
        forced_tokens=forced,
        rounds=options.rounds,
        say=say,
    )
    rows, said = measure.run(plan)
    return {
        "checkpoint": group[0].checkpoint.name,
        "max_lens": {"input": group[0].max_lens.input, "output": group[0].max_lens.output},
        "words": "made up" if made_up else (Path(options.words).name or "golden"),
        "list": Path(options.words).name,
        "forced_tokens": forced,
        "rounds": options.rounds,
        "rows": rows,
        "lists": lists.whole_list(plan, said),
        # The first word of a model with random weights is as long as chance has it: its time says nothing.
        "opening": [] if made_up else opening(build, asked, mine, listed[0], options.rounds, say),
        "functions": measure.function_times(plan),
    }
