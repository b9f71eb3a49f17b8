"""What PyInstaller needs to know. It finds this folder by the entry point in pyproject.toml."""

from pathlib import Path

__all__ = ["folders"]


def folders() -> list[str]:
    """The folders with hooks."""
    return [str(Path(__file__).parent)]
