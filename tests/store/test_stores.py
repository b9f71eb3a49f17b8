"""Blobs and actions: what was stored comes back whole, or is a miss."""

import os
from pathlib import Path

import pytest

from g2p_build.store import actions, blobs, digests
from g2p_build.store.files import canonical_json
from g2p_build.store.scratch import scratch, sweep


def put(cache: Path, data: bytes) -> str:
    file = scratch(cache) / "file"
    file.write_bytes(data)
    return blobs.put(cache, file)


def flip_a_bit(path: Path, position: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_blob_is_found_by_its_digest(tmp_path: Path) -> None:
    digest = put(tmp_path, b"kernels")
    found = blobs.find(tmp_path, digest)
    assert found is not None and found.read_bytes() == b"kernels"
    assert put(tmp_path, b"kernels") == digest


def test_a_blob_that_no_longer_matches_its_digest_is_a_miss_and_is_replaced(tmp_path: Path) -> None:
    digest = put(tmp_path, b"kernels")
    flip_a_bit(blobs.path_of(tmp_path, digest))
    assert blobs.find(tmp_path, digest) is None
    assert put(tmp_path, b"kernels") == digest
    assert blobs.find(tmp_path, digest) is not None


def action(cache: Path) -> actions.Action:
    return actions.Action({"stage": "library", "params": {"cpu": "x86-64-v3"}}, {"model.so": put(cache, b"code")}, 1.5)


def test_an_action_is_found_by_all_it_depends_on(tmp_path: Path) -> None:
    done = action(tmp_path)
    actions.record(tmp_path, done)
    assert actions.find(tmp_path, actions.key_of(done.components)) == done
    assert actions.find(tmp_path, actions.key_of({"stage": "library"})) is None


@pytest.mark.parametrize("position", [0, 20, 60, 100, 140, -2])
def test_a_damaged_entry_is_a_miss(tmp_path: Path, position: int) -> None:
    done = action(tmp_path)
    actions.record(tmp_path, done)
    key = actions.key_of(done.components)
    flip_a_bit(actions.path_of(tmp_path, key), position)
    assert actions.find(tmp_path, key) is None


def test_an_entry_whose_blob_is_gone_is_a_miss(tmp_path: Path) -> None:
    done = action(tmp_path)
    actions.record(tmp_path, done)
    blobs.path_of(tmp_path, done.outputs["model.so"]).unlink()
    assert actions.find(tmp_path, actions.key_of(done.components)) is None


def test_keys_do_not_depend_on_the_order_of_fields() -> None:
    assert actions.key_of({"a": 1, "b": [2]}) == actions.key_of({"b": [2], "a": 1})
    assert canonical_json({"ü": 1, "a": None}) == '{"a":null,"ü":1}'.encode()


def test_a_changed_file_is_read_again_even_with_its_old_time_stamp(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    before = path.stat()
    old = digests.file_digest(tmp_path, path)
    path.write_bytes(b"new")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digests.file_digest(tmp_path, path) != old


def test_what_a_dead_process_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "123-dead").mkdir(parents=True)
    (tmp_path / "tmp" / "123-dead.lock").touch()
    mine = scratch(tmp_path)
    sweep(tmp_path)
    assert [path.name for path in sorted((tmp_path / "tmp").iterdir())] == [mine.name, f"{mine.name}.lock"]
