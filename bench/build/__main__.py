"""No-op and one-change builds of one graph: this build system, ninja, doit, snakemake and DVC, in one run.

    python -m bench.build

writes docs/benchmarks/build.md, build.json and build.svg. It installs the tools that it compares with into the cache,
and builds in a temporary folder. It takes ten minutes on a machine that has nothing else to do, as it should.
"""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.build import report
from bench.build.contenders import OURS, PEERS, leaf_names, make, overrides
from bench.build.graphs import Step, steps
from bench.build.measure import SCENARIOS, measure
from bench.build.report import Cell
from bench.common import environments, machine
from bench.common.checkout import DOCS, ROOT
from g2p_build.config import compose
from g2p_build.engine import streams
from g2p_build.store.workspace import workspace

TOOLS = Path(__file__).with_name("tools")
"""A list for each tool that has to be installed."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.build", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="1,20,200", help="numbers of variants (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (%(default)s)")
    parser.add_argument("--tools", default=",".join(PEERS), help="whom to compare with (%(default)s)")
    parser.add_argument("--out", type=Path, default=DOCS, help="the folder to write to (docs/benchmarks)")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    asked = [tool for tool in options.tools.split(",") if tool]
    if unknown := [tool for tool in asked if tool not in PEERS]:
        parser.error(f"--tools: unknown {', '.join(unknown)}; there are {', '.join(PEERS)}")

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def say(what: str, advance: int = 0) -> None:
            progress.update(task, description=what, advance=advance)
            if not console.is_terminal:
                print(what, file=sys.stderr, flush=True)

        folders, missing = _installed(asked, say)
        tools = [OURS, *folders]
        progress.update(task, total=len(sizes) * len(tools) * (1 + len(SCENARIOS) * options.rounds))
        cells: list[Cell] = []
        before = machine.load()
        for size in sizes:
            with tempfile.TemporaryDirectory(prefix="g2p-build-bench-") as folder:
                leaves, plan = leaf_names(size), _plan(Path(folder))
                contenders = []
                for tool in tools:
                    say(f"{size} variants: the first build, {tool}", advance=1)
                    contenders.append(make(tool, Path(folder) / tool, plan, leaves, folders.get(tool)))
                found = measure(contenders, leaves, options.rounds, lambda what: say(what, advance=1))
                for (tool, scenario), seconds in found.items():
                    steps_run = len(next(s for s in SCENARIOS if s.name == scenario).runs(tool))
                    cells.append(Cell(tool, size, size * len(plan), scenario, steps_run, tuple(seconds)))

    result = {
        "command": shlex.join(["python", "-m", "bench.build", *sys.argv[1:]]),
        "machine": machine.describe(before),
        "versions": {tool: _version(tool) for tool in (*folders, OURS)},
        "missing": missing,
        "cells": [cell.as_json() for cell in cells],
    }
    report.write(options.out, result)


def _plan(folder: Path) -> list[Step]:
    """The steps of one variant, whichever its checkpoint is."""
    example = folder / "example"
    example.mkdir()
    for file in ("config.json", "model.safetensors"):
        (example / file).touch()
    [variant] = compose.variants(["checkpoint=path", f"checkpoint.path={example}", *overrides([])[2:]])
    return steps(variant)


def _installed(tools: Sequence[str], say: Callable[[str], None]) -> tuple[dict[str, Path], dict[str, str]]:
    """The folder of each tool's command, and why other tools are not there."""
    folders, missing = {}, {}
    for tool in tools:
        try:
            folders[tool] = _interpreter(tool, say).parent
        except environments.NotInstalled as error:
            missing[tool] = str(error)
    return folders, missing


def _interpreter(tool: str, say: Callable[[str], None]) -> Path:
    if _list(tool).exists():
        return environments.interpreter(workspace(ROOT).cache, _list(tool), say, beside=False)
    return Path(sys.executable)  # doit is ours already


def _list(tool: str) -> Path:
    return TOOLS / f"{tool}.txt"


def _version(tool: str) -> str:
    if _list(tool).exists():
        return _list(tool).read_text(encoding="utf-8").strip().partition("==")[2]
    return version(tool)


if __name__ == "__main__":
    streams.guard()
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"ERROR: {error}")
