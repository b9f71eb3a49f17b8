"""The result of a run as a picture: ratios to ours, on a logarithmic scale."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from bench.common import bars, picture
from bench.common.bars import Bar
from bench.common.spread import digits
from bench.speak.workload import CLAUSE, SENTENCE

__all__ = ["draw", "panels", "svg"]

Row = Mapping[str, Any]

_TITLES = {SENTENCE: "s a second, sentence", CLAUSE: "s a second, clause"}


def svg(result: Row) -> bytes | None:
    """The picture; the same result gives the same bytes. None where matplotlib is not installed, or nobody spoke."""
    return picture.svg(partial(draw, result=result)) if result["times"] else None


def draw(figure: Any, result: Row) -> None:
    """Draws panels: time for a sentence and for a clause, memory. See `bars.draw`; a paler bar is of more threads.

    Args:
        figure: an empty `matplotlib.figure.Figure`.
        result: as `command.bench` returns it.
    """
    names = list(dict.fromkeys(row["contender"] for row in result["times"]))
    threads = sorted({row["threads"] for row in result["times"]})
    found = panels(result, threads)
    bars.draw(figure, [bars.Group(f"{result['checkpoint']}: times ours", names, len(threads), found)])


def panels(result: Row, threads: Sequence[int]) -> list[tuple[str, dict[tuple[str, int], Bar]]]:
    """What the panels show: titles, and bars by contender and place in `threads`.

    Args:
        result: as `command.bench` returns it.
        threads: the numbers of threads, ascending.
    """
    found = []
    for name, title in _TITLES.items():
        several: dict[tuple[str, int], Bar] = {}
        for row in result["times"]:
            if row["utterance"] == name and row["ratio"]:
                ratio, label = row["ratio"], digits(row["rtf"]["median"])
                place = row["contender"], threads.index(row["threads"])
                several[place] = (ratio["median"], ratio["low"], ratio["high"], label)
        found.append((title, several))
    held = {row["contender"]: row["peak_bytes"] / 1e6 for row in result["footprints"]}
    base = next(iter(held.values()), 0)
    if base:
        found.append(("peak memory, MB", {(n, 0): (v / base, v / base, v / base, digits(v)) for n, v in held.items()}))
    return found
