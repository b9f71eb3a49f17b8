"""The result of a run as a picture: ratios to ours, on a logarithmic scale."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.common import bars, picture
from bench.common.bars import Bar

__all__ = ["draw", "panels", "svg"]

Row = Mapping[str, Any]


def svg(runs: Sequence[Row]) -> bytes | None:
    """The picture; the same runs give the same bytes. None where matplotlib is not installed."""
    return picture.svg(lambda figure: draw(figure, runs))


def draw(figure: Any, runs: Sequence[Row]) -> None:
    """Draws a row of panels for each run: time at each batch size and for one list, package, load, memory.

    See `bars.draw`; a paler bar is a greater number of threads.

    Args:
        figure: an empty `matplotlib.figure.Figure`.
        runs: as `command.bench` returns them.
    """
    groups = []
    for run in runs:
        names = list(dict.fromkeys(row["contender"] for row in run["rows"] if "ms" in row))
        threads = sorted({row["threads"] for row in run["rows"] if "ms" in row})
        found = panels(run, names, threads)
        groups.append(bars.Group(f"{run['checkpoint']}: times ours", names, max(1, len(threads)), found))
    bars.draw(figure, groups)


def panels(run: Row, names: Sequence[str], threads: Sequence[int]) -> list[tuple[str, dict[tuple[str, int], Bar]]]:
    """What a run's panels show: titles, and bars by contender and place in `threads`.

    Args:
        run: as `command.bench` returns it.
        names: the contenders', in order.
        threads: the numbers of threads, ascending.
    """
    timed, listed = ([row for row in run[kind] if row.get("ratio")] for kind in ("rows", "lists"))
    found = [
        (f"ms a word, batch {size}", _bars([row for row in timed if row["batch"] == size], threads))
        for size in sorted({row["batch"] for row in timed})
    ]
    if listed:
        found.append(("ms a word, one list", _bars(listed, threads)))
    first = {row["contender"]: row for row in reversed(timed)}
    measures = {
        "package, MB": lambda row: (row["model_bytes"] + row["library_bytes"]) / 1e6,
        "load, s": lambda row: row["load"]["median"],
        "peak memory, MB": lambda row: row["peak_bytes"] / 1e6,
    }
    for title, measure in measures.items():
        values = {name: measure(first[name]) for name in names if name in first}
        base = next(iter(values.values()), 0)
        if base:
            found.append((title, {(n, 0): (v / base, v / base, v / base, f"{v:.3g}") for n, v in values.items()}))
    return found


def _bars(rows: Sequence[Row], threads: Sequence[int]) -> dict[tuple[str, int], Bar]:
    return {
        (row["contender"], threads.index(row["threads"])): (*_values(row["ratio"]), f"{row['ms']['median']:.3g}")
        for row in rows
    }


def _values(ratio: Mapping[str, float]) -> tuple[float, float, float]:
    return ratio["median"], ratio["low"], ratio["high"]
