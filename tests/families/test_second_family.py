"""A second family of models goes through the whole build, and only its own files know it."""

import ctypes
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Tree, copy_tree
from safetensors.torch import load_file

LETTERS = Path(__file__).parent / "letters"
TEXT = b"a second family, 2 layers"


@pytest.fixture(scope="module")
def tree(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree to which the family's files are added. Nothing else is changed."""
    tree = copy_tree(tmp_path_factory.mktemp("families") / "tree", built.cache, built.root)
    package = tree.root / "g2p_build" / "families" / "letters"
    shutil.copytree(LETTERS / "package", package)
    shutil.copytree(LETTERS / "native", package / "native")
    shutil.copy(LETTERS / "conf" / "letters.yaml", tree.root / "conf" / "checkpoint")
    tree.compiled("checkpoint=letters", "max_lens=short")
    return tree


@pytest.fixture(scope="module")
def manifest(tree: Tree) -> dict[str, Any]:
    [path] = (tree.root / "manifests").glob("letters-host-*.json")
    data: dict[str, Any] = json.loads(path.read_bytes())
    return data


@pytest.fixture(scope="module")
def unpacked(tree: Tree, manifest: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("letters")
    for archive in manifest["archives"].values():
        with tarfile.open(tree.root / "dist" / archive["file"]) as members:
            members.extractall(folder, filter="data")
    return folder


def test_the_manifest_is_valid_and_holds_the_familys_own_fields(manifest: dict[str, Any]) -> None:
    from g2p_build.runtime.manifest import validate

    validate(manifest)
    assert (manifest["family"], manifest["files"]["header"]) == ("letters", "letters.h")
    assert manifest["model"] == {"classes": ["vowel", "consonant", "digit", "other"], "most": 32}
    assert [function["role"] for function in manifest["functions"]] == ["classify"]


def test_the_loaded_library_computes_the_same_as_torch(tree: Tree, manifest: dict[str, Any], unpacked: Path) -> None:
    library = ctypes.CDLL(str(unpacked / manifest["files"]["library"][0]))
    library.letters_class.restype = ctypes.c_char_p
    kinds = (ctypes.c_int32 * len(TEXT))()
    weights = unpacked / manifest["files"]["weights"]
    assert library.letters_classify(str(weights).encode(), None, TEXT, kinds, None) == 0
    seed = torch.Generator().manual_seed(0)
    table, first, second = (torch.randn(shape, generator=seed) for shape in ((256, 32), (32, 48), (48, 4)))
    expected = (torch.relu(table[list(TEXT)] @ first) @ second).argmax(-1).tolist()
    assert list(kinds) == expected and len(set(expected)) > 2
    assert [library.letters_class(None, kind) for kind in range(5)] == [
        b"vowel",
        b"consonant",
        b"digit",
        b"other",
        None,
    ]
    assert set(load_file(weights)) >= {"table", "first", "second"}


def test_the_second_build_has_nothing_to_do(tree: Tree) -> None:
    assert tree.compiled("checkpoint=letters", "max_lens=short").split()[0] == "current"


def test_its_own_fields_can_be_given_and_are_checked(tree: Tree) -> None:
    wider = tree.doit("variants", "checkpoint=letters", "checkpoint.width=40", "--json")
    assert json.loads(wider.stdout)["checkpoint"]["width"] == 40
    for line, said in {
        "checkpoint.classes=[one]": "checkpoint.classes: name two classes or more",
        "batch=2": "batch=[2]: a model of letters takes one text at a time",
        "checkpoint.prompt=x": "checkpoint.prompt=x: ",
    }.items():
        refused = tree.doit("variants", "checkpoint=letters", line)
        assert refused.returncode != 0 and said in refused.stderr, refused.stderr


def test_g2p_refuses_to_load_it_in_one_line(tree: Tree) -> None:
    [path] = (tree.root / "manifests").glob("letters-host-*.json")
    said = tree.g2p("pronounce", "--manifest", str(path), "word")
    assert said.returncode != 0 and "a model of the family 'letters', and this loads 'g2p'" in said.stderr


def test_only_its_own_files_name_it() -> None:
    found = subprocess.run(
        ["grep", "-rlP", r"families[./]letters|\bletters_(?!count)", "g2p_build", "tasks", "conf"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert found.stdout == ""


def test_a_task_for_g2p_alone_refuses_it_in_one_line(tree: Tree) -> None:
    said = tree.doit("verify", "checkpoint=letters", "max_lens=short")
    assert said.returncode != 0 and "Traceback" not in said.stderr
    assert "cannot be verified: the family 'letters' has no reference" in said.stderr


def test_a_package_for_android_needs_classes_of_the_family(tree: Tree) -> None:
    said = tree.doit("aar", "checkpoint=letters", "max_lens=short")
    assert said.returncode != 0 and "Traceback" not in said.stderr
    assert "is of the family 'letters', which has no classes for an AAR" in said.stderr


def test_a_manifest_that_is_not_of_the_family_is_not_published(tree: Tree) -> None:
    before = sorted((tree.root / "manifests").iterdir())
    said = tree.doit("compile", "checkpoint=letters", "max_lens=short", "checkpoint.classes=[a,b,a,c]")
    assert said.returncode != 0 and "Traceback" not in said.stderr
    assert "what was built makes no manifest: at model.classes: " in said.stderr
    assert sorted((tree.root / "manifests").iterdir()) == before
