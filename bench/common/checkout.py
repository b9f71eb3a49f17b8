"""This checkout, and copies of what a build needs of it."""

import shutil
from pathlib import Path

__all__ = ["DOCS", "ROOT", "copy"]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "benchmarks"

_PARTS = ("conf", "dodo.py", "g2p_build", "tasks")


def copy(to: Path) -> None:
    """Copies what a build needs into a folder that is there."""
    for part in _PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, to / part)
