"""The result as a picture: the words that are wrong, a panel for each language."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.common import picture

__all__ = ["draw", "svg"]

Row = Mapping[str, Any]

_MEASURES = {"wer": "test words", "running_text": "running text"}
_OWN, _OTHERS = "#c44e52", "#4c72b0"
_NAMES, _PANEL, _HEAD, _LINE = 1.4, 1.3, 0.6, 0.22  # inches


def svg(rows: Sequence[Row]) -> bytes | None:
    """The picture; the same rows give the same bytes. None where matplotlib is not installed, or nothing to draw."""
    scored = [row for row in rows if not row["failed"] and row["exact"]]
    return picture.svg(lambda figure: draw(figure, scored)) if scored else None


def draw(figure: Any, rows: Sequence[Row]) -> None:
    """Draws a row of panels for the test words, and one for running text: how many are wrong, in percent.

    Args:
        figure: an empty `matplotlib.figure.Figure`.
        rows: of `command.measure`, those with rates in the dictionary's notation.
    """
    languages, names = ([*dict.fromkeys(row[key] for row in rows)] for key in ("language", "contender"))
    figure.set_size_inches(_NAMES + len(languages) * _PANEL, len(_MEASURES) * (_HEAD + len(names) * _LINE))
    panels = figure.subplots(len(_MEASURES), len(languages), sharey=True, squeeze=False)
    for line, (measure, title) in zip(panels, _MEASURES.items(), strict=True):
        for panel, language in zip(line, languages, strict=True):
            rates = {
                row["contender"]: row["exact"][measure]
                for row in rows
                if row["language"] == language and row["exact"][measure] is not None
            }
            _draw_panel(panel, f"{language}\n{title}, %", rates, names)


def _draw_panel(panel: Any, title: str, rates: Mapping[str, float], names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        if name in rates:
            percent = 100 * rates[name]
            panel.barh(number, percent, 0.7, color=_OWN if name.startswith("ours") else _OTHERS)
            panel.annotate(f"{percent:.3g}", (percent, number), (3, 0), textcoords="offset points", va="center", size=8)
    most = max([100 * rate for rate in rates.values()], default=0) or 1
    panel.set(xlim=(0, 1.5 * most), yticks=range(len(names)), yticklabels=names, xticks=[])
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_title(title, size=9)
    panel.tick_params(left=False)
    panel.spines[:].set_visible(False)
