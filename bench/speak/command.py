"""All of `doit bench` for speech but its tables: from the options of the command line to plain data."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.common import machine
from bench.common.checkpoint import checkpoint_files
from bench.common.named import chosen, thread_counts
from bench.common.process import Failed, Process
from bench.speak import contenders, measure, results
from bench.speak.contenders import Contender
from bench.speak.measure import Plan, Running
from bench.speak.programs import timed_library
from bench.speak.workload import SENTENCE, utterances
from g2p_build import graph
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError
from g2p_build.families.kokoro.checkpoint import kokoro_checkpoint
from g2p_build.store.scratch import scratch

__all__ = ["Options", "bench", "options"]

_SECONDS = 600  # for what the machine could do

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What the command line says besides the variants."""

    peers: tuple[Contender, ...]
    threads: tuple[int, ...]
    rounds: int


def options(names: str, threads: str, rounds: int) -> Options:
    """Reads the options as the command line has them; commas separate the parts of a list.

    Raises:
        BuildError: one is not what it should be.
    """
    if rounds < 1:
        raise BuildError(f"--rounds {rounds}: at least one round is needed")
    listed = [name for name in names.split(",") if name]
    peers = chosen(listed, contenders.PEERS) if listed else [peer for peer in contenders.PEERS if not peer.asked]
    return Options(tuple(peers), thread_counts(threads), rounds)


def bench(build: Build, variants: Sequence[Variant], options: Options, say: Callable[[str], None]) -> Row:
    """Measures built variants of one checkpoint, and the contenders.

    Args:
        build: the command's; the variants are published in its tree.
        variants: of speech, for this machine.
        options: as given.
        say: progress.

    Returns:
        Plain data: the machine, its peaks, the checkpoint, and rows (see `results`) under "times", "first_sounds",
        "footprints", "programs", "goals" and "failures".

    Raises:
        BuildError: the variants are of several checkpoints, or not for this machine.
    """
    names = list(dict.fromkeys(variant.checkpoint.name for variant in variants))
    if len(names) > 1:
        raise BuildError(f"the variants are of {len(names)} checkpoints: measure {names[0]} alone")
    for variant in variants:
        if variant.target.package != "shared":
            raise BuildError(f"{variant.name} is no shared library: measure target.package=shared")
    before = machine.load()
    plan, rate, frame = _plan(build, variants, options, say)
    say("each with the long utterance, in a process of its own")
    found = list(measure.memory(plan))
    taking = [row["contender"] for row in found if row["failed"] is None]
    running, lost = measure.speaking(plan, taking)
    try:
        clocked, unclocked, peaks, work = _programs(plan, variants[0], frame)
    except Failed as failed:
        raise BuildError(f"this machine's peaks cannot be measured: {failed}") from None
    sizes = {
        variant.name: json.loads(build.files(graph.nodes(variant)["library"])["sizes.json"].read_bytes())["library"]
        for variant in variants
    }
    run = {
        "times": list(results.times(running, rate)),
        "first_sounds": list(results.first_sounds(running, rate)),
        "footprints": list(results.footprints(found, clocked, sizes, rate)),
    }
    return {
        "machine": machine.describe(before),
        "peaks": peaks,
        "checkpoint": variants[0].checkpoint.name,
        "voice": plan.voice,
        "rounds": options.rounds,
        "utterances": {name: each.phonemes for name, each in plan.utterances.items()},
        **run,
        "programs": results.programs(clocked, peaks, work),
        "goals": results.goals(run),
        "failures": list(results.failures([*found, *lost, *unclocked], [*running, *clocked])),
    }


def _plan(
    build: Build, variants: Sequence[Variant], options: Options, say: Callable[[str], None]
) -> tuple[Plan, int, int]:
    """The plan, samples a second, and samples a frame."""
    nodes = {variant.name: graph.nodes(variant) for variant in variants}
    first = nodes[variants[0].name]
    described = json.loads(build.files(first["symbols"])["symbols.json"].read_bytes())
    checkpoint = checkpoint_files(build, variants[0])
    mine = contenders.ours(sorted(variants, key=lambda each: each.dtype != "float32"))
    plan = Plan(
        root=build.cache,
        manifests={name: build.workspace.tree / "manifests" / f"{name}.json" for name in nodes},
        weights={name: build.files(each["weights"])["weights.safetensors"] for name, each in nodes.items()},
        libraries={variant.name: timed_library(build, variant, say) for variant in variants},
        checkpoint=checkpoint,
        source=variants[0].checkpoint.source,
        voices=build.files(first["voices"])["voices.safetensors"],
        voice=kokoro_checkpoint(variants[0]).voices[0],
        contenders=[*mine, *options.peers],
        threads=options.threads,
        rounds=options.rounds,
        utterances=utterances(json.loads((checkpoint / "vocabulary.json").read_bytes())),
        say=say,
    )
    return plan, described["sample_rate"], described["frame_samples"]


def _programs(plan: Plan, variant: Variant, frame: int) -> tuple[list[Running], list[Row], Row, dict[str, Row]]:
    """Our libraries with clocks in them, those lost, the machine's peaks around that, what the sentence takes by dtype.

    Raises:
        Failed: the process that measures peaks died.
    """
    roof = Process("bench.speak.roof", Path(sys.executable), 1, scratch(plan.root) / "roof.log")
    try:
        plan.say("this machine's peaks")
        target = {"target": asdict(variant.target)}
        peaks = roof.ask(target, _SECONDS)
        clocked, lost = measure.programs(plan)
        # Whatever else the machine does takes from a peak: the better of two is nearer to it.
        again = roof.ask(target, _SECONDS)
        peaks = {name: max(peaks[name], again[name]) for name in ("gflops", "sgemm")} | {
            "reads": {size: max(rate, again["reads"][size]) for size, rate in peaks["reads"].items()}
        }
        architecture = json.loads((plan.checkpoint / "architecture.json").read_bytes())
        work = {}
        for one in clocked:
            if SENTENCE in one.answers and one.contender.dtype not in work:
                asked = {"dtype": one.contender.dtype, "tokens": len(plan.utterances[SENTENCE].ids)}
                asked |= {"frames": one.answers[SENTENCE][0]["samples"] // frame}
                work[one.contender.dtype] = roof.ask(asked | {"architecture": architecture, "peaks": peaks}, _SECONDS)
        return clocked, lost, peaks, work
    finally:
        roof.close()
