"""Pictures by matplotlib. It is in the extra `bench`, and nothing imports it before there is something to draw."""

import io
from collections.abc import Callable
from typing import Any

__all__ = ["svg"]

# Ids are random without a salt. Letters stay text: as paths they are ten times the bytes.
_SETTINGS = {"svg.hashsalt": "g2p-build", "svg.fonttype": "none", "font.size": 9}


def svg(draw: Callable[[Any], None]) -> bytes | None:
    """An SVG; the same drawing gives the same bytes. None where matplotlib is not installed.

    Args:
        draw: draws on an empty `matplotlib.figure.Figure`.
    """
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError:
        return None
    with style.context(["default", _SETTINGS]):  # whatever the user's own settings are
        figure = Figure(layout="constrained")
        draw(figure)
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()
