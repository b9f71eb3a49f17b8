import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from g2p_build.runtime import cpu, index, manifest
from g2p_build.runtime.errors import G2PError, InvalidManifest, NewerManifest, NoManifest
from g2p_build.runtime.g2p_manifest import SECTION

pytest_plugins = ["toys"]


@pytest.fixture
def data(toy_kv: Path) -> dict[str, Any]:
    return json.loads((toy_kv / "manifests" / "toy-host-kv.json").read_bytes())


@pytest.fixture
def listing(toy_kv: Path) -> dict[str, Any]:
    return json.loads((toy_kv / "manifests" / "index.json").read_bytes())


def sealed(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "digest": manifest.digest(data)}


def test_the_schemas_are_schemas_and_describe_themselves() -> None:
    for name in (manifest.MANIFEST_SCHEMA, manifest.INDEX_SCHEMA):
        schema = json.loads(manifest.schema_text(name))
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["description"] and schema["$schema"].endswith("2020-12/schema")


def test_every_field_of_the_schemas_is_described() -> None:
    schema = json.loads(manifest.schema_text(manifest.MANIFEST_SCHEMA))
    g2p = json.loads(manifest.schema_text(SECTION.schema))
    for part in (schema, g2p["properties"]["model"], schema["properties"]["files"]):
        for name, field in part["properties"].items():
            target = schema["$defs"][field["$ref"].split("/")[-1]] if "$ref" in field else field
            assert "description" in field or "description" in target, name


def test_the_digest_is_that_of_the_canonical_json_without_it() -> None:
    data = {"b": [True, None, "ə"], "digest": "anything", "a": {"z": 1, "y": -2}}
    text = '{"a":{"y":-2,"z":1},"b":[true,null,"ə"]}'
    assert manifest.digest(data) == hashlib.sha256(text.encode("utf-8")).hexdigest()


@pytest.mark.parametrize("value", [1.0, float("nan"), b"x", {1: 2}, "\ud800", {"a": [0.5]}])
def test_only_plain_data_has_a_digest(value: Any) -> None:
    with pytest.raises(InvalidManifest):
        manifest.digest({"value": value})


def test_a_built_manifest_and_index_are_valid(toy_kv: Path, data: dict[str, Any], listing: dict[str, Any]) -> None:
    assert manifest.read(toy_kv / "manifests" / "toy-host-kv.json", SECTION) == data
    assert manifest.read_index(toy_kv / "manifests" / "index.json") == listing


def put(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


WRONG: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda d: d.pop("model"), "'model' is a required property"),
    (put("colour", value="red"), "colour"),
    (put("schema_version", value=0), "schema_version"),
    (put("schema_version", value=1), "schema version 1 is older than 2"),
    (put("schema_version", value="1"), "schema_version"),
    (put("family", value=""), "family"),
    (put("name", value="../x"), "name"),
    (put("archives", "library", "file", value="/etc/passwd"), "archives.library.file"),
    (put("archives", "library", "file", value=".hidden"), "archives.library.file"),
    (put("archives", "weights", "sha256", value="abc"), "archives.weights.sha256"),
    (put("archives", "weights", "size", value=-1), "archives.weights.size"),
    (put("files", "library", value=["a.so", "b.so"]), "files.library"),
    (put("files", "runtime", value=None), "files.runtime"),
    (put("files", "weights", value="a/b"), "files.weights"),
    (put("variant", "dtype", value="int4"), "variant.dtype"),
    (put("variant", "batch", value=[]), "variant.batch"),
    (put("variant", "batch", value=[8, 4, 1]), "not ascending"),
    (put("variant", "batch", value=[1, 4, 8, 16]), "none with role encode, batch 16"),
    (put("variant", "kv_cache", value=False), "none with role decode"),
    (put("model", "max_input_len", value=39), "variant.max_lens"),
    (put("functions", 0, "input_len", value=32), "none with role encode, batch 1, input length 24"),
    (put("model", "prompt", value="<{lang}>"), "model.prompt"),
    (put("model", "prompt", value="{word}{word}"), "{word} once"),
    (put("model", "byte_offset", value=200), "vocab_size"),
    (put("model", "eos_id", value=999), "eos_id"),
    (put("model", "languages", value=[]), "languages"),
    (put("functions", 1, "name", value="encode_b1_i24"), "twice"),
    (put("functions", 0, "role", value="sing"), "role"),
    (put("functions", 0, "inputs", 0, "kind", value="gift"), "kind"),
    (put("functions", 2, "output_len", value=64), "64 output positions"),
    (put("target", "device_type", value=2), "device_type"),
    (put("target", "package", value="static"), "target.package"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_what_is_wrong_is_named(data: dict[str, Any], change: Callable[[dict[str, Any]], Any], words: str) -> None:
    change(data)
    with pytest.raises(InvalidManifest) as caught:
        manifest.validate(sealed(data), SECTION)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_change_after_the_build_shows_in_the_digest(data: dict[str, Any]) -> None:
    data["model"]["append_eos"] = True
    with pytest.raises(InvalidManifest, match="digest"):
        manifest.validate(data)


def test_a_newer_schema_is_said_to_be_newer_whatever_else_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    path.write_text('{"schema_version": 3, "everything": "else"}')
    for read in (manifest.read, manifest.read_index):
        with pytest.raises(NewerManifest, match=r"new\.json: schema version 3 is newer than 2"):
            read(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b"\xff\xfe",
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"schema_version": ' + b"9" * 5000,
    ],
)
def test_a_file_that_is_no_manifest(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(text)
    with pytest.raises(InvalidManifest) as caught:
        manifest.read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NoManifest, match="no manifest at"):
        manifest.read(tmp_path / "m.json")
    with pytest.raises(InvalidManifest):
        manifest.read(tmp_path)


def test_an_index_that_is_wrong(listing: dict[str, Any]) -> None:
    entry = listing["manifests"][0]
    twice = {**listing, "manifests": [entry, entry]}
    unsorted = {**listing, "manifests": [{**entry, "name": "z"}, entry]}
    lost = {**listing, "default": "other"}
    folder = {**listing, "manifests": [{**entry, "file": "../x.json"}]}
    for wrong, words in ((twice, "sorted"), (unsorted, "sorted"), (lost, "'other'"), (folder, "file")):
        with pytest.raises(InvalidManifest, match=words):
            manifest.validate_index(wrong)


# --- which variant runs here ------------------------------------------------------------------------------------------


def entries(listing: dict[str, Any], **targets: dict[str, Any]) -> dict[str, Any]:
    """An index with one entry for each name, its target changed as said."""
    made = []
    for name, change in sorted(targets.items()):
        entry = copy.deepcopy(listing["manifests"][0])
        entry["name"], entry["file"] = name, f"{name}.json"
        entry["target"].update(change)
        made.append(entry)
    return {"schema_version": 2, "default": None, "manifests": made}


FOREIGN = {"triple": "riscv64-linux-gnu"}
OBJECTS = {"package": "objects"}
TOO_NEW = {"features": ["no-such-feature"]}


def test_the_default_is_taken_if_it_runs_here(listing: dict[str, Any], tmp_path: Path) -> None:
    made = entries(listing, a={}, b={}) | {"default": "b"}
    assert index.choose(made, tmp_path, "g2p")["name"] == "b"


@pytest.mark.parametrize("change", [FOREIGN, OBJECTS, TOO_NEW])
def test_else_the_only_one_that_runs_here(listing: dict[str, Any], tmp_path: Path, change: dict[str, Any]) -> None:
    made = entries(listing, a=change, b={}, c=change) | {"default": "a"}
    assert index.choose(made, tmp_path, "g2p")["name"] == "b"


def test_several_and_no_default_are_listed(listing: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(NoManifest, match="name one of a, c"):
        index.choose(entries(listing, a={}, b=OBJECTS, c={}), tmp_path, "g2p")


def test_none_that_runs_here(listing: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(NoManifest, match=f"runs on {cpu.host_triple()}, but a: build target=host"):
        index.choose(entries(listing, a=FOREIGN), tmp_path, "g2p")
    with pytest.raises(NoManifest, match="none at all"):
        index.choose(entries(listing), tmp_path, "g2p")


def test_only_the_family_that_is_asked_for_counts(listing: dict[str, Any], tmp_path: Path) -> None:
    for name, family in (("a", "g2p"), ("b", "kokoro"), ("c", "kokoro")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"family": family}), encoding="utf-8")
    made = entries(listing, a={}, b={}, c=FOREIGN) | {"default": "a"}
    place = tmp_path / "index.json"
    assert [index.choose(made, place, family)["name"] for family in ("g2p", "kokoro")] == ["a", "b"]
    with pytest.raises(NoManifest, match="lists no letters variant that runs on"):
        index.choose(made, place, "letters")
    (tmp_path / "a.json").write_text("{", encoding="utf-8")  # whoever loads it says what is wrong with it
    assert [index.choose(made, place, family)["name"] for family in ("g2p", "kokoro")] == ["a", "b"]


def test_where_the_index_is_looked_for(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert index.find_index().resolve() == toy.parent / "index.json"
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("G2P_MANIFESTS", str(tmp_path / "other"))
    with pytest.raises(NoManifest, match="other"):
        index.find_index()
    (toy.parent / "index.json").rename(tmp_path / "other" / "index.json")
    assert index.find_index() == tmp_path / "other" / "index.json"


def test_every_error_is_a_g2p_error() -> None:
    from g2p_build.runtime import errors

    assert all(issubclass(getattr(errors, name), G2PError) for name in errors.__all__)
