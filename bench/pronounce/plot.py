"""The result of a run as a picture: ratios to ours, on a logarithmic scale."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

__all__ = ["svg"]

Row = Mapping[str, Any]
Bar = tuple[float, float, float, str]  # ratio, from, to, label

_NAMES, _PANEL, _GAP, _LINE, _HEAD = 150, 150, 14, 16, 46  # pixels
_COLOURS = ("#4c72b0", "#a9bbdb")
_OWN = ("#c44e52", "#e2a7a9")


def svg(runs: Sequence[Row]) -> str:
    """An SVG with a row of panels for each run: time at each batch size and for one list, package, load, memory.

    A bar ends at the contender's value divided by ours; the text in it is the value itself, and a thin line is the
    middle half of the rounds. The lighter bar is the greater number of threads. The same runs give the same bytes.
    """
    parts: list[str] = []
    height, width = 0, 0
    for run in runs:
        names = list(dict.fromkeys(row["contender"] for row in run["rows"] if "ms" in row))
        threads = sorted({row["threads"] for row in run["rows"] if "ms" in row})
        panels = _panels(run, names, threads)
        line = _LINE * max(1, len(threads))
        parts.append(_text(8, height + 18, f"{run['checkpoint']}: times ours", bold=True))
        for number, name in enumerate(names):
            parts.append(_text(8, height + _HEAD + number * line + line / 2 + 4, name))
        for number, (title, bars) in enumerate(panels):
            left = _NAMES + number * (_PANEL + _GAP)
            parts += _panel(left, height, title, bars, names, line)
        height += _HEAD + len(names) * line + 24
        width = max(width, _NAMES + len(panels) * (_PANEL + _GAP))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panels(run: Row, names: Sequence[str], threads: Sequence[int]) -> list[tuple[str, dict[tuple[str, int], Bar]]]:
    """Titles, and bars by contender and number of bar."""
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


def _panel(
    left: float, top: float, title: str, bars: Mapping[tuple[str, int], Bar], names: Sequence[str], line: int
) -> list[str]:
    ends = [value for bar in bars.values() for value in bar[:3]]
    low, high = math.log(min([*ends, 0.5])), math.log(max([*ends, 2.0]))

    def x(ratio: float) -> float:
        return left + _PANEL * (math.log(ratio) - low) / (high - low)

    bottom = top + _HEAD + len(names) * line
    parts = [_text(left, top + 34, title)]
    for number, name in enumerate(names):
        several = [bar for bar in (0, 1) if (name, bar) in bars]
        for place, bar in enumerate(several):
            ratio, first, third, label = bars[name, bar]
            y = top + _HEAD + number * line + place * _LINE + 2 + (line - len(several) * _LINE) / 2
            colour = (_OWN if name.startswith("ours") else _COLOURS)[bar]
            start, end = sorted((x(1.0), x(ratio)))
            parts.append(
                f'<rect x="{start:.1f}" y="{y:.1f}" width="{max(1.0, end - start):.1f}" '
                f'height="{_LINE - 4}" fill="{colour}"/>'
            )
            middle = y + (_LINE - 4) / 2
            parts.append(_line(x(first), middle, x(third), middle))
            parts.append(_text(min(end + 3, left + _PANEL - 26), y + 10, label))
    parts.append(_line(x(1.0), top + _HEAD - 4, x(1.0), bottom))
    return parts


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#333"/>'


def _text(x: float, y: float, text: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{weight}>{escape(text)}</text>'
