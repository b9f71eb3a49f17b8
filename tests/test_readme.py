"""Every command in the README and in the page of commands works as shown. The README's drawing is the graph."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import wave
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import ROOT, Tree, copy_tree

from g2p_build import graph
from g2p_build.config import compose

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LISTED = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
COMMANDS = list(
    dict.fromkeys(
        line.partition(" #")[0].strip()
        for block in re.findall(r"^```sh\n(.*?)^```$", README + LISTED, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    )
)


@pytest.fixture(scope="module")
def tree(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = copy_tree(tmp_path_factory.mktemp("readme") / "tree", built.cache, built.root)
    for part in ("Makefile", "requirements.lock", "pyproject.toml", "examples"):
        subprocess.run(["cp", "-r", ROOT / part, tree.root], check=True)
    # `make` would make an environment. The tests use the one that they run in.
    (tree.root / ".venv").symlink_to(sys.prefix)
    return tree


def shell(tree: Tree, command: str) -> subprocess.CompletedProcess[str]:
    env = tree.env | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", command], cwd=tree.root, env=env, capture_output=True, text=True)


def test_there_are_commands_to_run() -> None:
    assert {"make demo", "make test", "doit", "doit compile target=iphone"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("make ")])
def test_a_command_works(tree: Tree, command: str) -> None:
    if command.startswith(("g2p ", "python examples/")):
        assert shell(tree, "doit").returncode == 0
    if command.startswith("doit aar ") and not (shutil.which("kotlinc") or "KOTLIN_HOME" in os.environ):
        pytest.skip("no kotlinc on PATH, and no KOTLIN_HOME")
    result = shell(tree, command)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


def test_the_page_of_commands_has_every_task(tree: Tree) -> None:
    [variant] = compose.variants()
    stages = {node.stage for node in graph.nodes(variant).values()}
    tasks = {line.split()[0] for line in shell(tree, "doit list").stdout.splitlines()} - stages
    assert {"compile", "why"} <= tasks
    assert [task for task in sorted(tasks) if f"doit {task}" not in LISTED] == []


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 120


def drawn() -> set[tuple[str, str]]:
    """The arrows of the README's drawing."""
    [block] = [block for language, block in BLOCKS if language == "mermaid"]
    chains = [re.split(r" (?:-->|-\.->) ", line.strip()) for line in block.splitlines()[1:]]
    return {
        (start, end)
        for chain in chains
        for starts, ends in pairwise(chain)
        for start in starts.split(" & ")
        for end in ends.split(" & ")
    }


def test_the_readmes_drawing_is_the_graph() -> None:
    [variant] = compose.variants()
    nodes = graph.nodes(variant)
    roles = {node: role for role, node in nodes.items()}
    arrows = {(roles[writer], role) for role, node in nodes.items() for writer, _ in node.inputs.values()}
    assert drawn() == arrows


def test_make_demo_pronounces_what_the_readme_says(tree: Tree) -> None:
    result = shell(tree, "make --old-file=.venv/.ready demo")
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stdout.splitlines() if "\t" in line]
    assert len(said) == 9
    [shown] = [block for language, block in BLOCKS if language == "text"]
    assert said == [line for line in shown.splitlines() if "\t" in line]


def test_make_demo_speech_speaks_what_is_typed(built: Tree, speech: Tree, tmp_path: Path) -> None:
    """With a small model of random weights in place of the packaged one, which is 66 MB to download."""
    tree = copy_tree(tmp_path / "tree", tmp_path / "cache")
    for cache in (built.cache, speech.cache):
        shutil.copytree(cache, tree.cache, dirs_exist_ok=True)
    shutil.copy(ROOT / "Makefile", tree.root)
    (tree.root / ".venv").symlink_to(sys.prefix)
    make = "make --old-file=.venv/.ready demo-speech SPEAKER=kokoro_small VOICE=first"
    seconds = []
    for text in ("Hi", 'Isn\'t it said "quickly", on your own machine?'):
        result = shell(tree, f"{make} TEXT={shlex.quote(text)}")
        assert result.returncode == 0, result.stderr
        with wave.open(str(tree.root / "build" / "demo.wav")) as sound:
            seconds.append(sound.getnframes() / sound.getframerate())
        assert f"build/demo.wav: {seconds[-1]:.2f} s of sound" in result.stdout
    assert 0 < seconds[0] < seconds[1] / 3


def test_make_test_checks_style_types_and_behaviour() -> None:
    plan = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(
        tool in plan
        for tool in ("ruff check", "ruff format --check", "clang-format --dry-run --Werror", "mypy", "pytest")
    )


def test_the_python_of_the_readme_works(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = [block for language, block in BLOCKS if language == "python"]
    results = re.findall(r"# (\[.*\])$", code, re.MULTILINE)
    assert results
    assert shell(tree, "doit").returncode == 0
    code = code.replace("g2p([", "print(g2p([").replace('lang="eng-us")', 'lang="eng-us"))')
    result = subprocess.run([sys.executable, "-c", code], cwd=tree.root, env=tree.env, capture_output=True, text=True)
    assert result.stdout.strip() == results[0].replace('"', "'"), result.stderr
