"""Reads and validates manifests and indexes, of any family. The build uses it too, when it writes them."""

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from g2p_build.runtime.errors import G2PError, InvalidManifest, NewerManifest, NoManifest

__all__ = [
    "INDEX_SCHEMA",
    "MANIFEST_SCHEMA",
    "SCHEMA_VERSION",
    "Section",
    "canonical",
    "digest",
    "read",
    "read_again",
    "read_index",
    "schema_text",
    "validate",
    "validate_index",
]

SCHEMA_VERSION = 2
MANIFEST_SCHEMA = "manifest.schema.json"
INDEX_SCHEMA = "index.schema.json"


@dataclass(frozen=True)
class Section:
    """What the manifests of one family say besides what all say."""

    family: str
    schema: str  # the name of its JSON Schema: see `schema_text`
    check: Callable[[Mapping[str, Any]], None]  # of a manifest that fits its schemas; raises InvalidManifest


def schema_text(name: str) -> bytes:
    """One of the JSON Schemas that lie beside this module, also where that is in a zip file or a frozen program.

    Raises:
        InvalidManifest: the program was packed without them.
    """
    from importlib import resources  # late: `import g2p_build.runtime` does not need it

    try:
        return resources.files(__package__).joinpath(name).read_bytes()
    except OSError:
        raise InvalidManifest(
            f"this program was packed without {name}, which manifests are checked against: pack the data of "
            f"{__package__} too (PyInstaller: --collect-data {__package__})"
        ) from None


def canonical(value: Any) -> bytes:
    """Plain data as canonical JSON: sorted keys, no spaces, no needless escapes, UTF-8.

    Raises:
        InvalidManifest: the data holds something other than objects with string keys, arrays, strings, integers,
            booleans and null.
    """
    _check_plain(value, "")
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidManifest(
            f"a string holds half a surrogate pair: {error.object[error.start : error.end]!r}"
        ) from None


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidManifest(f"at {where or 'the top'}: the key {key!r} is no string")
            _check_plain(item, f"{where}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_plain(item, f"{where}[{number}]")
    elif not (value is None or isinstance(value, str | bool | int)):
        raise InvalidManifest(f"at {where}: {value!r} is not a string, integer, boolean or null")


def digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON of a manifest without its ``digest`` field."""
    return hashlib.sha256(canonical({key: value for key, value in manifest.items() if key != "digest"})).hexdigest()


def validate(manifest: Any, section: Section | None = None) -> None:
    """Checks a manifest's version, its schema, that its fields agree with each other, and its digest.

    Args:
        manifest: what may be one.
        section: what manifests of a family say besides. A manifest of another family is not checked against it.

    Raises:
        NewerManifest: its schema version is greater than this runtime's.
        InvalidManifest: something else is wrong with it.
    """
    _check_schema(manifest, MANIFEST_SCHEMA)
    mine = section if section and section.family == manifest["family"] else None
    if mine:
        _check_schema(manifest, mine.schema)
    _check_consistent(manifest)
    if mine:
        mine.check(manifest)
    found = digest(manifest)
    if manifest["digest"] != found:
        raise InvalidManifest(
            f"its digest is {found[:16]}..., not {manifest['digest'][:16]}... as it says: "
            "it was changed after it was built"
        )


def validate_index(index: Any) -> None:
    """Checks an index's version, its schema, and the order and names of its entries.

    Raises:
        NewerManifest: its schema version is greater than this runtime's.
        InvalidManifest: something else is wrong with it.
    """
    _check_schema(index, INDEX_SCHEMA)
    names = [entry["name"] for entry in index["manifests"]]
    if names != sorted(set(names)):
        raise InvalidManifest(f"its entries are not sorted by name, each once: {', '.join(names)}")
    if index["default"] is not None and index["default"] not in names:
        raise InvalidManifest(f"its default '{index['default']}' is not among its entries")


def read(path: str | PathLike[str], section: Section | None = None) -> dict[str, Any]:
    """Reads a manifest and validates it, as `validate` does.

    Raises:
        NoManifest: there is no file at ``path``.
        NewerManifest, InvalidManifest: as for `validate`, with the file's name.
    """
    return _read(Path(path), functools.partial(validate, section=section))


def read_again(path: str | PathLike[str], section: Section, remembered: Path) -> dict[str, Any]:
    """As `read`, but does not validate the same bytes again. Validating takes longer than everything else in loading.

    Args:
        path: the manifest's.
        section: what manifests of the family say besides.
        remembered: a folder of empty files, one for each manifest that was found valid. A file's name is the SHA-256 of
            the schemas and the manifest. A new one is added.

    Raises:
        NoManifest, NewerManifest, InvalidManifest: as for `read`.
    """
    try:
        data = Path(path).read_bytes()
    except OSError:
        return read(path, section)
    schemas = schema_text(MANIFEST_SCHEMA) + schema_text(section.schema)
    seen = remembered / hashlib.sha256(schemas + data).hexdigest()
    if seen.exists():
        found: dict[str, Any] = json.loads(data)
        return found
    found = _parsed(Path(path), data, functools.partial(validate, section=section))
    with contextlib.suppress(OSError):  # if the cache cannot be written, the next load takes longer
        remembered.mkdir(parents=True, exist_ok=True)
        seen.touch()
    return found


def read_index(path: str | PathLike[str]) -> dict[str, Any]:
    """Reads an index and validates it. Raises the same errors as `read`."""
    return _read(Path(path), validate_index)


def _read(path: Path, check: Any) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NoManifest(f"no manifest at {path}: build one with `doit`, or name another") from None
    except OSError as error:
        raise InvalidManifest(f"{path}: not a readable JSON file: {_one_line(error)}") from None
    return _parsed(path, data, check)


def _parsed(path: Path, text: bytes, check: Any) -> dict[str, Any]:
    try:
        data = json.loads(text, object_pairs_hook=_unique)
        check(data)
    except (ValueError, RecursionError) as error:  # bad UTF-8 and bad JSON are ValueErrors
        raise InvalidManifest(f"{path}: not a readable JSON file: {_one_line(error)}") from None
    except (InvalidManifest, NewerManifest) as error:
        raise type(error)(f"{path}: {error}") from None
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return result


def _one_line(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= 240 else f"{line[:160]} ... {line[-70:]}"


@functools.cache
def _validator(schema: str) -> Any:
    try:
        import jsonschema  # late: it takes a tenth of a second, and `import g2p_build.runtime` does not need it
        from referencing import Registry, Resource
    except ImportError as error:
        raise G2PError(
            f"manifests are checked with jsonschema, which needs {error.name}: install it; in an app that is a zip "
            "file, let rpds lie beside the file, since Python loads no machine code out of it"
        ) from None
    schemas = [json.loads(schema_text(name)) for name in (MANIFEST_SCHEMA, schema)]  # the others refer to the first
    registry: Registry[Any] = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in schemas)
    return jsonschema.Draft202012Validator(schemas[-1], registry=registry)


def _check_schema(data: Any, schema: str) -> None:
    if not isinstance(data, dict):
        raise InvalidManifest(f"not a JSON object but {_one_line(repr(data))}")
    version = data.get("schema_version")
    if isinstance(version, int) and 0 < version < SCHEMA_VERSION:
        raise InvalidManifest(
            f"schema version {version} is older than {SCHEMA_VERSION}, the one this runtime reads: build it again"
        )
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise NewerManifest(
            f"schema version {version} is newer than {SCHEMA_VERSION}, the one this runtime reads: update g2p-build"
        )
    wrong = _validator(schema).iter_errors(data)
    from jsonschema.exceptions import best_match

    error = best_match(wrong)
    if error is not None:
        raise InvalidManifest(f"at {error.json_path.removeprefix('$.')}: {_one_line(error.message)}")


def _check_consistent(manifest: Mapping[str, Any]) -> None:
    """Checks what a schema cannot express: fields that must agree with each other."""
    batch = manifest["variant"]["batch"]
    if batch != sorted(batch):
        raise InvalidManifest(f"at variant.batch: {batch} is not ascending")
    names = [function["name"] for function in manifest["functions"]]
    if len(set(names)) != len(names):
        raise InvalidManifest("at functions: a name is there twice")
