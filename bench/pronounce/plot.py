"""The result of a run as a picture: ratios to ours, on a logarithmic scale."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.common import picture

__all__ = ["draw", "panels", "svg"]

Row = Mapping[str, Any]
Bar = tuple[float, float, float, str]  # ratio, from, to, label

_OWN, _OTHERS = "#c44e52", "#4c72b0"
_NAMES, _PANEL, _HEAD, _LINE = 1.6, 1.7, 0.75, 0.19  # inches
_THICK = 0.8  # of a line's height


def svg(runs: Sequence[Row]) -> bytes | None:
    """The picture; the same runs give the same bytes. None where matplotlib is not installed."""
    return picture.svg(lambda figure: draw(figure, runs))


def draw(figure: Any, runs: Sequence[Row]) -> None:
    """Draws a row of panels for each run: time at each batch size and for one list, package, load, memory.

    A bar ends at the contender's value divided by ours; the text beside it is the value itself, and a thin line is the
    middle half of the rounds. A paler bar is a greater number of threads.

    Args:
        figure: an empty `matplotlib.figure.Figure`.
        runs: as `command.bench` returns them.
    """
    parts = []
    for run in runs:
        names = list(dict.fromkeys(row["contender"] for row in run["rows"] if "ms" in row))
        threads = sorted({row["threads"] for row in run["rows"] if "ms" in row})
        parts.append((run["checkpoint"], names, len(threads), panels(run, names, threads)))
    heights = [_HEAD + len(names) * max(1, lines) * _LINE for _, names, lines, _ in parts]
    widest = max(len(found) for *_, found in parts)
    figure.set_size_inches(_NAMES + widest * _PANEL, sum(heights))
    rows = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
    for row, (checkpoint, names, lines, found) in zip(rows, parts, strict=True):
        row.suptitle(f"{checkpoint}: times ours", weight="bold", x=0.01, ha="left")
        several = row.subplots(1, len(found), sharey=True, squeeze=False)[0]
        for panel, (title, bars) in zip(several, found, strict=True):
            _draw_panel(panel, title, bars, names, max(1, lines))


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


def _draw_panel(panel: Any, title: str, bars: Mapping[tuple[str, int], Bar], names: Sequence[str], lines: int) -> None:
    thick = _THICK / lines
    for number, name in enumerate(names):
        several = [bar for bar in range(lines) if (name, bar) in bars]
        for place, bar in enumerate(several):
            ratio, low, high, label = bars[name, bar]
            y = number + (place - (len(several) - 1) / 2) * thick
            colour = _OWN if name.startswith("ours") else _OTHERS
            panel.barh(y, ratio - 1, thick * 0.8, left=1, color=colour, alpha=0.5**bar)
            panel.plot((low, high), (y, y), color="#333", linewidth=0.8)
            panel.annotate(label, (max(1.0, ratio, high), y), (3, 0), textcoords="offset points", va="center", size=8)
    panel.axvline(1, color="#333", linewidth=0.8)
    ends = [value for bar in bars.values() for value in bar[:3]]
    low, high = min([*ends, 0.5]), max([*ends, 2.0])
    # A third more to the right, where the longest bar's label stands.
    panel.set(xscale="log", xlim=(low, high * (high / low) ** (1 / 3)), yticks=range(len(names)), yticklabels=names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_xticks([], minor=True)
    panel.set_xticks([])
    panel.set_title(title, size=9)
    panel.tick_params(left=False)
    panel.spines[:].set_visible(False)
