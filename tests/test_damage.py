"""Damage is noticed: the build makes the file again, the runtime refuses it. Files in the way are removed or reported.

`FAULT_SEED=n` flips other bits; `make test-long` flips more of them.
"""

import json
import random
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import DEFAULT, SMALL, Tree, Undisturbed, products
from faults import SEED, errors, flip_a_bit, leftovers, some

from g2p_build.config import compose
from g2p_build.engine.build import Build
from g2p_build.graph import Node, nodes
from g2p_build.products.publish import published
from g2p_build.runtime import load
from g2p_build.runtime.errors import G2PError, TamperedArchive
from g2p_build.store import actions, blobs
from g2p_build.store.workspace import Workspace

# --- a flipped bit ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A built tree that may be damaged."""
    folder = tmp_path_factory.mktemp("damage")
    shutil.copytree(undisturbed.tree.root, folder / "tree")
    return undisturbed.cache_for(Tree(folder / "tree", folder / "cache"))


class Flipped:
    """Flips a bit of a file as long as the context lasts."""

    def __init__(self, path: Path, trial: int) -> None:
        self.path = path
        bits = 8 * path.stat().st_size
        self.position = random.Random(f"{SEED} {trial} {path.name}").randrange(bits)

    def __enter__(self) -> None:
        flip_a_bit(self.path, self.position)

    def __exit__(self, *_: object) -> None:
        flip_a_bit(self.path, self.position)


def made(tree: Tree) -> dict[str, actions.Action]:
    """The actions of a cache by key. Asserts that none is damaged."""
    found = {path.stem: actions.find(tree.cache, path.stem) for path in tree.cache.glob("actions/*/*.json")}
    sound = {key: action for key, action in found.items() if action is not None}
    assert len(sound) == len(found) == 9
    return sound


@pytest.mark.parametrize("trial", some(2, 50))
def test_an_action_entry_with_a_flipped_bit_is_a_miss(own: Tree, trial: int) -> None:
    for key in made(own):
        with Flipped(actions.path_of(own.cache, key), trial):
            assert actions.find(own.cache, key) is None
    made(own)


@pytest.mark.parametrize("trial", some(2, 50))
def test_a_blob_with_a_flipped_bit_makes_all_that_wrote_it_stale(own: Tree, trial: int) -> None:
    sound = made(own)
    for digest in sorted({digest for action in sound.values() for digest in action.outputs.values()}):
        with Flipped(blobs.path_of(own.cache, digest), trial):
            missed = {key for key in sound if actions.find(own.cache, key) is None}
        assert missed == {key for key, action in sound.items() if digest in action.outputs.values()}
    made(own)


@pytest.mark.parametrize("trial", some(2, 50))
def test_a_product_with_a_flipped_bit_is_not_current_and_is_refused_by_the_runtime(
    own: Tree, trial: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("G2P_CACHE", str(tmp_path / "unpacked"))
    graph = nodes(*compose.variants(SMALL))
    assert is_published(own, graph)
    [manifest] = [own.root / name for name in products(own) if name.startswith("manifests") and "index" not in name]
    for name in products(own):
        path = own.root / name
        with Flipped(path, trial):
            assert not is_published(own, graph), name
            if path.name != "index.json":
                with pytest.raises(TamperedArchive if path.suffix == ".tar" else G2PError):
                    load(manifest)
    assert is_published(own, graph)
    load(manifest)


def is_published(tree: Tree, graph: dict[str, Node]) -> bool:
    """Whether a new process would find the variant published."""
    return published(Build(Workspace(tree.cache, tree.root)), graph, DEFAULT)


def test_whatever_is_flipped_is_made_again(own: Tree, undisturbed: Undisturbed) -> None:
    stored = sorted((own.cache / "blobs").glob("*/*"))
    blobs_before = {path: path.read_bytes() for path in stored}
    for path in [*stored, *own.cache.glob("actions/*/*.json"), *(own.root / name for name in products(own))]:
        flip_a_bit(path, random.Random(f"{SEED} {path.name}").randrange(8 * path.stat().st_size))
    assert not any(path.read_bytes() == data for path, data in blobs_before.items())
    own.compiled(*SMALL)
    assert products(own) == undisturbed.products
    assert {path: path.read_bytes() for path in stored} == blobs_before
    made(own)


def test_remembered_digests_that_were_changed_are_not_believed(own: Tree) -> None:
    stats = own.cache / "stats.json"
    own.compiled(*SMALL)
    for trial in range(3):
        flip_a_bit(stats, random.Random(f"{SEED} {trial}").randrange(8 * stats.stat().st_size))
        assert own.compiled(*SMALL).split()[0] == "current"
    # A change that is still JSON is not believed either. No archive has a digest that begins like this.
    stats.write_bytes(re.sub(rb'(dist/[^"]+tar":\[\[[0-9,]+\],")[0-9a-f]{8}', rb"\g<1>00000000", stats.read_bytes()))
    assert b'"00000000' in stats.read_bytes()
    assert own.compiled(*SMALL).split()[0] == "current"
    assert b'"00000000' not in stats.read_bytes()


@pytest.mark.parametrize("trial", some(1, 25))
def test_an_unpacked_archive_with_a_flipped_bit_is_unpacked_anew(own: Tree, trial: int) -> None:
    [manifest] = own.root.glob("manifests/random*.json")
    code = "import sys; from g2p_build.runtime import load; load(sys.argv[1])"
    # In a process of its own: a library with a flipped bit must not be mapped into this one.
    assert own.run(sys.executable, "-c", code, str(manifest)).returncode == 0
    members = [
        path
        for path in (own.cache / "unpacked").rglob("*")
        if path.is_file() and path.name[0] != "." and path.stat().st_size
    ]
    assert {path.name for path in members} >= {"libg2p.so", "tokenizer.json", "weights.safetensors"}
    for path in members:
        sound = path.read_bytes()
        flip_a_bit(path, random.Random(f"{SEED} {trial} {path.name}").randrange(8 * len(sound)))
        result = own.run(sys.executable, "-c", code, str(manifest))
        assert result.returncode == 0, result.stderr
        assert path.read_bytes() == sound


# --- in the way -------------------------------------------------------------------------------------------------------


def cached(kind: str) -> Callable[[Tree], Path]:
    """The blob or the entry of a stage that runs quickly."""

    def find(tree: Tree) -> Path:
        for path in tree.cache.glob("actions/*/*.json"):
            entry = json.loads(path.read_bytes())
            if entry["components"]["stage"] == "tokenizer":
                return path if kind == "entry" else blobs.path_of(tree.cache, entry["outputs"]["tokenizer.json"])
        raise AssertionError("there is no tokenizer")

    return find


def product(pattern: str) -> Callable[[Tree], Path]:
    return lambda tree: next(tree.root.glob(pattern))


def place(name: str) -> Callable[[Tree], Path]:
    return lambda tree: tree.cache / name


# A place; whether its file becomes a folder or its folder becomes a file; and what the build then does: it goes on as
# if nothing were there, or says what to move away. Locks, logs and scratch matter only if something is stale.
IN_THE_WAY = [
    ("a blob", cached("blob"), "folder", "goes on"),
    ("an action entry", cached("entry"), "folder", "goes on"),
    ("remembered digests", place("stats.json"), "folder", "goes on"),
    ("an archive", product("dist/*.tar"), "folder", "says"),
    ("a manifest", product("manifests/random*.json"), "folder", "says"),
    ("the index", product("manifests/index.json"), "folder", "says"),
    ("dist", product("dist"), "file", "says"),
    ("manifests", product("manifests"), "file", "says"),
    ("blobs", place("blobs"), "file", "says"),
    ("a folder of blobs", lambda tree: cached("blob")(tree).parent, "file", "says"),
    ("actions", place("actions"), "file", "says"),
    ("the cache", place("."), "file", "says"),
    ("a lock", lambda tree: tree.cache / "locks" / f"{cached('entry')(tree).stem}.lock", "folder", "says if stale"),
    ("locks", place("locks"), "file", "says if stale"),
    ("a log", lambda tree: tree.cache / "logs" / f"{cached('entry')(tree).stem}.log", "folder", "says if stale"),
    ("logs", place("logs"), "file", "says if stale"),
    ("tmp", place("tmp"), "file", "says if stale"),
]


@pytest.mark.parametrize(("find", "kind", "then"), [row[1:] for row in IN_THE_WAY], ids=[row[0] for row in IN_THE_WAY])
def test_what_lies_in_the_way_is_removed_or_told_in_one_line(
    undisturbed: Undisturbed, tmp_path: Path, find: Callable[[Tree], Path], kind: str, then: str
) -> None:
    shutil.copytree(undisturbed.tree.root, tmp_path / "tree")
    tree = undisturbed.cache_for(Tree(tmp_path / "tree", tmp_path / "cache"))
    path, entry = find(tree), cached("entry")(tree)
    if path.is_dir():
        path.rename(tmp_path / "aside")
    else:
        path.unlink(missing_ok=True)
    path.write_text("in the way") if kind == "file" else (path / "inside").mkdir(parents=True)
    if then == "says if stale":
        assert tree.compiled(*SMALL).split()[0] == "current"
        entry.unlink()
    result = tree.doit("compile", *SMALL)
    lines = errors(result.stderr)
    if then == "goes on":
        assert (result.returncode, lines) == (0, []), result.stderr
        assert products(tree) == undisturbed.products
        return
    assert result.returncode != 0
    [line] = lines
    assert str(path) in line and "move it away" in line, line
    assert path.is_dir() if kind == "folder" else path.read_text() == "in the way"
    path.unlink() if kind == "file" else shutil.rmtree(path)
    if (tmp_path / "aside").exists():
        (tmp_path / "aside").rename(path)
    tree.compiled(*SMALL)
    assert products(tree) == undisturbed.products
    assert leftovers(tree) == []


# --- another version --------------------------------------------------------------------------------------------------


def test_what_other_versions_keep_in_a_cache_is_in_nobodys_way(undisturbed: Undisturbed, tree: Tree) -> None:
    undisturbed.cache_for(tree)
    tree.compiled(*SMALL)
    (tree.cache / "stats.json").write_text(json.dumps({"sha256:/etc/hosts": [[1, 2, 3, 4], "0" * 64]}))
    (tree.cache / "doit").mkdir()
    (tree.cache / "doit" / "tasks.json").write_text("{")
    (tree.cache / "version").write_text("7\n")
    (tree.cache / "actions" / "flat.json").write_text("{}")
    (tree.cache / "blobs" / "v2").mkdir()
    (tree.cache / "blobs" / "v2" / "packed").write_bytes(b"\0" * 100)
    kept = {path: path.read_bytes() for path in tree.cache.rglob("*") if path.is_file() and path.name != "stats.json"}
    assert tree.compiled(*SMALL).split()[0] == "current"
    assert {path: path.read_bytes() for path in kept} == kept


@pytest.mark.parametrize("change", [lambda e: e | {"format": 2}, lambda e: {"outputs": e["outputs"]}, lambda e: [e]])
def test_an_entry_of_another_layout_is_a_miss(
    undisturbed: Undisturbed, tree: Tree, change: Callable[[dict[str, object]], object]
) -> None:
    undisturbed.cache_for(tree)
    path = cached("entry")(tree)
    path.write_text(json.dumps(change(json.loads(path.read_bytes()))))
    assert actions.find(tree.cache, path.stem) is None
    assert tree.compiled(*SMALL).split()[0] == "tokenizer"
    assert products(tree) == undisturbed.products
