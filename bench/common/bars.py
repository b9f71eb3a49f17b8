"""Pictures of contenders beside ours: bars of ratios, on a logarithmic scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Bar", "Group", "draw"]

Bar = tuple[float, float, float, str]
"""A ratio, from, to, and what is written beside it."""

_OWN, _OTHERS = "#c44e52", "#4c72b0"
_NAMES, _PANEL, _HEAD, _LINE = 1.6, 1.7, 0.75, 0.19  # inches
_THICK = 0.8  # of a line's height


@dataclass(frozen=True)
class Group:
    """A row of panels."""

    title: str
    names: Sequence[str]  # of contenders, in order
    lines: int  # the most bars of one contender in a panel
    panels: Sequence[tuple[str, Mapping[tuple[str, int], Bar]]]  # a title, and bars by contender and line


def draw(figure: Any, groups: Sequence[Group]) -> None:
    """Draws rows of panels.

    A bar ends at the contender's value divided by ours; the text beside it is the value itself, and a thin line is the
    middle half of the rounds. A paler bar is of a later line.

    Args:
        figure: an empty `matplotlib.figure.Figure`.
        groups: at least one.
    """
    heights = [_HEAD + len(group.names) * group.lines * _LINE for group in groups]
    widest = max(len(group.panels) for group in groups)
    figure.set_size_inches(_NAMES + widest * _PANEL, sum(heights))
    rows = figure.subfigures(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0]
    for row, group in zip(rows, groups, strict=True):
        row.suptitle(group.title, weight="bold", x=0.01, ha="left")
        several = row.subplots(1, len(group.panels), sharey=True, squeeze=False)[0]
        for panel, (title, bars) in zip(several, group.panels, strict=True):
            _draw_panel(panel, title, bars, group.names, group.lines)


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
