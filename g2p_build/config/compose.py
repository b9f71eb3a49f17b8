"""conf/ and overrides → variants.

Hydra's `compose` takes tens of milliseconds for each variant. `variants` composes each distinct group of a sweep once,
with the same library (OmegaConf) from the same files, and the points of the sweep share it. `composed` takes a config
that Hydra itself has composed. Both give the same variant.
"""

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from g2p_build.config import resolve
from g2p_build.config.family import family, names
from g2p_build.config.fields import expanded, one_of, own_name
from g2p_build.config.overrides import ConfigError, nearest, parse, points, shown
from g2p_build.config.schema import GROUPS, CheckpointConf, DraftConf, LexiconConf, MaxLensConf, TargetConf, VariantConf
from g2p_build.config.variant import Checkpoint, Draft, Lexicon, MaxLens, Target, Variant, as_json

__all__ = [
    "CONF",
    "Checkpoint",
    "ConfigError",
    "Draft",
    "Lexicon",
    "MaxLens",
    "Target",
    "Variant",
    "anchored",
    "as_json",
    "composed",
    "conf_of",
    "in_full",
    "register_schema",
    "variants",
]

RENAMED = {"target.link": "target.engine", "target.library": "target.package"}
"""Old name of a key → its name now."""

SHORT = {
    "lexicon": "lexicon.files",
    "draft": "draft.path",
    "calibration": "checkpoint.calibration",
    "voices": "checkpoint.voices",
}
"""Key → the key that it is short for."""

PATHS = (
    *("checkpoint.path", "checkpoint.calibration", "checkpoint.voice_files"),
    *("lexicon.files", "lexicon.exceptions", "lexicon.use", "draft.path", "draft.words"),
)
"""Keys whose values are paths. Relative ones begin at the working directory, and in a file, at the folder of conf/."""

NO_PATHS = {
    "lexicon.files": resolve.LEXICON_WORDS,
    "draft.path": resolve.DRAFT_WORDS,
    "checkpoint.calibration": ("embedded",),
}
"""Such a key → values of it that are no paths."""

WORDS: Mapping[str, tuple[Any, Callable[..., Any]]] = {
    "lexicon": (LexiconConf, resolve.lexicon),
    "draft": (DraftConf, resolve.draft),
}
"""Fields of a variant that are made of words, below their names in conf/config.yaml."""

CONF = next(
    folder for folder in (Path(__file__).parents[2] / "conf", Path(__file__).parents[1] / "conf") if folder.is_dir()
)
"""The folder conf/: the checkout's, or the package's own copy where the package is installed."""


def register_schema() -> None:
    """Gives Hydra the types that conf/config.yaml's defaults list asks for."""
    from hydra.core.config_store import ConfigStore

    # Hydra allows a field one type, but each family has its own type of checkpoint. So Hydra gets all families' fields.
    checkpoints: dict[str, tuple[str, Any, Any]] = {}
    for name in names():
        hints = get_type_hints(family(name).conf)
        for each in fields(family(name).conf):
            kind = hints[each.name]
            worded = any(getattr(inner, "WORDS", {}) for inner in get_args(kind))
            if worded or (each.name in checkpoints and checkpoints[each.name][1] != kind):
                kind = Any
            checkpoints[each.name] = (each.name, kind, _same_default(each))
    checkpoint = make_dataclass("AnyCheckpointConf", checkpoints.values())
    node = OmegaConf.merge(OmegaConf.structured(VariantConf), {"checkpoint": OmegaConf.structured(checkpoint)})
    ConfigStore.instance().store(name="schema", node=node, provider="g2p_build")


def _same_default(of: Field[Any]) -> Any:
    """A field with the default of another."""
    if of.default_factory is not dataclasses.MISSING:
        return field(default_factory=of.default_factory)
    return field(default=of.default)


def conf_of(tree: Path) -> Path:
    """The conf/ of a tree, or the package's own if the tree has none."""
    own = tree / "conf"
    return own if (own / "config.yaml").is_file() else CONF


def in_full(lines: Sequence[str]) -> list[str]:
    """Overrides with no key that is short for another. Hydra knows none, and would replace all fields of `lexicon`.

    `family=NAME` is short for that family's usual checkpoint.

    Raises:
        ConfigError: there is no such family, or it has no usual checkpoint. One line.
    """
    parts = [line.partition("=") for line in lines]
    return [
        f"checkpoint={','.join(map(_usual, value.split(',')))}"
        if key == "family"
        else SHORT.get(key, key) + equals + value
        for key, equals, value in parts
    ]


def _usual(name: str) -> str:
    known = {each: usual for each in names() if (usual := family(each).usual)}
    one_of("family", name, known)
    return known[name]


def anchored(lines: Sequence[str], start: Path) -> list[str]:
    """Overrides that mean the same wherever they are read: relative paths in them become absolute.

    Args:
        lines: overrides.
        start: the folder where relative paths begin.

    Raises:
        ConfigError: one with paths is not in Hydra's grammar. One line.
    """
    return [_anchored(line, start) if line.partition("=")[0] in PATHS else line for line in in_full(lines)]


def _anchored(line: str, start: Path) -> str:
    [(key, values)] = parse([line], lambda group: ())
    return f"{key}=" + ",".join(_spelled(_placed(key, value, start)) for value in values)


def _spelled(value: Any) -> str:
    """A value of an override as the command line spells it. Text is in quotes."""
    from hydra.core.override_parser.types import Quote, QuotedString

    if isinstance(value, list):
        return f"[{','.join(map(_spelled, value))}]"
    return QuotedString(value, Quote.single).with_quotes() if isinstance(value, str) else shown(value)


def _placed(key: str, value: Any, start: Path) -> Any:
    """A field's value, with relative paths in it made absolute if the field is one of `PATHS`."""
    if isinstance(value, list):
        return [_placed(key, each, start) for each in value]
    if key not in PATHS or value in (None, "", MISSING) or isinstance(value, bool | Mapping):
        return value
    if value in NO_PATHS.get(key, ()):
        return value
    return str(start.absolute() / expanded(key, str(value)))


def variants(overrides: Sequence[str] = (), conf: Path = CONF, named: bool = True) -> list[Variant]:
    """The distinct variants that overrides ask for, in the order of the sweep.

    Args:
        overrides: in Hydra's grammar. Sweeps are crossed. `matrix=NAME` adds the sweep in conf/matrix/NAME.yaml, which
            any other override beats.
        conf: the folder of config.yaml and the groups.
        named: whether different things with the same name are refused. If not, it is for the caller to rename them.

    Raises:
        ConfigError: an override or a file is wrong. One line; for a wrong name it gives the closest valid one.
    """
    tree = _Tree(conf)
    given = parse(in_full(overrides), tree.options)
    for key, values in given:
        tree.check_key(key, values)
    swept = [*tree.matrix(dict(given).get("matrix", [None])), *((k, v) for k, v in given if k != "matrix")]
    found = dict.fromkeys(tree.variant(point) for point in points(swept))
    if named:
        resolve.names(found)
    return list(found)


def composed(config: DictConfig, choices: Mapping[str, Any], conf: Path = CONF) -> Variant:
    """The variant that Hydra has composed.

    Args:
        config: the composed config, without its `hydra` node.
        choices: the option chosen for each group: `HydraConfig.get().runtime.choices`.
        conf: the folder that it was composed from.

    Raises:
        ConfigError: a value is wrong, or values do not go together. One line.
    """
    tree = _Tree(conf)
    data: dict[str, Any] = OmegaConf.to_container(config)
    chosen = {key: value for key, value in choices.items() if key.split("/")[0] in GROUPS}
    built = {}
    for group in GROUPS:
        option = tree.option(group, chosen)
        own = tree.placed(group, {key: value for key, value in data[group].items() if key in option.config})
        built[group] = _build(group, option, _merged(group, option.config, own))
    scalars = {key: data[key] for key in ("batch", "dtype", "kv_cache")}
    words = {each: _words(each, built["checkpoint"], tree.placed(each, data[each]), {}) for each in WORDS}
    return resolve.variant(**built, **scalars, **words)


@dataclass(frozen=True)
class _Option:
    """One option of a group, as its files say."""

    label: str  # "random", or "random_small" if a choice inside it is not the default
    config: DictConfig  # typed


class _Tree:
    """The files under conf/, each read once, and each distinct group of a sweep composed once."""

    def __init__(self, conf: Path) -> None:
        self.conf = conf
        self.top = self.load("config.yaml")
        self.defaults = {
            key: value
            for entry in self.top.pop("defaults")
            if isinstance(entry, Mapping)
            for key, value in entry.items()
            if key in GROUPS
        }
        self.memo: dict[str, Any] = {}

    def load(self, name: str) -> dict[str, Any]:
        """The plain data of a file."""
        try:
            text = (self.conf / name).read_text(encoding="utf-8")
            data = OmegaConf.to_container(OmegaConf.load(io.StringIO(text)))
        except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
            raise ConfigError(f"cannot read conf/{name}: {' '.join(str(error).split())}") from None
        if not isinstance(data, dict):
            raise ConfigError(f"conf/{name} is not a mapping of fields to values")
        if "${" in text:
            raise ConfigError(f"conf/{name}: interpolations (${{...}}) are not used here; write the value")
        return {str(key): value for key, value in data.items()}

    def placed(self, group: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of a file, with paths absolute. Relative ones begin at the folder that conf/ is in."""
        return {key: _placed(f"{group}.{key}", value, self.conf.parent) for key, value in given.items()}

    def options(self, group: str) -> list[str]:
        return sorted(path.stem for path in (self.conf / group).glob("*.yaml"))

    def subgroups(self, group: str) -> list[str]:
        return sorted(f"{group}/{path.name}" for path in (self.conf / group).iterdir() if path.is_dir())

    def check_key(self, key: str, values: list[Any]) -> None:
        """Refuses a key that is not in the schema, and an option that is not in its group."""
        groups = [*GROUPS, "matrix", *(sub for group in GROUPS for sub in self.subgroups(group))]
        if key in groups:
            for value in values:
                if key == "matrix" and value is None:
                    continue
                if not isinstance(value, str) or value not in self.options(key):
                    raise ConfigError(f"unknown {key} {shown(value)!r}: {nearest(str(value), self.options(key))}")
            return
        known = {*groups, *_keys()}
        if key.replace(".", "/") in groups:
            raise ConfigError(f"{key} is a group of fields: choose one with {key.replace('.', '/')}=NAME")
        if key in RENAMED:
            raise ConfigError(f"{key} is called {RENAMED[key]} now: write {RENAMED[key]}={shown(values[0])}")
        if key not in known and not any(key.startswith(f"{opened}.") for opened in _mappings()):
            # Offer only the names at the wrong level, not all fifty.
            parent = key.rpartition(".")[0]
            level = [name for name in known if name.rpartition(".")[0] == parent] or [n for n in known if "." not in n]
            raise ConfigError(f"unknown key {key!r}: {nearest(key, level)}")

    def matrix(self, names: list[Any]) -> list[tuple[str, list[Any]]]:
        """The sweep in a matrix file, read from where Hydra's sweeper looks for it."""
        if len(names) > 1:
            raise ConfigError(f"matrix={','.join(map(str, names))}: one matrix at a time")
        if names[0] is None:
            return []
        file = f"matrix/{names[0]}.yaml"
        data = self.load(file)
        params = data.get("hydra", {}).get("sweeper", {}).get("params") if isinstance(data.get("hydra"), dict) else None
        if set(data) != {"hydra"} or not isinstance(params, dict):
            raise ConfigError(f"conf/{file}: a matrix is a mapping under hydra.sweeper.params and nothing else")
        lines = anchored([f"{key}={value}" for key, value in params.items()], self.conf.parent)
        found = parse(lines, self.options)
        for key, values in found:
            if key == "matrix":
                raise ConfigError(f"conf/{file}: a matrix cannot name a matrix")
            self.check_key(key, values)
        return found

    def variant(self, point: Mapping[str, Any]) -> Variant:
        """One point of the sweep: key → value."""
        chosen = self.defaults | {key: value for key, value in point.items() if key in GROUPS or "/" in key}
        for key in chosen:
            if "/" in key:
                self.option(key.split("/")[0], chosen)
        built = {}
        for group in GROUPS:
            own = {key: value for key, value in point.items() if key.startswith(f"{group}.")}
            mine = {key: value for key, value in chosen.items() if key.split("/")[0] == group}
            memo = repr((own, sorted(mine.items())))
            if memo not in self.memo:
                option = self.option(group, mine)
                self.memo[memo] = _build(group, option, _overridden(option.config, group, own))
            built[group] = self.memo[memo]
        scalars = {key: point.get(key, self.top.get(key)) for key in ("batch", "dtype", "kv_cache")}
        words = {each: self.words(each, built["checkpoint"], point) for each in WORDS}
        return resolve.variant(**built, **scalars, **words)

    def words(self, each: str, checkpoint: Checkpoint, point: Mapping[str, Any]) -> Any:
        """The lexicon or the draft of one point of the sweep."""
        own = {key: value for key, value in point.items() if key.startswith(f"{each}.")}
        memo = repr((each, checkpoint, own))
        if memo not in self.memo:
            self.memo[memo] = _words(each, checkpoint, self.placed(each, self.top.get(each, {})), own)
        return self.memo[memo]

    def option(self, group: str, chosen: Mapping[str, Any]) -> _Option:
        """A group's chosen option with the options chosen inside it, typed by the schema."""
        name = chosen[group]
        inside = {key: value for key, value in chosen.items() if key.startswith(f"{group}/")}
        memo = f"{group}={name} {sorted(inside.items())}"
        if memo not in self.memo:
            self.memo[memo] = self._option(group, name, inside)
        option: _Option = self.memo[memo]
        return option

    def _option(self, group: str, name: str, inside: Mapping[str, Any]) -> _Option:
        own = self.load(f"{group}/{name}.yaml")
        data: dict[str, Any] = {}
        label = name
        within = {key: value for entry in own.pop("defaults", []) if entry != "_self_" for key, value in entry.items()}
        for key, default in within.items():
            choice = inside.get(f"{group}/{key}", default)
            label += f"_{choice}" if choice != default else ""
            data[key] = self.load(f"{group}/{key}/{choice}.yaml")
        for key in inside:
            if key.removeprefix(f"{group}/") not in within:
                raise ConfigError(f"{key}={inside[key]}: {group}={name} has no choice of {key.split('/')[1]}")
        schema = _schema(group, own)
        known = [field.name for field in fields(schema)]
        for key in own:
            if key not in known:
                raise ConfigError(f"conf/{group}/{name}.yaml: unknown key {key!r}: {nearest(key, known)}")
        typed = OmegaConf.structured(schema)
        return _Option(label, _merged(f"conf/{group}/{name}.yaml", typed, data, self.placed(group, own)))


def _schema(group: str, own: Mapping[str, Any]) -> type:
    """The type of an option's fields. For a checkpoint it depends on the family that the file names."""
    if group != "checkpoint":
        return {"target": TargetConf, "max_lens": MaxLensConf}[group]
    name = own.get("family", CheckpointConf.family)
    one_of("checkpoint.family", name, names())
    return family(name).conf


def _merged(where: str, typed: DictConfig, *values: Any) -> DictConfig:
    kind = OmegaConf.get_type(typed)
    try:
        meant = [{key: _meant(kind, key, each, f"{where}: {key}") for key, each in one.items()} for one in values]
        return OmegaConf.merge(typed, *meant)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{where}: {_first_line(error)}") from None


def _meant(kind: Any, field: str, value: Any, where: str) -> Any:
    """The value of a field. Some fields can be given by a word, such as "raw". `where` names the field in a message."""
    hint = get_type_hints(kind).get(field) if is_dataclass(kind) else None
    for inner in get_args(hint):
        words = getattr(inner, "WORDS", {})
        if isinstance(value, str) and words:
            if value not in words:
                raise ConfigError(f"{where}={value}: give {' or '.join(words)}, or its fields: {where}.NAME=VALUE")
            return words[value]
    return value


def _overridden(config: DictConfig, group: str, values: Mapping[str, Any]) -> DictConfig:
    """An option's fields with dotted overrides applied. Each value must have the type that the schema gives it."""
    config = config.copy()
    for key, value in values.items():
        if isinstance(value, str) and ("${" in value or value == "???"):
            raise ConfigError(f"{key}={value}: give the value itself; interpolations and '???' are for files")
        field = key.removeprefix(f"{group}.")
        parent = field.rpartition(".")[0]
        if parent and OmegaConf.select(config, parent) is None:
            raise ConfigError(f"{key}={shown(value)}: this {group} has no {parent}")
        value = _meant(OmegaConf.get_type(config), field, value, key)
        try:
            OmegaConf.update(config, field, value, merge=True)
            typed = OmegaConf.select(config, field)
        except OmegaConfBaseException as error:
            raise ConfigError(f"{key}={shown(value)}: {_first_line(error)}") from None
        # OmegaConf reads 1 as true, true as "True" and 8.0 as 8. We refuse these.
        if type(typed) is not type(value) and (isinstance(typed, int) or isinstance(value, bool)):
            wanted = {bool: "true or false", int: "an integer"}.get(type(typed), "text (in quotes, if it is a number)")
            raise ConfigError(f"{key}={shown(value)}: give {wanted}")
    return config


def _build(group: str, option: _Option, config: DictConfig) -> Any:
    data: dict[str, Any] = OmegaConf.to_container(config)
    original: dict[str, Any] = OmegaConf.to_container(option.config)
    changed = {key: value for key, value in data.items() if value != original[key] and key not in ("name", "path")}
    label = option.label
    if group == "checkpoint" and data["source"] == "path" and data["path"] not in (None, MISSING):
        label = own_name(data["path"])
    if changed:
        canonical = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        label += "+" + hashlib.sha256(canonical.encode()).hexdigest()[:8]
    if group == "max_lens":
        return resolve.max_lens(**data)
    if group == "target":
        return resolve.target(**data | {"name": data["name"] or label})
    if data["family"] != original["family"]:
        raise ConfigError(
            f"checkpoint.family={data['family']}: the family is fixed by the checkpoint's file in conf/checkpoint/, "
            f"which says {original['family']}"
        )
    return family(data["family"]).checkpoint(data | {"name": data["name"] or label})


def _words(each: str, checkpoint: Checkpoint, given: Mapping[str, Any], overrides: Mapping[str, Any]) -> Any:
    """A lexicon or a draft from its fields in conf/config.yaml, with dotted overrides applied."""
    schema, resolved = WORDS[each]
    known = [field.name for field in fields(schema)]
    for key in given:
        if key not in known:
            raise ConfigError(f"conf/config.yaml: unknown key {f'{each}.{key}'!r}: {nearest(str(key), known)}")
    typed = _merged(each, OmegaConf.structured(schema), given)
    config = _overridden(typed, each, overrides)
    return resolved(checkpoint, **OmegaConf.to_container(config))


def _keys() -> set[str]:
    """Every dotted key that can be overridden, for all families together."""
    schemas = [
        ("target", TargetConf),
        ("max_lens", MaxLensConf),
        *((each, schema) for each, (schema, _) in WORDS.items()),
        *(("checkpoint", family(each).conf) for each in names()),
    ]
    return {*_paths(VariantConf), *(path for group, schema in schemas for path in _paths(schema, f"{group}."))}


def _mappings() -> set[str]:
    """The dotted key of every field that is a mapping: the user chooses what is in it."""
    return {path for name in names() for path in _paths(family(name).conf, "checkpoint.", only=dict)}


def _paths(schema: type, prefix: str = "", only: type = object) -> Iterator[str]:
    """The dotted key of every field of a schema. `only` limits them to fields of one type."""
    hints = get_type_hints(schema)
    for each in fields(schema):
        hint = hints[each.name]
        if only is object or get_origin(hint) is only:
            yield prefix + each.name
        for inner in (hint, *get_args(hint)):
            if is_dataclass(inner) and isinstance(inner, type) and get_origin(hint) is not dict:
                yield from _paths(inner, f"{prefix}{each.name}.", only)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
