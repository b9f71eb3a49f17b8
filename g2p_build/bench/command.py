"""What `doit bench` does, between its options and its tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g2p_build import build, graph
from g2p_build.bench import contenders, machine, measure, workload
from g2p_build.errors import BuildError
from g2p_build.store.scratch import scratch
from g2p_build.variant import Variant

__all__ = ["FORCED_TOKENS", "Options", "bench", "checkpoint_files", "options"]

FORCED_TOKENS = 16
"""How many tokens a word gets where the weights are random, unless the options say so."""


@dataclass(frozen=True)
class Options:
    """What the command line says besides the variants."""

    words: str  # a dictionary; "": the golden set
    contenders: tuple[str, ...]  # names; empty: all
    threads: tuple[int, ...]
    rounds: int
    forced_tokens: int  # 0: as many as the model says, or FORCED_TOKENS where its weights are random


def options(words: str, names: str, threads: str, rounds: int, forced_tokens: int) -> Options:
    """The options as the command line spells them, lists with commas.

    Raises:
        BuildError: one is not what it should be.
    """
    counts, most = threads.split(","), machine.cores()
    for count in counts:
        if not count.isdecimal() or not 0 < int(count) <= most:
            raise BuildError(
                f"--threads {threads}: {count!r} is not a number from 1 to {most}, the cores of this machine"
            )
    if rounds < 1:
        raise BuildError(f"--rounds {rounds}: at least one round is needed")
    if forced_tokens < 0:
        raise BuildError(f"--forced-tokens {forced_tokens}: not a number of tokens")
    listed = tuple(name for name in names.split(",") if name)
    return Options(words, listed, tuple(sorted({int(count) for count in counts})), rounds, forced_tokens)


def bench(
    root: Path, tree: Path, variants: Sequence[Variant], options: Options, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measures built variants and the contenders.

    Args:
        root: the cache's folder.
        tree: the folder that holds `manifests/`, in which the variants are published.
        variants: those of one checkpoint and one pair of bounds are one run, and compared with each other too.
        options: as given.
        say: progress.

    Returns:
        Plain data: the machine, and for each run what was pronounced, its rows (`results.rows`) and the times of our
        functions.

    Raises:
        BuildError: an option names nothing there is.
    """
    peers = contenders.chosen(options.contenders) if options.contenders else list(contenders.PEERS)
    real = workload.real(options.words)
    groups: dict[Any, list[Variant]] = {}
    for variant in variants:
        groups.setdefault((variant.checkpoint, variant.max_lens), []).append(variant)
    before = machine.load()
    runs = []
    for group in groups.values():
        made_up = group[0].checkpoint.source == "random"
        forced = options.forced_tokens or (FORCED_TOKENS if made_up else None)
        mine = sorted(group, key=lambda variant: variant.dtype != "float32")  # float32 first: it is compared with
        plan = measure.Plan(
            root=root,
            manifests=tree / "manifests",
            checkpoint=checkpoint_files(root, group[0]),
            contenders=[*contenders.ours(mine), *peers],
            threads=options.threads,
            words=None if made_up else real,
            forced_tokens=forced,
            rounds=options.rounds,
            say=say,
        )
        rows = list(measure.run(plan))
        runs.append(
            {
                "checkpoint": group[0].checkpoint.name,
                "max_lens": {"input": group[0].max_lens.input, "output": group[0].max_lens.output},
                "words": "made up" if made_up else (Path(options.words).name or "golden"),
                "forced_tokens": forced,
                "rounds": options.rounds,
                "rows": rows,
                "functions": measure.function_times(plan),
            }
        )
    return {"machine": machine.describe() | {"load": [before, machine.load()]}, "runs": runs}


def checkpoint_files(root: Path, variant: Variant) -> Path:
    """A folder with what the checkpoint stage made, under its own names."""
    folder = scratch(root) / f"checkpoint-{variant.checkpoint.name}"
    folder.mkdir(exist_ok=True)
    for name, path in build.files(root, graph.nodes(variant)["checkpoint"]).items():
        if not (folder / name).exists():
            (folder / name).symlink_to(path)
    return folder
