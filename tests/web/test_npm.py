"""`doit npm`: an npm package of a variant, installed into an empty project, and used there and in a page."""

import gzip
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import DEFAULT, ROOT, Tree, copy_tree
from test_bundlers import PAGE, folder_served
from test_web import HERE
from tools import NODE, deno, needs_node, npm_tools

from g2p_build.errors import BuildError
from g2p_build.products.npm import KINDS, write_npm_package
from g2p_build.store.workspace import Workspace

MOST = 3_900_000  # bytes that a page may download, compressed, with int8 weights
BUNDLERS = ("vite@8.4.0", "webpack@5.113.0", "webpack-cli@7.3.1")
BOTH = """import { load } from "g2p-embedded";
import { load as loadInWorker } from "g2p-embedded/worker";
globalThis.said = Promise.all([load(), loadInWorker()]).then(async ([direct, model]) => [
  direct.pronounce(["knight"], "eng-us"),
  await model.pronounce(["tie"], "fin"),
]);
"""
OVERRIDES = ("target=wasm", "dtype=int8", "draft=off")
VARIANT = "embedded-wasm-b1-i64-o128-int8-kv-nodraft"


@pytest.fixture(scope="module")
def tree(ported: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return copy_tree(tmp_path_factory.mktemp("npm") / "tree", ported.cache, ported.root)


def made(tree: Tree, *words: str) -> dict[str, Any]:
    result = tree.doit("npm", "--json", *(words or OVERRIDES))
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def package(tree: Tree) -> Path:
    return Path(made(tree)["package"])


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
    assert [path.name for path in (folder / "node_modules").iterdir() if path.name[0] != "."] == ["g2p-embedded"]
    for file in ("installed.mjs", "installed.ts"):
        shutil.copyfile(HERE / file, folder / file)
    return folder


def used(project: Path, *program: str | Path, env: Mapping[str, str] = {}) -> None:
    """Runs a script that uses the package in every way, and says what must come out."""
    command = [*program, "installed.mjs"]
    ran = subprocess.run(command, cwd=project, env=os.environ | env, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    size = (project / "node_modules" / "g2p-embedded" / "weights.tar").stat().st_size
    whole = {"loaded": size, "total": size}
    assert found["direct"] == found["served"] == found["core"] == ["ˈnaɪt"]
    assert (found["told"], found["came"], found["toldInWorker"]) == ([whole], [True, True, whole], True)
    assert found["languages"] == ["eng-us", "fin", "spa-latin", "swa", "tha", "vie-n"]
    assert all(found[name] for name in ("results", "best", "pronounced", "text", "streamed")), found
    assert (found["waited"], found["waitedEnd"]) == (["ˈtie"], "no more")
    assert found["code"] == "eng-us"
    assert found["own"] == [["x", "y"], ["z"]]
    assert (found["stopped"], found["next"], found["soon"]) == (["enough"] * 2, ["ˈdeɪ"], True)
    invalid = ["G2P_INVALID_ARGUMENT", None]
    assert "time" in found["refused"].pop("a signal that comes")
    assert found["refused"] == {
        "no page": ["G2P_NO_FILE", None],
        "a page": ["G2P_NO_FILE", None],
        "another file": ["G2P_WRONG_DIGEST", None],
        "progress that throws": "from progress",
    }
    assert found["mistakes"] == {
        "no file": ["G2P_NO_FILE", None],
        "a signal that was given": "stopped",
        "a misspelt option": invalid,
        "a word that is wrong": ["G2P_EMPTY_WORD", 9],
        "a number of languages": invalid,
        "no list": invalid,
        "a function": invalid,
        "a language": ["G2P_UNKNOWN_LANGUAGE", None],
    }
    assert found["closed"] == [invalid] * 2


@needs_node
def test_an_empty_project_installs_it_and_node_uses_it(project: Path) -> None:
    used(project, str(NODE))


@pytest.mark.long
def test_deno_uses_it(project: Path, tmp_path: Path) -> None:
    used(project, *deno(tmp_path), env={"DENO_DIR": str(tmp_path / "kept")})


def test_the_types_describe_it(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    options = ["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext"]
    command = [npm_tools(tmp_path_factory) / "node_modules/.bin/tsc", *options, "installed.ts"]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium")
def test_the_page_is_small_works_offline_and_keeps_one_builds_weights(
    package: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site, tools = tmp_path / "site", npm_tools(tmp_path_factory)
    shutil.copytree(ROOT / "examples" / "web", site)
    with tarfile.open(package) as opened:
        opened.extractall(site, filter="data")
        weights = json.loads(opened.extractfile("package/variant.mjs").read().split(b"=")[2].rstrip(b";\n"))  # type: ignore[union-attr]
    shutil.copyfile(HERE / "page.mjs", tools / "page.mjs")
    command = [NODE, tools / "page.mjs", site, str(shutil.which("chromium")), tmp_path / "page.png"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    first, typed, capitals, refused, sentence = found["shown"]
    assert (first[0], typed[0], capitals[0], refused[0]) == ("ˈnaɪt", "ˈyhdysˌkuntɑ", "ˈyhdysˌkuntɑ ", "знак")
    for said in (first[1], typed[1], capitals[1], found["offline"][1], found["mended"][1]):
        assert said.startswith("by the model, ") and said.endswith(" ms")
    assert "is not in the alphabet of fin" in refused[1]
    assert sentence[0] == "ˈtɑlo, 2 ˈtɑloɑ!" and sentence[1].startswith("2 words, ")
    assert found["offline"][0] == found["mended"][0] == "ˈnaɪt"
    assert found["kept"] == [[f"https://weights.invalid/{weights['sha256']}"]] * 2
    assert found["logged"] == []
    assert found["downloaded"] < MOST
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium")
def test_bundlers_take_it_with_its_worker(
    package: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (tmp_path / "package.json").write_text('{"name": "app", "private": true, "type": "module"}\n')
    command = ["npm", "install", "--no-audit", "--no-fund", package, *BUNDLERS]
    if subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300).returncode:
        pytest.skip("npm installs nothing here")
    (tmp_path / "main.js").write_text(BOTH, encoding="utf-8")
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    shutil.copyfile(HERE / "said.mjs", npm_tools(tmp_path_factory) / "said.mjs")
    vite = ["node_modules/vite/bin/vite.js", "build", "--outDir", "made/vite"]
    webpack = ["node_modules/webpack-cli/bin/cli.js", "--mode", "production", "--entry", "./main.js"]
    for name, bundler in (("vite", vite), ("webpack", [*webpack, "--output-path", "made/webpack"])):
        ran = subprocess.run([str(NODE), *bundler], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0 and "Critical dependency" not in ran.stdout, ran.stdout + ran.stderr
        if name == "webpack":
            shutil.copyfile(tmp_path / "index.html", tmp_path / "made" / name / "index.html")
        with folder_served(tmp_path / "made" / name) as url:
            said = [NODE, npm_tools(tmp_path_factory) / "said.mjs", url, str(shutil.which("chromium"))]
            found = subprocess.run(said, capture_output=True, text=True, timeout=60)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout) == [["ˈnaɪt"], ["ˈtie"]]


def test_the_same_variant_gives_the_same_bytes_as_npm_would_pack_them(
    tree: Tree, package: Path, ported: Tree, tmp_path: Path
) -> None:
    before = package.read_bytes()
    assert Path(made(tree)["package"]) == package and package.read_bytes() == before
    other = copy_tree(tmp_path / "another" / "tree", ported.cache, ported.root)
    assert Path(made(other)["package"]).read_bytes() == before
    with tarfile.open(package) as opened:
        assert {(entry.mtime, entry.mode, entry.uid, entry.uname) for entry in opened} == {(499162500, 0o644, 0, "")}
        names = [entry.name for entry in opened]
        opened.extractall(tmp_path, filter="data")
    if shutil.which("npm"):
        packed = subprocess.run(
            ["npm", "pack", "--dry-run", "--json"], cwd=tmp_path / "package", capture_output=True, check=True
        )
        [would] = json.loads(packed.stdout)
        assert sorted(f"package/{file['path']}" for file in would["files"]) == sorted(names)
        assert would["filename"] == package.name


def test_its_package_json_says_what_is_in_it(tree: Tree, package: Path) -> None:
    manifest = json.loads((tree.root / "manifests" / f"{VARIANT}.json").read_bytes())
    with tarfile.open(package) as opened:
        files = {entry.name.removeprefix("package/"): opened.extractfile(entry).read() for entry in opened}  # type: ignore[union-attr]
    described = json.loads(files.pop("package.json"))
    assert described["name"] == "g2p-embedded" and described["license"] == "Apache-2.0"
    assert described["version"].partition("+")[2] == manifest["digest"][:8]
    assert described["g2p"] == {"variant": VARIANT, "digest": manifest["digest"]}
    assert described["files"] == sorted(files)
    assert {"LICENSE", "NOTICE", "LEXICON-NOTICE", "README.md"} <= set(files)
    entries = described["exports"].values()
    places = {place for entry in entries for place in (entry.values() if isinstance(entry, dict) else [entry])}
    assert {place.removeprefix("./") for place in places} - {"package.json"} <= set(files)
    loaded = {*KINDS["g2p"].loaded, max(KINDS["g2p"].modules, key=lambda name: len(files[name]))}
    page = sum(len(gzip.compress(files[name], 6, mtime=0)) for name in loaded)
    assert made(tree)["page_bytes"] == pytest.approx(page, rel=1e-3) and page < MOST  # as they are read: in pieces


def test_what_is_no_module_is_refused(tree: Tree) -> None:
    refused = tree.doit("npm")
    assert refused.returncode == 1
    reason = f"{DEFAULT} has target.package=shared: an npm package holds a module (target=wasm)"
    assert [line for line in refused.stderr.splitlines() if reason in line] == [refused.stderr.splitlines()[-1]]
    with pytest.raises(BuildError, match=r"manifests/other\.json is missing or damaged: compile other first"):
        write_npm_package(Workspace(tree.cache, tree.root), "other")


def test_an_old_package_goes_when_it_is_replaced_and_with_its_variant(tree: Tree, tmp_path: Path) -> None:
    other = copy_tree(tmp_path / "tree", tree.cache, tree.root)
    first = Path(made(other)["package"])
    foreign, drafted = (
        first.with_name("g2p-embedded-2.0.tgz"),
        Path(made(other, "target=wasm", "dtype=int8")["package"]),
    )
    foreign.write_bytes(b"no package")
    older = first.with_name(first.name.replace("+", "+0ld"))
    older.write_bytes(first.read_bytes())
    assert Path(made(other)["package"]) == first and not older.exists() and foreign.exists() and drafted.exists()
    assert other.doit("clean", "target=wasm", "dtype=int8").returncode == 0
    assert not drafted.exists() and first.exists()
