"""Wrong input gives one line, and leaves everything as it was.

Each row is a command line, a config, a checkpoint, a manifest or an archive that is wrong in one way, and the words
that the line must hold: the offending value, and what to do about it.
"""

import json
import re
import shutil
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import DEFAULT, ROOT, Tree, copy_tree
from safetensors.torch import load_file, save_file

from g2p_build.runtime import manifest as manifests
from g2p_build.store.files import readable_json

EMBEDDED = ROOT / "g2p_build" / "checkpoints" / "embedded"


def one_line(stderr: str) -> str:
    """Asserts that the error stream holds one line, so no traceback and no warning. Returns it."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|g2p): ", line)]
    rest = [line for line in lines if line not in errors and not re.match(r"\w+ +\d+\.\d s  ", line)]
    assert len(errors) == 1 and not rest, stderr
    return errors[0]


def snapshot(*folders: Path) -> dict[str, bytes]:
    """Every file that a build could have half written, without locks and logs."""
    return {
        str(path): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not {"__pycache__", "locks", "logs", "trees"} & set(path.parts)
        and path.name not in ("stats.json", "in-use.lock")
    }


# --- command lines ----------------------------------------------------------------------------------------------------

COMMANDS = [
    ("targt=host", ["targt", "target"]),
    ("target=iphon", ["iphon", "iphone"]),
    ("target.cpuu=generic", ["target.cpuu", "target.cpu"]),
    ("target.cpu=x86-64-v9", ["x86-64-v9", "x86-64-v4"]),
    ("checkpoint=embeded", ["embeded", "embedded"]),
    ("checkpoint=charsiu_tiny_9", ["charsiu_tiny_9", "charsiu_tiny_8"]),
    ("checkpoint=charsiu_tiny_8", ["checkpoint.revision"]),
    ("checkpoint=path", ["checkpoint.path"]),
    ("checkpoint.languages=eng-us", ["checkpoint.languages"]),
    ("max_lens=shrt", ["shrt", "short"]),
    ("max_lens.output=1", ["max_lens.output", "1"]),
    ("max_lens.input=8", ["max_lens.input", "8"]),
    ("max_lens.input=many", ["max_lens.input", "many"]),
    ("batch=0", ["batch", "0"]),
    ("batch=-1", ["batch", "-1"]),
    ("batch=1.5", ["batch", "1.5"]),
    ("batch=true", ["batch"]),
    ("batch=[]", ["batch"]),
    ("batch=[1,0]", ["batch", "0"]),
    ("batch=null", ["batch"]),
    ("dtype=float64", ["float64", "float32"]),
    ("dtype=flaot16", ["flaot16", "float16"]),
    ("kv_cache=maybe", ["kv_cache", "maybe"]),
    ("matrix=smok", ["smok", "smoke"]),
    ("batch=[1,8", ["batch=[1,8"]),
    ("batch=", ["batch"]),
    ("+batch=1", ["+batch"]),
    ("hydra.run.dir=x", ["hydra"]),
]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    folder = tmp_path_factory.mktemp("untouched")
    return copy_tree(folder / "tree", folder / "cache")


@pytest.mark.parametrize(("override", "words"), COMMANDS, ids=[override for override, _ in COMMANDS])
def test_a_wrong_command_line_builds_nothing(untouched: Tree, override: str, words: list[str]) -> None:
    result = untouched.doit("compile", override)
    assert result.returncode >= 2
    line = one_line(result.stderr)
    assert all(word in line for word in words), line
    assert result.stdout == ""
    assert not (untouched.root / "dist").exists() and not (untouched.root / "manifests").exists()
    assert not (untouched.cache / "actions").exists()


def test_a_wrong_config_file_is_named(tree: Tree) -> None:
    (tree.root / "conf" / "target" / "iphone.yaml").write_text(
        "kind: llvm\ntripel: arm64-apple-ios\n", encoding="utf-8"
    )
    line = one_line(tree.doit("compile", "target=iphone").stderr)
    assert "iphone" in line and "tripel" in line and "triple" in line


# --- checkpoints ------------------------------------------------------------------------------------------------------


def edit_config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))

    return change


def edit_tensors(edit: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        edit(tensors)
        save_file(tensors, folder / "model.safetensors")

    return change


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def lie_about_the_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 40) + path.read_bytes()[8:])


NORM = "encoder.final_layer_norm.weight"
CHECKPOINTS: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "no such folder": (shutil.rmtree, ["checkpoint.path"]),
    "no config": (lambda folder: (folder / "config.json").unlink(), ["config.json"]),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), ["model.safetensors"]),
    "config is not JSON": (lambda folder: (folder / "config.json").write_text("{"), ["config.json"]),
    "a BERT": (edit_config(model_type="bert"), ["bert", "t5"]),
    "an mT5 vocabulary": (edit_config(vocab_size=250112, model_type="mt5"), ["mt5"]),
    "another activation": (edit_config(feed_forward_proj="gated-silu"), ["gated-silu"]),
    "a missing tensor": (edit_tensors(lambda tensors: tensors.pop(NORM)), [NORM]),
    "a misshapen tensor": (edit_tensors(lambda tensors: tensors.update({NORM: torch.ones(7)})), [NORM, "7"]),
    "a tensor too many": (
        edit_tensors(lambda tensors: tensors.update({"pooler.weight": torch.ones(7)})),
        ["pooler.weight"],
    ),
    "a NaN": (edit_tensors(lambda tensors: tensors[NORM].fill_(float("nan"))), [NORM, "NaN"]),
    "truncated weights": (truncate, ["model.safetensors"]),
    "a lying header": (lie_about_the_header, ["model.safetensors"]),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_wrong_checkpoint_is_refused_before_any_compiling(untouched: Tree, tmp_path: Path, case: str) -> None:
    change, words = CHECKPOINTS[case]
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(EMBEDDED / name, folder / name)
    change(folder)
    before = snapshot(untouched.root, untouched.cache)
    result = untouched.doit(
        "compile", "checkpoint=path", f"checkpoint.path={folder}", "checkpoint.space_after_colon=true"
    )
    assert result.returncode != 0
    errors = [line for line in result.stderr.splitlines() if "not built" not in line]
    line = one_line("\n".join(errors))
    assert all(word in line for word in words), line
    assert "Traceback" not in result.stderr
    assert snapshot(untouched.root, untouched.cache) == before


# --- manifests and archives -------------------------------------------------------------------------------------------


def edit_manifest(edit: Callable[[dict[str, Any]], Any], sealed: bool = True) -> Callable[[Path, Path], None]:
    def change(manifest: Path, dist: Path) -> None:
        data = json.loads(manifest.read_text(encoding="utf-8"))
        edit(data)
        if sealed:
            data["digest"] = manifests.digest(data)
        manifest.write_bytes(readable_json(data))

    return change


def edit_archive(role: str, edit: Callable[[Path], Any], sealed: bool = False) -> Callable[[Path, Path], None]:
    """Changes an archive's file. `sealed` makes the manifest agree, as an attacker who can write both would."""

    def change(manifest: Path, dist: Path) -> None:
        data = json.loads(manifest.read_text(encoding="utf-8"))
        path = dist / data["archives"][role]["file"]
        edit(path)
        if sealed:
            import hashlib

            data["archives"][role]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            data["archives"][role]["size"] = path.stat().st_size
            data["digest"] = manifests.digest(data)
            manifest.write_bytes(readable_json(data))

    return change


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def climb_out(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("../../escaped"))


MANIFESTS: dict[str, tuple[Callable[[Path, Path], Any], list[str]]] = {
    "no manifest": (lambda manifest, dist: manifest.unlink(), ["no manifest", "doit"]),
    "not JSON": (lambda manifest, dist: manifest.write_text("{"), [DEFAULT]),
    "not an object": (lambda manifest, dist: manifest.write_text("[]"), [DEFAULT]),
    "a newer schema": (edit_manifest(lambda data: data.update(schema_version=3)), ["3", "newer"]),
    "an unknown field": (edit_manifest(lambda data: data.update(colour="red")), ["colour"]),
    "a missing field": (edit_manifest(lambda data: data.pop("model")), ["model"]),
    "a wrong type": (edit_manifest(lambda data: data["variant"].update(kv_cache="yes")), ["kv_cache"]),
    "changed after it was built": (
        edit_manifest(lambda data: data["model"].update(eos_id=2), sealed=False),
        ["digest"],
    ),
    "functions that are not there": (edit_manifest(lambda data: data["functions"].clear()), ["functions"]),
    "another machine": (
        edit_manifest(lambda data: data["target"].update(triple="riscv64-linux-gnu")),
        ["riscv64-linux-gnu"],
    ),
    "a CPU that this is not": (edit_manifest(lambda data: data["target"].update(features=["amx-9"])), ["amx-9"]),
    "objects for an app's linker": (edit_manifest(lambda data: data["target"].update(package="objects")), ["link"]),
    "no library archive": (lambda manifest, dist: [path.unlink() for path in dist.glob(f"{DEFAULT}-*")], [DEFAULT]),
    "no weights archive": (lambda manifest, dist: [path.unlink() for path in dist.glob("*weights*")], ["weights"]),
    "a bit of the library flipped": (edit_archive("library", flip_a_bit), [DEFAULT, "SHA-256"]),
    "a bit of the weights flipped": (edit_archive("weights", flip_a_bit), ["weights", "SHA-256"]),
    "a short archive": (edit_archive("weights", lambda path: path.write_bytes(path.read_bytes()[:-512])), ["weights"]),
    "an archive that is no tar": (
        edit_archive("library", lambda path: path.write_bytes(b"no tar"), sealed=True),
        ["tar"],
    ),
    "an archive that climbs out": (edit_archive("library", climb_out, sealed=True), ["escaped"]),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_wrong_manifest_or_archive_is_refused(built: Tree, tmp_path: Path, case: str) -> None:
    change, words = MANIFESTS[case]
    shutil.copytree(built.root / "manifests", tmp_path / "app" / "manifests")
    shutil.copytree(built.root / "dist", tmp_path / "app" / "dist")
    manifest = tmp_path / "app" / "manifests" / f"{DEFAULT}.json"
    change(manifest, tmp_path / "app" / "dist")
    here = Tree(built.root, tmp_path / "cache")
    result = here.g2p("pronounce", "--manifest", str(manifest), "--lang", "eng-us", "knight")
    assert result.returncode == 2
    line = one_line(result.stderr)
    assert all(word in line for word in words), line
    assert result.stdout == ""
    assert not list((tmp_path / "cache").rglob("*.so"))
    assert not (tmp_path / "escaped").exists()


# --- words ------------------------------------------------------------------------------------------------------------

WORDS: list[tuple[list[str], str | None, list[str]]] = [
    (["--lang", "eng", "knight"], None, ["eng", "eng-us"]),
    (["--lang", "", "knight"], None, ["language"]),
    (["--lang", "eng-us", ""], None, ["empty"]),
    (["--lang", "eng-us", "  "], None, ["empty"]),
    (["--lang", "eng-us", "a\tb"], None, ["control"]),
    (["--lang", "eng-us", "a" * 60], None, ["60", "64"]),
    (["--lang", "tha", "ก" * 30], None, ["64"]),
    (["--lang", "eng-us"], "knight\n\x07\n", ["control"]),
]


@pytest.mark.parametrize(("arguments", "stdin", "words"), WORDS)
def test_a_wrong_word_is_refused(built: Tree, arguments: list[str], stdin: str | None, words: list[str]) -> None:
    result = built.g2p("pronounce", *arguments, stdin=stdin)
    assert result.returncode == 2
    line = one_line(result.stderr)
    assert all(word in line for word in words), line
