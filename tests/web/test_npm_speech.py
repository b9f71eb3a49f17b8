"""`doit npm` of a speech variant: installed into an empty project, used there and in a page that plays its sound."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, WEB_SPEECH, Tree, copy_tree
from test_npm import made, tree
from test_npm import package as words
from test_web import HERE
from tools import NODE, deno, needs_node, npm_tools

__all__ = ["tree", "words"]  # fixtures


@pytest.fixture(scope="module")
def published(spoken: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree that the package is made in."""
    return copy_tree(tmp_path_factory.mktemp("npm_speech") / "tree", spoken.cache, spoken.root)


@pytest.fixture(scope="module")
def package(published: Tree) -> Path:
    return Path(made(published, "checkpoint=kokoro_small", "target=wasm")["package"])


@pytest.fixture(scope="module")
def project(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has installed the package, without a network, and nothing else."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")
    folder = tmp_path_factory.mktemp("project")
    (folder / "package.json").write_text('{"name": "app", "private": true, "type": "module"}\n')
    command = ["npm", "install", "--offline", "--no-audit", "--no-fund", package]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert installed.returncode == 0, installed.stderr
    for file in ("installed_speech.mjs", "installed_speech.ts"):
        shutil.copyfile(HERE / file, folder / file)
    return folder


def used(project: Path, *program: str, env: Mapping[str, str] = {}) -> None:
    """Runs a script that uses the package in every way, and says what must come out."""
    command = [*program, "installed_speech.mjs"]
    ran = subprocess.run(command, cwd=project, env=os.environ | env, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert (found["told"], found["served"], found["toldInWorker"]) == ([2, True], 1, True)
    assert found["facts"] == [["first", "second"], 24_000, "float32"]
    assert (found["sound"], found["same"], found["read"]) == (True, [True] * 3, "hˈI")
    assert (found["order"], found["timed"], found["both"]) == ([True, True], True, True)
    assert (found["stopped"], found["heard"], found["next"], found["soon"]) == ("enough", 2, True, True)
    assert found["left"]  # the file that hangs, when the other one was wrong
    invalid = ["G2P_INVALID_ARGUMENT", None]
    assert found["refused"] == {
        "phoneme": ["G2P_UNKNOWN_PHONEME", 2],
        "voice": ["G2P_UNKNOWN_VOICE", None],
        "nobody": invalid,
        "option": invalid,
        "load": invalid,
        "file": ["G2P_NO_FILE", None],
        "page": ["G2P_NO_FILE", None],
        "other": ["G2P_WRONG_DIGEST", None],
        "both": ["G2P_WRONG_DIGEST", None],
        "signal": "no",
        "progress": "from progress",
    }
    assert found["closed"] == [invalid] * 2


@needs_node
def test_an_empty_project_installs_it_and_node_speaks_with_it(project: Path) -> None:
    used(project, str(NODE))


@pytest.mark.long
def test_deno_speaks_with_it(project: Path, tmp_path: Path) -> None:
    used(project, *deno(tmp_path), env={"DENO_DIR": str(tmp_path / "kept")})


def test_the_types_describe_it(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    options = ["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext"]
    command = [npm_tools(tmp_path_factory) / "node_modules/.bin/tsc", *options, "installed_speech.ts"]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium")
def test_a_page_plays_what_it_speaks(
    package: Path, words: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site, tools = tmp_path / "site", npm_tools(tmp_path_factory)
    shutil.copytree(ROOT / "examples" / "speech", site)
    for name, archive in (("g2p", words), ("tts", package)):
        with tarfile.open(archive) as opened:
            opened.extractall(site / name, filter="data")
    shutil.copyfile(HERE / "speech_page.mjs", tools / "speech_page.mjs")
    command = [NODE, tools / "speech_page.mjs", site, str(shutil.which("chromium")), tmp_path / "page.png"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["phonemes"].startswith("hɛlˈO, wˈɜɹld.") and found["phonemes"].endswith("?")
    assert " s of sound in " in found["status"] and found["loudest"] > 0.001
    assert found["refused"].endswith("write it out in words") and found["button"] == "Speak"
    assert found["logged"] == []
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_its_package_json_says_what_is_in_it_and_the_bytes_are_the_same(published: Tree, package: Path) -> None:
    before = package.read_bytes()
    again = made(published, "checkpoint=kokoro_small", "target=wasm")
    assert (again["package"], again["name"]) == (str(package), "tts-kokoro-small") and package.read_bytes() == before
    manifest: dict[str, Any] = json.loads((published.root / "manifests" / f"{WEB_SPEECH}.json").read_bytes())
    with tarfile.open(package) as opened:
        files = {entry.name.removeprefix("package/"): opened.extractfile(entry).read() for entry in opened}  # type: ignore[union-attr]
    described = json.loads(files.pop("package.json"))
    assert described["g2p"] == {"variant": WEB_SPEECH, "digest": manifest["digest"]}
    assert described["files"] == sorted(files)
    entries = described["exports"].values()
    places = {place for entry in entries for place in (entry.values() if isinstance(entry, dict) else [entry])}
    assert {place.removeprefix("./") for place in places} - {"package.json"} <= set(files)
    readme = files["README.md"].decode()
    assert "Voices: first, second." in readme and "eng-us, spa-latin" in readme
