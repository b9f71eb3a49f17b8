"""Two folders of the same name have manifests of their own, in one command and in several, and keep them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkouts import Checkout
from conftest import Tree, products
from stages.small_checkpoints import checkpoint, write

FIXED = ["checkpoint=path", "target=android", "max_lens=short"]


@pytest.fixture(scope="module")
def warm(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree beside two runs, each with a checkpoint of the same name, and two lexicons of the same name; all built."""
    tree = checkout.copy(tmp_path_factory.mktemp("warm")).tree
    for number, run in enumerate(("runA", "runB", "later")):
        write(tree.root / run / "checkpoint-500", *checkpoint(num_layers=1, seed=number))
        (tree.root / run / "xx.tsv").write_text(f"a\t{'xyz'[number]}\n", encoding="utf-8")
    tree.compiled(*at("runA", "runB", "later"))
    for folder in (tree.root / "manifests", tree.root / "dist", tree.cache / "trees"):
        shutil.rmtree(folder)
    return tree


@pytest.fixture
def mine(warm: Tree, tmp_path: Path) -> Tree:
    """A copy of it, in which nothing is published."""
    for folder in (warm.root, warm.cache):
        shutil.copytree(folder, tmp_path / folder.name)
    return Tree(tmp_path / "tree", tmp_path / "cache")


def at(*runs: str) -> list[str]:
    return [*FIXED, "checkpoint.path=" + ",".join(f"{run}/checkpoint-500" for run in runs)]


def published(tree: Tree) -> dict[str, str]:
    """Manifest's name → digest of the checkpoint's weights. Asserts that the archives are there, and no others."""
    named: set[str] = set()
    found = {}
    for path in (tree.root / "manifests").glob("*.json"):
        if path.name != "index.json":
            manifest = json.loads(path.read_bytes())
            assert manifest["name"] == path.stem
            found[path.stem] = manifest["checkpoint"]["digest"]
            named |= {archive["file"] for archive in manifest["archives"].values()}
    assert {path.name for path in (tree.root / "dist").iterdir()} == named
    return found


def test_one_after_the_other_each_has_its_own(mine: Tree) -> None:
    mine.compiled(*at("runA"))
    first = products(mine)
    [one] = published(mine)
    assert one.startswith("checkpoint-500-android-")  # as it always was, where nobody else has the name
    mine.compiled(*at("runB"))
    names = published(mine)
    assert len(names) == 2 == len(set(names.values()))
    assert {name: data for name, data in products(mine).items() if name in first and "index" not in name} == {
        name: data for name, data in first.items() if "index" not in name
    }
    for run in ("runA", "runB"):
        assert mine.doit("why", *at(run)).stdout.splitlines()[-1] == "nothing would run"
        assert [line.split()[0] for line in mine.compiled(*at(run)).splitlines()] == ["current"]
    assert published(mine) == names
    rows = [json.loads(line) for line in mine.doit("manifests", "--json").stdout.splitlines()]
    assert {row["state"] for row in rows} == {"current"}
    assert str(mine.root) not in "".join(data.decode(errors="ignore") for data in products(mine).values())


def test_clean_takes_its_own_alone(mine: Tree) -> None:
    mine.compiled(*at("runA"))
    before = products(mine)
    assert "nothing is published" in mine.doit("clean", *at("runB")).stdout
    assert products(mine) == before
    mine.compiled(*at("runB"))
    assert mine.doit("clean", *at("runB")).returncode == 0
    assert products(mine) == before
    assert mine.doit("clean", *at("runA")).returncode == 0
    assert published(mine) == {}


def test_a_sweep_over_runs(mine: Tree) -> None:
    mine.compiled(*at("runA", "runB"))
    names = published(mine)
    assert len(names) == 2 == len(set(names.values()))
    assert all("checkpoint-500+" in name for name in names)
    for run in ("runA", "runB"):  # each keeps the name that it has here
        assert [line.split()[0] for line in mine.compiled(*at(run)).splitlines()] == ["current"]
    assert published(mine) == names
    mine.doit("clean", *at("runA"))
    assert len(published(mine)) == 1


def test_what_is_trained_further_replaces_what_was_published_of_it(mine: Tree) -> None:
    mine.compiled(*at("runA", "runB"))
    names = published(mine)
    shutil.copytree(mine.root / "later", mine.root / "runB", dirs_exist_ok=True)
    said = mine.compiled(*at("runB"))
    assert "is replaced" not in said
    now = published(mine)
    assert now.keys() == names.keys() and sum(now[name] != names[name] for name in now) == 1


def test_copies_are_the_same_thing(mine: Tree) -> None:
    mine.compiled(*at("runA"))
    before = products(mine)
    shutil.copytree(mine.root / "runA", mine.root / "moved")
    assert [line.split()[0] for line in mine.compiled(*at("moved")).splitlines()] == ["current"]
    assert [line.split()[0] for line in mine.compiled(*at("moved", "runA")).splitlines()] == ["current"]
    assert products(mine) == before


def test_a_name_can_be_given_and_says_what_it_replaces(mine: Tree) -> None:
    mine.compiled(*at("runA"), "checkpoint.name=best")
    [name] = published(mine)
    assert name.startswith("best-android-")
    said = mine.compiled(*at("runB"), "checkpoint.name=best")
    assert f"manifests/{name}.json is replaced: it was made from {mine.root}/runA/checkpoint-500" in said
    result = mine.doit("clean", *at("runA"), "checkpoint.name=best")
    assert f"kept manifests/{name}.json" in result.stdout and f"{mine.root}/runB" in result.stdout
    assert list(published(mine)) == [name]
    result = mine.doit("compile", *at("runA", "runB"), "checkpoint.name=best")
    assert result.returncode == 3 and "two checkpoints are called 'best'" in result.stderr


def test_a_folder_called_like_an_option_is_not_that_option(mine: Tree) -> None:
    (mine.root / "runA" / "checkpoint-500").rename(mine.root / "runA" / "embedded")
    result = mine.doit("variants", "--json", *FIXED, "checkpoint.path=runA/embedded")
    assert json.loads(result.stdout)["checkpoint"]["name"].startswith("embedded+")


def test_lexicons_too(mine: Tree) -> None:
    for run in ("runA", "runB"):
        mine.compiled(*at("runA"), f"lexicon={run}/xx.tsv")
    assert len(published(mine)) == 2
    result = mine.doit("variants", "--json", *at("runA"), "lexicon=runA/xx.tsv,runB/xx.tsv,[runB/xx.tsv,runA/xx.tsv]")
    names = [json.loads(line)["name"] for line in result.stdout.splitlines()]
    assert len(set(names)) == 3
    mine.doit("clean", *at("runA"), "lexicon=runB/xx.tsv")
    [left] = published(mine)
    assert left.endswith("-lexicon.xx")


def test_of_a_manifest_that_nobody_knows_clean_takes_nothing(mine: Tree) -> None:
    mine.compiled(*at("runA"))
    before = products(mine)
    for path in (mine.cache / "trees").iterdir():
        path.unlink()
    result = mine.doit("clean", *at("runB"))
    assert "\nkept manifests/checkpoint-500-" in result.stdout and products(mine) == before
    mine.doit("clean", *at("runA"))  # the cache has what it is made of, so it is known
    assert published(mine) == {}


def test_two_at_once_do_not_overwrite_each_other(mine: Tree) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "doit", "compile", *at(run)],
            cwd=mine.root,
            env=mine.env,
            stderr=subprocess.PIPE,
            text=True,
        )
        for run in ("runA", "runB")
    ]
    said = [each.communicate()[1] for each in started]
    for run, each, words in zip(("runA", "runB"), started, said, strict=True):
        if each.returncode:
            assert "run the command again" in words
            mine.compiled(*at(run))
    assert len(set(published(mine).values())) == 2
