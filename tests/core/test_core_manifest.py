"""Manifests in C: the core checks that one is unchanged and of this library, finds its archive and maps files."""

import copy
import hashlib
import json
import os
import platform
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from core_probe import INVALID_MANIFEST, NEWER_MANIFEST, NO_FILE, OK, Probe
from hypothesis import given, settings
from hypothesis import strategies as st

from g2p_build.runtime import cpu
from g2p_build.runtime.errors import G2PError
from g2p_build.runtime.g2p_manifest import SECTION
from g2p_build.runtime.manifest import canonical, digest, validate

pytest_plugins = ["core_probe"]

SHA = "ab" * 32
NAME = "weights-ab.tar"


def manifest() -> dict[str, Any]:
    """A manifest that is valid for the Python runtime, except for its digest."""
    tensor = {"name": "input_ids", "kind": "argument", "shape": [1, 8], "dtype": "int32"}
    out = {"name": "hidden", "shape": [1, 8, 4], "dtype": "float32"}
    function = {"batch": 1, "input_len": 8, "inputs": [tensor], "outputs": [out], "tokens": None, "workspace_bytes": 0}
    model = {
        "prompt": '<{lang}>:\t{word}"\\',
        "byte_offset": 3,
        "vocab_size": 384,
        "pad_id": 0,
        "eos_id": 1,
        "unk_id": 2,
    }
    model |= {"decoder_start_id": 0, "append_eos": True, "languages": ["fin", "ə"], "text": None, "max_input_len": 8}
    target = {"name": "host", "kind": "llvm", "triple": "x86_64-linux-gnu", "cpu": "x86-64", "features": []}
    files = {"library": ["l.so"], "header": "g2p.h", "notices": [], "weights": "w", "lexicon": None, "model": "t"}
    variant = {"checkpoint": "c", "target": "host", "batch": [1], "dtype": "float32", "kv_cache": False}
    return {
        "schema_version": 2,
        "family": "g2p",
        "name": "toy",
        "variant": variant | {"max_lens": {"input": 8, "output": 9}},
        "archives": {
            "library": {"file": "library.tar", "sha256": SHA, "size": 5},
            "weights": {"file": NAME, "sha256": SHA, "size": 12},
        },
        "files": dict.fromkeys(("runtime", "static", "sizes")) | files,
        "model": model | {"max_output_len": 9},
        "functions": [
            function | {"name": "encode", "role": "encode", "output_len": None},
            function | {"name": "decode", "role": "decode", "output_len": 9},
        ],
        "target": target | {"device_type": 1, "engine": "standalone", "package": "shared"},
        "toolchain": {"a tool": "1.0 \u2028"},
        "checkpoint": {"name": "c", "source": "embedded", "repo": None, "revision": None, "digest": SHA},
        "lexicon": None,
        "verification": None,
    }


def sealed(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "digest": digest(data)}


def written(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


@pytest.fixture(autouse=True)
def of_this_library(probe: Probe) -> None:
    hashes = [hashlib.sha256(canonical(manifest()[part])).hexdigest().encode() for part in ("model", "functions")]
    probe.ask("C", b"{word}", *hashes, struct.pack("=6i", 3, 0, 1, 2, 1, 8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / NAME).write_bytes(b"x" * 12)
    return tmp_path / "manifests"


def opened(probe: Probe, folder: Path, data: bytes) -> tuple[int, str]:
    (folder / "m.json").write_bytes(data)
    status, answer = probe.ask("M", os.fsencode(folder / "m.json"))
    return status, answer.decode()


def test_a_manifest_leads_to_its_archive_beside_it_or_in_dist(probe: Probe, folder: Path) -> None:
    validate(sealed(manifest()), SECTION)
    data = written(sealed(manifest()))
    assert opened(probe, folder, data) == (OK, f"{folder}/../dist/{NAME}\n{SHA}\n12")
    (folder / NAME).write_bytes(b"")
    assert opened(probe, folder, data) == (OK, f"{folder}/{NAME}\n{SHA}\n12")


@pytest.mark.parametrize("indent", [None, 0, 1, 4, "\t"])
@pytest.mark.parametrize("separators", [(",", ":"), (" , ", " : "), None])
def test_white_space_does_not_change_a_manifest(probe: Probe, folder: Path, indent: Any, separators: Any) -> None:
    text = json.dumps(sealed(manifest()), indent=indent, separators=separators, sort_keys=True, ensure_ascii=False)
    assert opened(probe, folder, f"\r\n{text} \t\n".encode())[0] == OK


@settings(deadline=None, max_examples=500)
@given(
    st.lists(
        st.tuples(st.integers(0, 2600), st.integers(0, 3), st.text('{}[]",:\\ \n0123abce.-', max_size=3)),
        min_size=1,
        max_size=2,
    )
)
def test_damage_that_python_refuses_is_refused(
    probe: Probe, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, str]]
) -> None:
    text = written(sealed(manifest())).decode()
    for at, gone, more in changes:
        text = text[:at] + more + text[at + gone :]
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    (folder / NAME).touch()
    status, message = opened(probe, folder, text.encode())
    try:
        data = json.loads(text)
        validate(data, SECTION)
        tidy = json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1) + "\n" == text
    except (ValueError, G2PError):
        assert status in (INVALID_MANIFEST, NEWER_MANIFEST), message
    else:
        assert status == OK or not tidy, message


def drop(data: dict[str, Any], *path: str) -> None:
    for key in path[:-1]:
        data = data[key]
    del data[path[-1]]


def put(value: Any, *path: str) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


AT = ("archives", "weights")
CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], int, str]] = {
    "newer": (put(3, "schema_version"), NEWER_MANIFEST, "schema version 3 is newer than 2"),
    "older": (put(1, "schema_version"), INVALID_MANIFEST, "schema version 1 is older than 2"),
    "of the far future": (put(10**30, "schema_version"), NEWER_MANIFEST, "is newer than 2"),
    "version 0": (put(0, "schema_version"), INVALID_MANIFEST, "schema_version 2"),
    "version as text": (put("1", "schema_version"), INVALID_MANIFEST, "it has no schema_version"),
    "true": (put(True, "schema_version"), INVALID_MANIFEST, "it has no schema_version"),
    "no model": (lambda data: drop(data, "model"), INVALID_MANIFEST, "are wanted"),
    "no archives": (lambda data: drop(data, "archives"), INVALID_MANIFEST, "are wanted"),
    "another model": (put(4, "model", "byte_offset"), INVALID_MANIFEST, "it is of another library"),
    "other functions": (put([], "functions"), INVALID_MANIFEST, "it is of another library"),
    "no weights": (lambda data: drop(data, *AT), INVALID_MANIFEST, "file, sha256 and size are wanted"),
    "weights as text": (put("w", *AT), INVALID_MANIFEST, "file, sha256 and size are wanted"),
    "archives as a list": (put([], "archives"), INVALID_MANIFEST, "file, sha256 and size are wanted"),
    "no size": (lambda data: drop(data, *AT, "size"), INVALID_MANIFEST, "file, sha256 and size are wanted"),
    "size 0": (put(0, *AT, "size"), INVALID_MANIFEST, "a positive integer is wanted"),
    "a folder": (put("../w.tar", *AT, "file"), INVALID_MANIFEST, "a plain file name is wanted"),
    "an absolute path": (put("/w.tar", *AT, "file"), INVALID_MANIFEST, "a plain file name is wanted"),
    "a Windows path": (put("c:\\w.tar", *AT, "file"), INVALID_MANIFEST, "a plain file name is wanted"),
    "a hidden file": (put(".w", *AT, "file"), INVALID_MANIFEST, "a plain file name is wanted"),
    "an empty name": (put("", *AT, "file"), INVALID_MANIFEST, "a plain file name is wanted"),
    "a zero in a name": (put("w\0", *AT, "file"), INVALID_MANIFEST, "a plain file name is wanted"),
    "an endless name": (put("w" * 300, *AT, "file"), INVALID_MANIFEST, "a plain file name is wanted"),
    "a name as a number": (put(3, *AT, "file"), INVALID_MANIFEST, "a plain file name is wanted"),
    "a short digest": (put("ab", *AT, "sha256"), INVALID_MANIFEST, "64 hexadecimal digits are wanted"),
    "a digest in capitals": (put("AB" * 32, *AT, "sha256"), INVALID_MANIFEST, "64 hexadecimal digits are wanted"),
    "an archive elsewhere": (put("gone.tar", *AT, "file"), NO_FILE, "archive 'gone.tar' is neither beside m.json nor"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_each_refusal_names_what_is_wrong(probe: Probe, folder: Path, what: str) -> None:
    change, status, expected = CHANGES[what]
    data = copy.deepcopy(manifest())
    change(data)
    (folder / "m.json").write_bytes(written(sealed(data)))
    found, message = probe.refusal("M", os.fsencode(folder / "m.json"))
    assert found == status and expected in message


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not a readable JSON file"),
        (b"{", "not a readable JSON file"),
        (b"[]", "it is no JSON object"),
        (b'{"model":{},"model":{}}', "has a member twice"),
        (written(manifest() | {"digest": SHA}), "it was changed after it was built"),
        (written(manifest() | {"digest": None}), "it was changed after it was built"),
        (written(manifest()), "are wanted"),
        (b'{"archives":{},"functions":[],"model":{},"schema_version":2,"digest":"x"}', "it was changed"),
    ],
)
def test_a_file_that_is_not_a_manifest_is_refused(probe: Probe, folder: Path, data: bytes, expected: str) -> None:
    (folder / "m.json").write_bytes(data)
    status, message = probe.refusal("M", os.fsencode(folder / "m.json"))
    assert status == INVALID_MANIFEST and message.startswith("m.json: ") and expected in message


def test_a_file_is_mapped_or_one_line_says_why_not(probe: Probe, tmp_path: Path) -> None:
    path = tmp_path / "ünïcode"
    path.write_bytes(b"some bytes")
    assert probe.ask("O", os.fsencode(path)) == (OK, b"some bytes")
    path.write_bytes(b"")
    assert probe.ask("O", os.fsencode(path)) == (OK, b"")
    os.mkfifo(tmp_path / "pipe")
    for name, expected in (("gone", "there is no file at"), (".", "is no file, but a folder"), ("pipe", "is no file")):
        status, message = probe.refusal("O", os.fsencode(tmp_path / name))
        assert status == NO_FILE and expected in message
    assert probe.refusal("M", os.fsencode(tmp_path / "gone" / "m.json"))[0] == NO_FILE
    status, message = probe.refusal("O", b"x/" * 3000)
    assert (status, message.endswith("or name another")) == (NO_FILE, True)  # a long path leaves room for the rest


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(probe: Probe, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(0)
    status, message = probe.refusal("O", os.fsencode(path))
    assert status == NO_FILE and "see to its permissions" in message


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="reads /proc/cpuinfo of x86-64")
def test_features_are_named_as_in_cpuinfo(probe: Probe) -> None:
    for name in sorted(
        {name for names in cpu.CPU_FEATURES.values() for name in names if not name.startswith(("asimd", "fphp"))}
    ):
        assert probe.ask("X", name.encode()) == (OK, b"" if name in cpu.cpu_features() else name.encode()), name
    assert probe.ask("X") == (OK, b"")
    assert probe.ask("X", b"popcnt", b"telepathy") == (OK, b"telepathy")
