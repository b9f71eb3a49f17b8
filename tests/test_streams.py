"""Commands × what becomes of their streams: never a traceback, and the exit status that is documented."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT, SMALL, Tree, Undisturbed, copy_tree, products
from stages.small_checkpoints import checkpoint, write

DOIT = [sys.executable, "-m", "doit"]
OTHER_MAIN = [sys.executable, "-c", "import sys; from tasks.main import main; sys.exit(main())"]
HYDRA = [sys.executable, "-m", "g2p_build"]

# Command → its exit status where all is well. Then: where standard output is full; where it is closed.
COMMANDS: dict[tuple[str, ...], tuple[int, int, int]] = {
    (*DOIT, "list", "--all"): (0, 2, 3),
    (*DOIT, "help"): (0, 2, 0),
    (*DOIT, "help", "compile"): (0, 2, 0),
    (*DOIT, "info", "compile"): (1, 2, 3),  # doit's own way to say that something is to do
    (*DOIT, "--version"): (0, 2, 0),
    (*DOIT, "tabcompletion"): (0, 2, 0),
    (*DOIT, "dumpdb"): (3, 3, 3),
    (*DOIT, "forget"): (3, 3, 3),
    (*DOIT, "no-such-task"): (3, 3, 3),
    (*DOIT, "compile", "-n", "4"): (3, 3, 3),
    (*DOIT, "-n", "4", "compile", *SMALL): (0, 0, 0),
    (*DOIT, "compile", "--json", *SMALL): (0, 2, 0),
    (*DOIT, "variants"): (0, 2, 0),
    (*DOIT, "variants", "--json"): (0, 2, 0),
    (*DOIT, "why", *SMALL): (0, 2, 0),
    (*DOIT, "manifests"): (0, 2, 0),
    (*DOIT, "gc"): (0, 2, 0),
    (*DOIT, "clean", "target=android"): (0, 2, 3),
    (*OTHER_MAIN, "list"): (0, 2, 3),
    (*OTHER_MAIN, "dumpdb"): (3, 3, 3),
    (*HYDRA, "--cfg", "job"): (0, 2, 0),
}

FEW = (
    (*DOIT, "list", "--all"),
    (*DOIT, "variants", "--json"),
    (*DOIT, "compile", "--json", *SMALL),
    (*OTHER_MAIN, "list"),
)

# Condition → what the shell makes of a command, and which of the three statuses is right.
CONDITIONS = {
    "as usual": ('"$@"', 0),
    "full": ('"$@" > /dev/full', 1),
    "errors full": ('"$@" 2> /dev/full', 0),
    "closed": ('"$@" >&-', 2),
    "errors closed": ('"$@" 2>&-', 0),
    "all closed": ('"$@" <&- >&- 2>&-', 2),
    "no input": ('"$@" <&-', 0),
    "ASCII": ('PYTHONIOENCODING=ascii "$@"', 0),
    "Latin-1": ('PYTHONIOENCODING=latin-1 "$@"', 0),
    "the C locale": ('LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 "$@"', 0),
}


def test_commands_that_are_not_tasks_have_the_same_guard() -> None:
    for module in ("g2p_build.training", "g2p_build.training.appraise", "bench.build", "bench.web"):
        for how, status in (("full", 2), ("closed", 0), ("all closed", 0), ("ASCII", 0)):
            shell = ["bash", "-c", CONDITIONS[how][0], "bash", sys.executable, "-m", module, "--help"]
            result = subprocess.run(shell, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            assert (result.returncode, "Traceback" in result.stderr) == (status, False), (module, how, result.stderr)


@pytest.fixture(scope="module")
def tree(undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    folder = tmp_path_factory.mktemp("streams")
    tree = undisturbed.cache_for(copy_tree(folder / "tree", folder / "cache"))
    shutil.copy(ROOT / "pyproject.toml", tree.root)
    tree.compiled(*SMALL)
    return tree


def run(tree: Tree, command: Sequence[str], how: str) -> subprocess.CompletedProcess[bytes]:
    shell = ["bash", "-c", how, "bash", *command]
    return subprocess.run(shell, cwd=tree.root, env=tree.env, stdin=subprocess.DEVNULL, capture_output=True)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_command_ends_as_documented(tree: Tree, condition: str) -> None:
    how, which = CONDITIONS[condition]
    commands = list(COMMANDS if condition in ("full", "closed", "all closed", "ASCII") else FEW)
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda command: run(tree, command, how), commands))
    for command, result in zip(commands, ended, strict=True):
        said = (result.stdout + result.stderr).decode(errors="replace")
        assert "Traceback" not in said and "Exception ignored" not in said, (command, said)
        assert result.returncode == COMMANDS[command][which], (command, result.returncode, said)
        lines = result.stderr.decode(errors="replace").splitlines()
        if result.returncode > 1 and "errors" not in condition and "all" not in condition:
            assert sum(line.startswith("ERROR") for line in lines) == 1, (command, lines)


def test_a_reader_may_leave(tree: Tree) -> None:
    for command in [(*DOIT, "list", "--all"), (*DOIT, "why", "--json", *SMALL), (*DOIT, "help")]:
        read, write_end = os.pipe()
        os.close(read)
        result = subprocess.run(command, cwd=tree.root, env=tree.env, stdout=write_end, stderr=subprocess.PIPE)
        os.close(write_end)
        assert (result.returncode, result.stderr) == (0, b"")


def test_json_is_json_in_every_encoding(tree: Tree) -> None:
    command = [*DOIT, "variants", "--json", "checkpoint.prompt='{lang}→😀 {word}'"]
    for how in (CONDITIONS["as usual"][0], CONDITIONS["ASCII"][0], CONDITIONS["Latin-1"][0]):
        row = json.loads(run(tree, command, how).stdout)
        assert row["checkpoint"]["prompt"] == "{lang}→😀 {word}"


def test_a_build_goes_on_when_nobody_can_be_told(undisturbed: Undisturbed, tmp_path: Path) -> None:
    for number, how in enumerate(('"$@" > /dev/full', '"$@" > /dev/full 2> /dev/full', '"$@" <&- >&- 2>&-')):
        copy = copy_tree(tmp_path / f"tree{number}", tmp_path / f"cache{number}")
        shutil.copytree(undisturbed.tree.cache, copy.cache)
        run(copy, [*DOIT, "compile", "--json", *SMALL], how)
        assert products(copy) == undisturbed.products


def test_paths_that_are_not_utf_8(undisturbed: Undisturbed, tmp_path: Path) -> None:
    place = Path(os.fsdecode(os.fsencode(tmp_path) + b"/od\xffd \xe9"))
    place.mkdir()
    mine = write(place / "mine", *checkpoint(num_layers=1))
    words = place / "words" / "xx.tsv"
    words.parent.mkdir()
    words.write_text("a\tx\n", encoding="utf-8")
    tree = copy_tree(place / "tree", place / "cache")
    assert "publish" in tree.compiled(*SMALL)
    assert products(tree) == undisturbed.products
    given = ["checkpoint=path", f"checkpoint.path='{mine}'", "max_lens=short", f"lexicon='{words}'"]
    assert tree.doit("checkpoint", *given).returncode == 0
    said = tree.compiled(*SMALL, f"lexicon='{words}'", "--profile", str(place / "trace.json"))
    assert "publish" in said
    assert (place / "trace.json").is_file()
    result = tree.doit("why", *SMALL, f"lexicon='{words}'")  # what was noted is found again
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "nothing would run"
    rows = [json.loads(line) for line in tree.doit("manifests", "--json").stdout.splitlines()]
    assert [row["state"] for row in rows] == ["current", "current"] and all(row["overrides"] for row in rows)
    assert str(words) in " ".join(rows[0]["overrides"] + rows[1]["overrides"])
    words.write_text("a\n", encoding="utf-8")
    result = tree.doit("lexicon", *given)
    [line] = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
    assert "xx.tsv:1" in line and "/proc/" not in line
    result = tree.g2p("pronounce", "--lang", "eng-us", "a")
    assert "Traceback" not in result.stderr
