"""No-op and one-change builds of one graph: this build system, ninja, doit, snakemake and DVC, in one run.

    python -m bench.build

writes docs/benchmarks/build.md, build.json and build.svg. It installs the tools it compares with into bench/.venv, and
builds in a temporary folder. It takes ten minutes on a machine that has nothing else to do, as it should.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from bench.build.contenders import OURS, PEERS, Contender, change_weights, leaf_names, lose_product, make, overrides
from bench.build.graphs import Step, steps
from bench.build.report import Cell, markdown
from g2p_build.config import compose

__all__ = ["SCENARIOS", "Scenario", "measure"]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "benchmarks"
VENV = ROOT / "bench" / ".venv"

PATIENCE = 15.0
"""Seconds: what takes longer than this in all rounds together is measured in fewer, but at least two."""

CUT_OFF = {"checkpoint", "weights", "weights_archive", "manifest", "publish"}
"""What new weights stale: their architecture, and with it tokenizer, program, library and link, is as it was."""

DOWNSTREAM = CUT_OFF | {"tokenizer", "program", "library", "link", "library_archive"}
"""What a tool runs that has no early cut-off: all that is downstream of the checkpoint."""


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
    """Times every tool in every scenario, in turns, so that a slow minute of the machine is everybody's.

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
                    contender.run()  # what the last change left to be noticed is noticed, and not measured
                scenario.happens(contender, leaf, turn)
                started = time.perf_counter()
                said = contender.start()
                seconds.append(time.perf_counter() - started)
                ran, expected = sorted(contender.ran(said)), sorted(scenario.runs(contender.name))
                if ran != expected:
                    raise RuntimeError(f"{contender.name} ran {ran} after {scenario.name}, not {expected}")
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.build", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="1,20,200", help="numbers of variants (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (%(default)s)")
    parser.add_argument("--tools", default=",".join(PEERS), help="whom to compare with (%(default)s)")
    parser.add_argument("--out", type=Path, default=DOCS, help="the folder to write to (docs/benchmarks)")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        versions, missing = _install([tool for tool in options.tools.split(",") if tool], progress)
        tools = [OURS, *versions]
        total = len(sizes) * len(tools) * (1 + len(SCENARIOS) * options.rounds)
        task = progress.add_task("", total=total)

        def tick(what: str) -> None:
            progress.update(task, description=what, advance=1)
            if not console.is_terminal:
                print(what, file=sys.stderr, flush=True)

        cells: list[Cell] = []
        machine = _machine()
        for size in sizes:
            with tempfile.TemporaryDirectory(prefix="g2p-build-bench-") as folder:
                leaves, plan = leaf_names(size), _plan(Path(folder))
                contenders = []
                for tool in tools:
                    tick(f"{size} variants: the first build, {tool}")
                    contenders.append(make(tool, Path(folder) / tool, plan, leaves, VENV / "bin"))
                for (tool, scenario), seconds in measure(contenders, leaves, options.rounds, tick).items():
                    steps_run = len(next(s for s in SCENARIOS if s.name == scenario).runs(tool))
                    cells.append(Cell(tool, size, size * len(plan), scenario, steps_run, tuple(seconds)))

    command = shlex.join(["python", "-m", "bench.build", *sys.argv[1:]])
    result = {
        "command": command,
        "machine": machine,
        "versions": versions | {OURS: version("g2p-build")},
        "missing": missing,
        "cells": [cell.as_json(cells) for cell in cells],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "build.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.out / "build.md").write_text(markdown(result))
    files = [options.out / "build.json", options.out / "build.svg"]
    subprocess.run([VENV / "bin/python", ROOT / "bench/build/plot.py", *files], check=True)


def _plan(folder: Path) -> list[Step]:
    """The steps of one variant, whichever its checkpoint is."""
    example = folder / "example"
    example.mkdir()
    for file in ("config.json", "model.safetensors"):
        (example / file).touch()
    [variant] = compose.variants(["checkpoint=path", f"checkpoint.path={example}", *overrides([])[2:]])
    return steps(variant)


def _install(tools: Sequence[str], progress: Progress) -> tuple[dict[str, str], dict[str, str]]:
    """Installs the tools, and what draws, into bench/.venv: versions by name, and why others are not there."""
    if not (VENV / "bin/python").exists():
        venv.create(VENV, with_pip=True)
    versions, missing = {}, {}
    wanted = (ROOT / "bench/requirements-build.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in wanted if "==" in line)
    for name in ["matplotlib", *tools]:
        if name == "doit":  # is ours already
            versions[name] = version(name)
            continue
        task = progress.add_task(f"installing {name}", total=None)
        pip = [str(VENV / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, f"{name}=={pins[name]}"], capture_output=True, text=True)
        progress.remove_task(task)
        if done.returncode and name == "matplotlib":
            raise RuntimeError(f"cannot install matplotlib into bench/.venv: {done.stderr.strip()[-300:]}")
        if done.returncode:
            missing[name] = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        elif name in PEERS:
            versions[name] = pins[name]
    return versions, missing


def _machine() -> dict[str, Any]:
    """What the figures depend on besides the tools."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.freedesktop_os_release().get('PRETTY_NAME', platform.system())}, {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"ERROR: {error}")
