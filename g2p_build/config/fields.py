"""Checks of config fields. Each raises `ConfigError` with one line for the person at the keyboard."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from g2p_build.config.overrides import ConfigError, nearest, shown

__all__ = ["at_least", "expanded", "matches", "one_of", "own_name", "source_fields"]

SOURCES = ("embedded", "hub", "path", "random")
MISSING = "???"


def one_of(key: str, value: str, valid: Iterable[str]) -> None:
    """Refuses a name that is not among the valid ones, and suggests the closest."""
    if value not in valid:
        raise ConfigError(f"unknown {key} {value!r}: {nearest(value, valid)}")


def matches(key: str, value: Any, pattern: str, wanted: str) -> None:
    """Refuses text that does not match a pattern as a whole. `wanted` says in words what would match."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise ConfigError(f"{key}={value!r}: give {wanted}")


def at_least(key: str, value: Any, least: int) -> None:
    """Refuses a value that is not an integer, or is below `least`."""
    if type(value) is not int:
        raise ConfigError(f"{key}={shown(value)} is missing: give an integer")
    if value < least:
        raise ConfigError(f"{key}={value} is too small: give at least {least}")


def expanded(key: str, path: str) -> str:
    """A path that a field gives, with the user's home in the place of `~`."""
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise ConfigError(f"{key}={path}: there is no such user, or this one has no home: write the path") from None


def own_name(path: str) -> str:
    """The last part of a path, for a name; of a link, its own. Of `a/..` it is that of the folder that holds `a`."""
    return Path(os.path.abspath(path)).name  # noqa: PTH100 (resolve() would follow links)


def source_fields(fields: dict[str, Any], more: Mapping[str, str], sources: Iterable[str] = SOURCES) -> None:
    """Checks the fields that say where a checkpoint comes from. Each source has fields that no other source has.

    Expands `~` in the path, in place.

    Args:
        fields: a checkpoint's fields, typed.
        more: further fields that belong to one source: field → source.
        sources: where a family's checkpoints can come from.

    Raises:
        ConfigError: a field is missing, wrong, or belongs to another source. One line.
    """
    source = fields["source"]
    one_of("checkpoint.source", source, sources)
    for field, owner in ({"repo": "hub", "revision": "hub", "path": "path"} | dict(more)).items():
        value = fields[field]
        if value is not None and owner != source:
            raise ConfigError(f"checkpoint.{field} is for a checkpoint whose source is {owner}, not {source}")
        if value in (None, "", MISSING) and owner == source:
            raise ConfigError(_how_to_give(field, fields["repo"]))
    if source == "hub":
        matches("checkpoint.repo", fields["repo"], r"[\w.-]+/[\w.-]+", "OWNER/NAME")
        matches("checkpoint.revision", fields["revision"], r"[0-9a-f]{40}", "a commit's 40 lower-case hex digits")
    if source == "path":
        fields["path"] = expanded("checkpoint.path", fields["path"])
        if not Path(fields["path"]).is_dir():
            raise ConfigError(f"checkpoint.path={fields['path']} is not a directory: give a checkpoint's directory")
    at_least("checkpoint.seed", fields["seed"], 0)
    if source != "random" and fields["seed"] != 0:
        raise ConfigError(f"checkpoint.seed is for a checkpoint whose source is random, not {source}")
    matches(
        "checkpoint.name",
        fields["name"],
        r"(?!\.)[A-Za-z0-9._+-]{1,80}",
        "letters, digits and ._+- (80 at most): set checkpoint.name",
    )


def _how_to_give(field: str, repo: str | None) -> str:
    if field == "revision":
        return f"{repo} has no pinned commit: add checkpoint.revision=<40 hex digits> (its page on the hub lists them)"
    if field == "path":
        return "no directory is named: add checkpoint.path=DIR"
    if field == "shape":
        return "a random checkpoint needs a shape: use checkpoint=random"
    return f"checkpoint.{field} is missing: give it a value"
