"""Hydra's override grammar. Hydra's own parser reads it; sweeps are expanded as Hydra's basic sweeper does."""

import difflib
import itertools
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from g2p_build.errors import BuildError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

__all__ = ["ConfigError", "nearest", "parse", "points", "shown"]


class ConfigError(BuildError):
    """An override or a file under conf/ is wrong."""


def nearest(given: str, valid: Iterable[str]) -> str:
    """Ends a message about an unknown name: "did you mean 'iphone'? It is one of android, host, iphone"."""
    names = sorted(valid)
    close = difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.5)
    return (f"did you mean {close[0]!r}? It" if close else "it") + f" is one of {', '.join(names)}"


def shown(value: Any) -> str:
    """A value as the command line spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _quoted(line: str) -> str:
    """How an override with an odd value, such as `epoch=3-step=40.ckpt`, is typed in a shell."""
    key, equals, value = line.partition("=")
    if not equals or not value or re.fullmatch(r"[\w.@/+~-]+", key) is None:
        return "KEY=VALUE, odd values in quotes"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return shlex.quote(f'{key}="{escaped}"')


def parse(overrides: Sequence[str], options: Callable[[str], Iterable[str]]) -> list[tuple[str, list[Any]]]:
    """Reads overrides. Returns each key with its values: one value, or several for a sweep.

    Args:
        overrides: in Hydra's grammar: `target=iphone`, `batch=1,8`, `batch=[1,8]`, `max_lens.input=range(32,65,16)`.
        options: from a group's name to the options that a `glob(...)` picks from.

    Raises:
        ConfigError: an override is not in the grammar, or does something other than change a value.
    """
    if not overrides:
        return []  # without importing Hydra
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    found = []
    for line in overrides:
        try:
            override = parser.parse_override(line)
            _check(line, override)
            values = _values(override, options)
        except (HydraException, ValueError) as error:
            reason = " ".join(str(error).splitlines()[:1])
            raise ConfigError(f"cannot read {line!r}: {reason}; write {_quoted(line)}") from None
        if not values:
            raise ConfigError(f"{line!r} sweeps over nothing: give at least one value")
        found.append((override.key_or_group, values))
    return found


def points(parsed: Iterable[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
    """The cross product of some overrides; the last varies fastest. If a key comes twice, the later one counts."""
    axes = dict(parsed)
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _check(line: str, override: "Override") -> None:
    key = override.key_or_group
    if override.is_hydra_override():
        raise ConfigError(f"{line!r} is for Hydra: use it with python -m g2p_build -m")
    if override.is_delete():
        raise ConfigError(f"{line!r}: nothing can be removed; write {key}=VALUE")
    if override.is_add() or override.is_force_add():
        raise ConfigError(f"{line!r}: nothing can be added; write {key}=VALUE")
    if override.package is not None:
        raise ConfigError(f"{line!r}: packages (@) are not used here; write {key}=VALUE")
    if override.is_interval_sweep():
        raise ConfigError(f"{line!r}: an interval has no list of values; use {key}=range(START,STOP)")


def _values(override: "Override", options: Callable[[str], Iterable[str]]) -> list[Any]:
    from hydra.core.override_parser.types import Glob

    value = override.value()
    if isinstance(value, Glob):
        return value.filter(sorted(options(override.key_or_group)))
    if override.is_sweep_override():
        return [_unquoted(each) for each in override.sweep_iterator()]
    return [value]


def _unquoted(value: Any) -> Any:
    from hydra.core.override_parser.types import QuotedString

    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_unquoted(each) for each in value]
    if isinstance(value, Mapping):
        return {_unquoted(key): _unquoted(each) for key, each in value.items()}
    return value
