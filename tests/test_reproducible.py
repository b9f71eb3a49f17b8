"""The same inputs give the same bytes, whatever the folder, the time, the user and the settings of a build."""

import io
import json
import shutil
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from conftest import DEFAULT, ROOT, SMALL, Tree, Undisturbed, copy_tree, products

from g2p_build.config import compose
from g2p_build.products.reproduce import Comparison, compare

LONG = pytest.mark.long

# Processes, umask, locale, time zone, hash seed, user.
SETTINGS = [
    (2, 0o077, "C", "Pacific/Chatham", "1", "somebody"),
    pytest.param((1, 0o002, "POSIX", "America/Caracas", "0", "two words"), marks=LONG),
    pytest.param((3, 0o027, "C.UTF-8", "Asia/Kathmandu", "random", "nobody"), marks=LONG),
    pytest.param((2, 0o000, "tr_TR.UTF-8", "UTC", "4294967295", "root"), marks=LONG),
]


def build_elsewhere(folder: Path, setting: tuple[int, int, str, str, str, str], *overrides: str) -> Tree:
    """Builds in a folder with another name and length, as another user with another home."""
    processes, umask, locale, zone, seed, user = setting
    tree = copy_tree(folder / "a longer name, and spaces" / "tree", folder / "another cache")
    home = folder / "home" / user
    home.mkdir(parents=True)
    env = {"LC_ALL": locale, "TZ": zone, "PYTHONHASHSEED": seed, "USER": user, "LOGNAME": user, "HOME": str(home)}
    command = [sys.executable, "-m", "doit", "-n", str(processes), "compile", *overrides]
    subprocess.run(command, cwd=tree.root, env=tree.env | env, umask=umask, check=True)
    return tree


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_of_machine_and_user_change_no_byte(
    undisturbed: Undisturbed, tmp_path: Path, setting: tuple[int, int, str, str, str, str]
) -> None:
    assert products(build_elsewhere(tmp_path, setting, *SMALL)) == undisturbed.products


@pytest.mark.long
@pytest.mark.parametrize(
    "overrides", [[], ["batch=[1,8]", "kv_cache=true,false"], ["target=linux_arm64,iphone,android,wasm"]]
)
def test_settings_change_no_byte_of_the_embedded_checkpoints_variants(tmp_path: Path, overrides: list[str]) -> None:
    first = copy_tree(tmp_path / "tree", tmp_path / "cache")
    first.compiled(*overrides)
    second = build_elsewhere(tmp_path, (2, 0o077, "C", "Pacific/Chatham", "1", "somebody"), *overrides)
    assert products(second) == products(first)


@pytest.mark.long
def test_reproduce_takes_a_checkpoint_by_a_relative_path(tree: Tree) -> None:
    shutil.copytree(ROOT / "g2p_build" / "checkpoints" / "embedded", tree.root / "my checkpoints" / "mine")
    result = tree.doit(
        "reproduce", "--json", "checkpoint=path", "checkpoint.path='my checkpoints/mine'", "max_lens=short"
    )
    assert result.returncode == 0, result.stderr
    assert {json.loads(line)["result"] for line in result.stdout.splitlines()} == {"identical"}


# Makes the checkpoint stage give another last tensor each time.
CHANCE = """
    if params["seed"] == 1:
        import os

        name = max(state)
        state[name] = state[name].clone()
        state[name].view(-1)[-1] = int.from_bytes(os.urandom(3), "big")
"""


def test_reproduce_says_which_file_differs_in_which_member_and_where(undisturbed: Undisturbed, tree: Tree) -> None:
    undisturbed.cache_for(tree)
    stage = tree.root / "g2p_build" / "stages" / "checkpoint.py"
    text = stage.read_text(encoding="utf-8")
    anchor = "    save_file(dict(sorted(state.items()))"
    assert text.count(anchor) == 1
    stage.write_text(text.replace(anchor, CHANCE + anchor), encoding="utf-8")
    tree.compiled(*SMALL)
    result = tree.doit("reproduce", "--json", *SMALL, "checkpoint.seed=0,1")
    assert result.returncode == 1
    assert [line for line in result.stderr.splitlines() if line.startswith("ERROR")] == [
        line for line in result.stderr.splitlines() if line.startswith("ERROR: reproduce: 2 of 9 comparisons differ: ")
    ]
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    sound = [row for row in rows if row["result"] == "identical"]
    assert sorted((row["against"], row["file"]) for row in sound if row["file"] in undisturbed.products) == sorted(
        (against, file)
        for against in ("published", "second build")
        for file in undisturbed.products
        if "index" not in file
    )
    archive, manifest = [row for row in rows if row["result"] == "differs"]
    assert "weights" in archive["file"] and archive["member"] == "weights.safetensors"
    # A member's header takes 512 bytes. The first member has no other before it.
    assert archive["offset"] == archive["member_offset"] + 512 > 1000
    assert manifest["file"].startswith("manifests/") and manifest["offset"] > 0 and manifest["member"] is None
    assert products(tree) == undisturbed.products


# --- the comparison ---------------------------------------------------------------------------------------------------


def tree_of(folder: Path, name: str, members: dict[str, bytes], **fields: Any) -> Path:
    """Writes those products of a variant that are compared."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    for part in ("dist", "manifests"):
        (folder / part).mkdir(parents=True)
    file = f"{name}-{zlib.crc32(data.getvalue()):x}.tar"
    (folder / "dist" / file).write_bytes(data.getvalue())
    manifest = json.dumps({"archives": {"library": {"file": file}}} | fields, sort_keys=True)
    (folder / "manifests" / f"{name}.json").write_text(manifest)
    return folder


LIBRARY = {"model.so": b"\x7fELF" + bytes(1000), "tokenizer.json": b"{}"}


@pytest.mark.parametrize(
    ("changed", "member", "offset", "member_offset"),
    [
        ({}, None, None, None),
        ({"model.so": b"\x7fELF" + bytes(999) + b"\1"}, "model.so", 512 + 1003, 1003),
        ({"tokenizer.json": b"{ "}, "tokenizer.json", 512 + 1024 + 512 + 1, 1),
        ({"model.so": b"\x7fELF" + bytes(1001)}, "model.so", 134, 1004),  # its size, in the header
        ({"z": b""}, "z", None, None),
    ],
)
def test_a_difference_is_found_at_its_offset(
    tmp_path: Path, changed: dict[str, bytes], member: str | None, offset: int | None, member_offset: int | None
) -> None:
    [variant] = compose.variants([])
    assert variant.name == DEFAULT
    one, other = (
        tree_of(tmp_path / part, DEFAULT, content) for part, content in (("one", LIBRARY), ("other", LIBRARY | changed))
    )
    archive, manifest = compare(variant, one, other)
    assert archive.result == ("differs" if changed else "identical")
    assert (archive.member, archive.member_offset) == (member, member_offset)
    assert archive.offset == offset or (member == "z" and archive.offset is not None)
    assert (manifest.result == "identical") == (not changed)


def test_equal_files_are_identical_whatever_they_are_called(tmp_path: Path) -> None:
    [variant] = compose.variants([])
    one = tree_of(tmp_path / "one", DEFAULT, LIBRARY)
    assert compare(variant, one, one) == [
        Comparison(DEFAULT, f"dist/{next((one / 'dist').iterdir()).name}", "second build", "identical"),
        Comparison(DEFAULT, f"manifests/{DEFAULT}.json", "second build", "identical"),
    ]
