"""Options that several tasks share, in doit's form, and the paths that options give."""

from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError

__all__ = ["JSON", "option", "path_of"]

JSON: dict[str, Any] = {
    "name": "as_json",
    "long": "json",
    "type": bool,
    "default": False,
    "help": "for programs: one JSON object a line",
}


def option(long: str, kind: type, default: Any, text: str) -> dict[str, Any]:
    """An option with a long name, which its action takes with "_" in the place of "-"."""
    return {"name": long.replace("-", "_"), "long": long, "type": kind, "default": default, "help": text}


def path_of(text: str) -> Path:
    """The path that an option gives, from where the user stands. `~` is the user's home, also after a `=`.

    Raises:
        BuildError: there is no such home.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise BuildError(f"{text}: there is no such user, or this one has no home: write the path") from None
