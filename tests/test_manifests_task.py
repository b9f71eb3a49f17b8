"""`doit manifests` lists everything that is built, from whatever command, and whether it is current."""

import json
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import CACHED, CACHELESS, DEFAULT, HALF, Tree

from g2p_build.runtime import manifest as manifests

ALL = sorted([DEFAULT, CACHED, CACHELESS, HALF])


@pytest.fixture
def copy(built: Tree, tmp_path: Path) -> Tree:
    """A copy of the tree with four published variants. The cache has no records of this copy."""
    shutil.copytree(built.root, tmp_path / "tree")
    return Tree(tmp_path / "tree", built.cache)


def listed(tree: Tree) -> dict[str, dict[str, Any]]:
    result = tree.doit("manifests", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    return {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}


def states(tree: Tree) -> dict[str, str]:
    return {name: row["state"] for name, row in listed(tree).items()}


def test_every_manifest_with_its_size_and_when_it_was_built(built: Tree) -> None:
    rows = listed(built)
    assert list(rows) == ALL
    assert {row["state"] for row in rows.values()} == {"current"}
    assert rows[CACHELESS]["overrides"] == ["batch=[1,8]", "kv_cache=true,false"]
    for name, row in rows.items():
        path = built.root / "manifests" / f"{name}.json"
        manifest = manifests.read(path)
        assert row["library_bytes"] == manifest["archives"]["library"]["size"]
        assert row["weights_bytes"] == manifest["archives"]["weights"]["size"]
        assert int(datetime.fromisoformat(row["built"]).timestamp()) == int(path.stat().st_mtime)
        assert {
            field: row[field] for field in ("target", "dtype", "batch", "max_lens", "kv_cache")
        }.items() <= manifest["variant"].items()


def test_a_table_for_people(built: Tree) -> None:
    said = built.doit("manifests").stdout
    for text in (*ALL, "current", "MB", "built", "state"):
        assert text in said


def test_names_that_conf_has_need_no_record_of_how_they_were_asked_for(copy: Tree) -> None:
    rows = listed(copy)
    assert {row["state"] for row in rows.values()} == {"current"}
    assert {row["overrides"] for row in rows.values()} == {None}


def test_a_change_of_what_they_are_made_of_makes_them_stale(copy: Tree) -> None:
    conf = copy.root / "conf" / "checkpoint" / "embedded.yaml"
    conf.write_text(conf.read_text(encoding="utf-8").replace("append_eos: false", "append_eos: true"), encoding="utf-8")
    assert states(copy) == dict.fromkeys(ALL, "stale")


def test_a_change_of_one_is_a_change_of_one(copy: Tree) -> None:
    stage = copy.root / "g2p_build" / "stages" / "weights.py"
    text = stage.read_text(encoding="utf-8")
    stage.write_text(text + "\n\nUNUSED = 1\n", encoding="utf-8")
    assert copy.doit("compile").returncode == 0  # to the same bytes, so the others stay current
    assert states(copy) == {name: "stale" if name == HALF else "current" for name in ALL}


def test_damage_has_a_name(copy: Tree) -> None:
    library = manifests.read(copy.root / "manifests" / f"{DEFAULT}.json")["archives"]["library"]["file"]
    weights = manifests.read(copy.root / "manifests" / f"{HALF}.json")["archives"]["weights"]["file"]
    (copy.root / "dist" / weights).unlink()
    data = bytearray((copy.root / "dist" / library).read_bytes())
    data[1000] ^= 1
    (copy.root / "dist" / library).write_bytes(data)
    manifest = copy.root / "manifests" / f"{CACHED}.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"batch"', b'"bbtch"', 1))
    index = copy.root / "manifests" / "index.json"
    index.write_bytes(index.read_bytes().replace(CACHELESS.encode(), b"renamed"))
    assert states(copy) == {
        CACHED: "damaged",
        CACHELESS: "not in the index",
        DEFAULT: "archive damaged",
        HALF: "archive missing",
    }
    assert copy.doit("manifests").returncode == 0


def test_odd_names_are_known_where_they_were_built_and_nowhere_else(copy: Tree, tmp_path: Path) -> None:
    copy.compiled("checkpoint.name=mine")
    name = DEFAULT.replace("embedded", "mine")
    assert listed(copy)[name]["overrides"] == ["checkpoint.name=mine"]
    assert states(copy) == dict.fromkeys(ALL, "current") | {name: "current"}
    moved = Tree(copy.root.rename(tmp_path / "moved"), copy.cache)
    assert states(moved) == dict.fromkeys(ALL, "current") | {name: "unknown"}


def test_where_nothing_is_built_it_says_so(tree: Tree) -> None:
    assert tree.doit("manifests").stdout == "nothing is built here\n"
    assert listed(tree) == {}


def test_it_takes_no_overrides(tree: Tree) -> None:
    result = tree.doit("manifests", "target=iphone")
    assert result.returncode != 0
    assert result.stderr == "ERROR: manifests: it lists all there are and takes no overrides: leave out target=iphone\n"


def test_looking_loads_neither_torch_nor_tvm(built: Tree) -> None:
    code = f"""
import sys
from pathlib import Path
from g2p_build.store import gc
from g2p_build.engine.build import Build
from g2p_build.store.workspace import Workspace
from g2p_build.products import manifests
print(len(manifests.listed(Build(Workspace(Path({str(built.cache)!r}), Path({str(built.root)!r}))), {DEFAULT!r})))
gc.find(Path({str(built.cache)!r}), 0.0)
print(sorted({{"torch", "tvm", "tvm_ffi", "transformers", "numpy"}} & set(sys.modules)))
"""
    assert built.run(sys.executable, "-c", code).stdout == "4\n[]\n"
