"""The environments that contenders run in: each list `NAME.txt` here is one, on top of the build's own packages."""

from pathlib import Path

__all__ = ["FOLDER"]

FOLDER = Path(__file__).parent
