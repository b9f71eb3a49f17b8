"""Draws what bench/build.py measured. Run in bench/.venv, which has matplotlib: `plot.py build.json build.svg`."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same figures give the same bytes.
matplotlib.rcParams.update({"svg.hashsalt": "g2p-build", "svg.fonttype": "none", "font.size": 9})

import matplotlib.pyplot as plt  # noqa: E402

TITLES = {"nothing": "nothing changed", "weights": "one checkpoint's weights", "product": "one archive gone"}


def main(source: Path, target: Path) -> None:
    """One panel a scenario: seconds over nodes, the median with the fastest and the slowest run."""
    cells = json.loads(source.read_bytes())["cells"]
    figure, panels = plt.subplots(1, len(TITLES), figsize=(10, 3.6), sharey=True, layout="constrained")
    for panel, (scenario, title) in zip(panels, TITLES.items(), strict=True):
        for tool in dict.fromkeys(cell["tool"] for cell in cells):
            mine = [cell for cell in cells if (cell["tool"], cell["scenario"]) == (tool, scenario)]
            medians = [cell["median"] for cell in mine]
            spread = [
                [cell["median"] - cell["low"] for cell in mine],
                [cell["high"] - cell["median"] for cell in mine],
            ]
            nodes = [cell["nodes"] for cell in mine]
            panel.errorbar(nodes, medians, spread, label=tool, marker="o", markersize=3, capsize=2, linewidth=1)
        panel.set(title=title, xlabel="nodes", xscale="log", yscale="log")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("seconds, whole process")
    panels[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(target, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
