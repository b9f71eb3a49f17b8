"""What was measured, as JSON and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.build.contenders import OURS

__all__ = ["Cell", "Spread", "markdown", "ratios"]


@dataclass(frozen=True)
class Spread:
    """What some measurements amount to."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The median and the extremes.

        Raises:
            ValueError: there are no values.
        """
        if not values:
            raise ValueError("no measurements")
        return cls(median(values), min(values), max(values))

    def shown(self, scale: float = 1.0) -> str:
        """`12 (11 to 14)`, each times `scale`, three digits that count."""
        return f"{_digits(self.median * scale)} ({_digits(self.low * scale)} to {_digits(self.high * scale)})"


@dataclass(frozen=True)
class Cell:
    """The runs of one tool over one graph in one scenario."""

    tool: str
    variants: int
    nodes: int
    scenario: str
    ran: int  # nodes
    seconds: tuple[float, ...]  # of the whole process, by round

    def as_json(self, cells: Sequence["Cell"]) -> dict[str, Any]:
        """Plain data, with the ratio to our own cell among `cells`."""
        [ours] = [c for c in cells if (c.tool, c.variants, c.scenario) == (OURS, self.variants, self.scenario)]
        return {
            **{name: getattr(self, name) for name in ("tool", "variants", "nodes", "scenario", "ran")},
            "seconds": [round(value, 6) for value in self.seconds],
            **{key: round(value, 6) for key, value in vars(Spread.of(self.seconds)).items()},
            "ratio": {
                key: round(value, 6) for key, value in vars(Spread.of(ratios(self.seconds, ours.seconds))).items()
            },
        }


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> list[float]:
    """How many times as long they took as we did, round by round, for the rounds that both have."""
    return [a / b for a, b in zip(theirs, ours, strict=False)]


TITLES = {
    "nothing": "Nothing has changed",
    "weights": "One checkpoint has new weights",
    "product": "One published archive is gone",
}

INTRODUCTION = """\
# How long a build takes that has little to do

The graph of {sizes} variants, each of a checkpoint of its own, is built once. Then nothing, one checkpoint's weights or
one product changes, and the same command is given again. Made by

```text
{command}
```

on {cpu}, {cores} cores, {memory_gib} GiB, {system}, Python {python}
(load before the start: {load}), with {versions}.

![seconds over nodes](build.svg)

- **A node** is a stage of a variant, or its publication: {nodes} for each variant. The other tools have the same nodes
  with the same files between them, written by `bench/build/graphs.py`. Their stages are a `cat` of the inputs. Ours are
  the real ones (a small model with random weights), in a worker that imports torch, once something is stale.
- **Seconds** are those of the whole process, from its start to its end: the median, in brackets the fastest and the
  slowest. The tools take turns, round by round. What takes long is measured in fewer rounds, but at least two.
- **Times ours** is taken within each round: how many times as long as ours the tool's run took. Below 1 it was faster.
- **Ran** is how many nodes a run ran; every run is checked to have run exactly those that it should. New weights of the
  same architecture stale 5 of {nodes} nodes; that tokenizer, program, library and link are kept is early cut-off (for
  ninja: `restat`, and outputs replaced only if they differ). Snakemake decides what to run before it runs anything: all
  {nodes}.
- Each tool is asked in its usual, silent way, one job at a time: `ninja`, `doit` (plain file dependencies),
  `snakemake --cores 1`, `dvc repro` with outputs outside of its cache. ninja trusts time stamps; doit and Snakemake
  look at contents where those differ; DVC and we trust digests, remembered by `stat`. Ours also reads and checks the
  configs and resolves the variants and this machine, which the other tools get as a finished list.
- DVC gets its first lock file from us, as it writes all of it anew after each stage; from then on it writes its own.
"""


def markdown(result: Mapping[str, Any]) -> str:
    """The page."""
    versions = [f"{tool} {number}" for tool, number in result["versions"].items()]
    sizes = sorted({cell["variants"] for cell in result["cells"]})
    facts = result["machine"] | {
        "command": result["command"],
        "versions": ", ".join(versions),
        "sizes": ", ".join(map(str, sizes)),
        "nodes": result["cells"][0]["nodes"] // result["cells"][0]["variants"],
    }
    lines = [INTRODUCTION.format(**facts)]
    for scenario, title in TITLES.items():
        lines += [f"## {title}", "", "| variants | nodes | tool | seconds | ms a node | times ours | ran | rounds |"]
        lines += ["|---:|---:|---|---:|---:|---:|---:|---:|"]
        lines += [_row(cell) for cell in result["cells"] if cell["scenario"] == scenario]
        lines += [f"| | | {tool} | not measured: {reason} | | | | |" for tool, reason in result["missing"].items()]
        lines += [""]
    return "\n".join(lines)


def _row(cell: Mapping[str, Any]) -> str:
    seconds, ratio = (Spread(part["median"], part["low"], part["high"]) for part in (cell, cell["ratio"]))
    shown = "1" if cell["tool"] == OURS else ratio.shown()
    fields = [cell["variants"], cell["nodes"], cell["tool"], seconds.shown()]
    fields += [_digits(1000 * seconds.median / cell["nodes"]), shown, cell["ran"], len(cell["seconds"])]
    return f"| {' | '.join(map(str, fields))} |"


def _digits(value: float) -> str:
    """Three digits that count, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}" if value >= 0.001 else f"{value:.5f}"
