"""The result as a picture: seconds over nodes, a panel for each scenario."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.common import picture
from bench.common.spread import spread

__all__ = ["draw", "svg"]

TITLES = {"nothing": "nothing changed", "weights": "one checkpoint's weights", "product": "one archive gone"}


def svg(cells: Sequence[Mapping[str, Any]]) -> bytes | None:
    """The picture; the same cells give the same bytes. None where matplotlib is not installed."""
    return picture.svg(lambda figure: draw(figure, cells))


def draw(figure: Any, cells: Sequence[Mapping[str, Any]]) -> None:
    """Draws medians, each with the middle half of its rounds.

    Args:
        figure: an empty `matplotlib.figure.Figure`.
        cells: as `report.Cell.as_json` gives them.
    """
    figure.set_size_inches(10, 3.6)
    panels = figure.subplots(1, len(TITLES), sharey=True)
    for panel, (scenario, title) in zip(panels, TITLES.items(), strict=True):
        for tool in dict.fromkeys(cell["tool"] for cell in cells):
            mine = [cell for cell in cells if (cell["tool"], cell["scenario"]) == (tool, scenario)]
            nodes, found = [cell["nodes"] for cell in mine], [spread(cell["seconds"]) for cell in mine]
            medians = [one.median for one in found]
            halves = [[one.median - one.low for one in found], [one.high - one.median for one in found]]
            panel.errorbar(nodes, medians, halves, label=tool, marker="o", markersize=3, capsize=2, linewidth=1)
        panel.set(title=title, xlabel="nodes", xscale="log", yscale="log")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("seconds, whole process")
    panels[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
