"""What was measured, as plain data and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.build import plot
from bench.build.contenders import OURS
from bench.common import page
from bench.common.spread import digits, ratios, spread

__all__ = ["Cell", "markdown", "write"]

FILES = "build"
"""Name, without its ending, of the files that a report is kept in."""


@dataclass(frozen=True)
class Cell:
    """The runs of one tool over one graph in one scenario."""

    tool: str
    variants: int
    nodes: int
    scenario: str
    ran: int  # nodes
    seconds: tuple[float, ...]  # of the whole process, by round

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return vars(self) | {"seconds": [round(value, 6) for value in self.seconds]}


TITLES = {
    "nothing": "Nothing has changed",
    "weights": "One checkpoint has new weights",
    "product": "One published archive is gone",
}

METHOD = """\
The graph of {sizes} variants, each of a checkpoint of its own, is built once. Then nothing, one checkpoint's weights or
one product changes, and the same command is given again.

- **A node** is a stage of a variant, or its publication: {nodes} for each variant. The other tools have the same nodes
  with the same files between them, written by `bench/build/graphs.py`. Their stages are a `cat` of the inputs. Ours are
  the real ones (a small model with random weights), in a worker that imports torch, once something is stale.
- **Seconds** are those of the whole process, from its start to its end: the median, in brackets the first and third
  quartile. The tools take turns, round by round. What takes long is measured in fewer rounds, but at least two.
- **Times ours** is taken within each round: how many times as long as ours the tool's run took. Below 1 it was faster.
- **Ran** is how many nodes a run ran; every run is checked to have run exactly those that it should. New weights of the
  same architecture stale 5 of {nodes} nodes; that tokenizer, program, code and library are kept is early cut-off (for
  ninja: `restat`, and outputs replaced only if they differ). Snakemake decides what to run before it runs anything: all
  {nodes}.
- Each tool is asked in its usual, silent way, one job at a time: `ninja`, `doit` (plain file dependencies),
  `snakemake --cores 1`, `dvc repro` with outputs outside of its cache. ninja trusts time stamps; doit and Snakemake
  look at contents where those differ; DVC and we trust digests, remembered by `stat`. Ours also reads and checks the
  configs and resolves the variants and this machine, which the other tools get as a finished list.
- DVC gets its first lock file from us, as it writes all of it anew after each stage; from then on it writes its own.
"""


def write(folder: Path, result: Mapping[str, Any]) -> None:
    """Writes the page, the numbers and the picture: `build.md`, `.json` and `.svg`.

    Raises:
        OSError: the folder cannot be written.
    """
    picture = plot.svg(result["cells"])
    page.write(folder, FILES, result, markdown(result, picture is not None), picture)


def markdown(result: Mapping[str, Any], drawn: bool) -> list[str]:
    """The page's lines.

    Args:
        result: the "command", the "machine", the "versions" of the tools, why others are "missing", and the "cells".
        drawn: whether there is a picture.
    """
    cells = result["cells"]
    sizes = ", ".join(map(str, sorted({cell["variants"] for cell in cells})))
    picture = page.image(FILES, "seconds over nodes", drawn)
    lines = page.head("How long a build takes that has little to do", FILES, result, result["versions"], picture)
    method = METHOD.format(sizes=sizes, nodes=cells[0]["nodes"] // cells[0]["variants"])
    lines += ["", "## How to read it", "", *method.splitlines()]
    for scenario, title in TITLES.items():
        rows = [_row(cell, cells) for cell in cells if cell["scenario"] == scenario]
        if rows:
            nothing = dict.fromkeys(rows[0], "")
            rows += [
                nothing | {"tool": tool, "seconds": f"not measured: {reason}"}
                for tool, reason in result["missing"].items()
            ]
            lines += ["", f"## {title}", "", *page.table(rows)]
    return lines


def _row(cell: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    alike = [other for other in cells if all(other[field] == cell[field] for field in ("variants", "scenario"))]
    [ours] = [other["seconds"] for other in alike if other["tool"] == OURS]
    seconds = spread(cell["seconds"])
    return {
        "variants": str(cell["variants"]),
        "nodes": str(cell["nodes"]),
        "tool": cell["tool"],
        "seconds": str(seconds),
        "ms a node": digits(1000 * seconds.median / cell["nodes"]),
        "times ours": "1" if cell["tool"] == OURS else str(ratios(cell["seconds"], ours)),
        "ran": str(cell["ran"]),
        "rounds": str(len(cell["seconds"])),
    }
