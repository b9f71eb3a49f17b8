"""`doit bench accuracy …`: who takes part, what is measured, and what becomes of those that cannot."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import ROOT, Tree, copy_tree

from bench.accuracy import contenders
from bench.accuracy.command import measure
from bench.accuracy.contender import CannotRun, Contender, Opened, Say
from bench.accuracy.engines import espeak, phonetisaurus
from bench.accuracy.engines.program import ask
from bench.accuracy.words import Language
from g2p_build.errors import BuildError

KNOWN = [("ala", ("ala",)), ("elo", ("elo", "elu")), ("on", ("on",))]
FIN = Language("fin", KNOWN, KNOWN, KNOWN[:2], {"ala": 0.3, "elo": 0.1})


def says(answers: Sequence[str]) -> Opened:
    return Opened(lambda words: list(answers[: len(words)]), lambda words: 2.0, 10, 20)


def cannot(language: Language, say: Say) -> Opened:
    raise CannotRun("not installed: it is a package")


def test_each_contender_has_its_rates_and_one_that_cannot_run_says_why() -> None:
    said: list[str] = []
    table = [
        Contender("good", "", "MIT", lambda language, say: says(["ala", "elu", "on"])),
        Contender("gone", "", "MIT", cannot),
        Contender("other", "", "MIT", lambda language, say: says(["ˈɑlɑ", "x", "ŋ"]), dictionary_notation=False),
    ]
    good, gone, other = measure(FIN, table, 3, said.append)
    assert good["exact"] == good["coarse"] == {"per": 0.0, "wer": 0.0, "running_text": 0.0}
    assert good["ms"] == {"median": 2.0, "low": 2.0, "high": 2.0}
    assert (good["data_bytes"], good["program_bytes"], good["failed"]) == (10, 20, None)
    assert gone == {
        "language": "fin",
        "contender": "gone",
        "licence": "MIT",
        "failed": "not installed: it is a package",
    }
    assert other["exact"] is None
    assert other["coarse"] == {"per": 0.5, "wer": 0.66667, "running_text": 0.25}
    assert [line.split(": ")[1] for line in said] == ["good", "gone", "other"]


def test_a_name_means_its_variants_too_and_a_wrong_one_is_one_line() -> None:
    table = [Contender(name, "", "", cannot) for name in ("ours-float32", "ours-float32+lexicon", "beam-4")]
    assert [one.name for one in contenders.chosen(table, ("beam",))] == ["beam-4"]
    assert contenders.chosen(table, ("ours",)) == contenders.chosen(table, ("ours-float32",)) == table[:2]
    with pytest.raises(BuildError, match=r"^unknown contender 'baem-4': did you mean beam-4\?$"):
        contenders.chosen(table, ("baem-4",))


def test_a_program_is_timed_from_its_first_answer_to_its_last() -> None:
    # The start takes longer than all answers. A busy machine may read the first one late.
    slow = "import sys, time; time.sleep(2); [(print(x, end='', flush=True), time.sleep(.4)) for x in sys.stdin]"
    answer = ask([sys.executable, "-c", slow], ["a", "ö", "c"])
    assert answer.lines == ["a", "ö", "c"]
    assert 100 <= answer.ms < 1300


def test_a_program_that_fails_says_its_last_line() -> None:
    with pytest.raises(CannotRun, match=r" failed: no model$"):
        ask([sys.executable, "-c", "import sys; sys.exit('no model')"], ["a"])


def test_espeak_is_missing_or_writes_another_notation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CannotRun, match="not installed: it is the Debian package espeak-ng"):
        espeak.opened(FIN, print)
    with pytest.raises(CannotRun, match="its notation of tha is another one"):
        espeak.opened(Language("tha", [], [], [], {}), print)


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeak_pronounces() -> None:
    opened = espeak.opened(FIN, print)
    assert opened.pronounce(["talo"]) == ["tˈalo"]
    assert opened.ms(FIN.timed) > 0 < opened.data_bytes


STAND_IN = {
    "phonetisaurus-align": 'echo "Iteration: 1 Change: 0" >&2; cp lexicon corpus; echo aligned >> "$COUNT"',
    "estimate-ngram": '{ echo "order $2"; cat "$4"; } > arpa',
    "phonetisaurus-arpa2wfst": "cp arpa model.fst",
    "phonetisaurus-g2pfst": """while read -r word; do printf '%s\\t1.0\\tm %s\\n' "$word" "$word"; done""",
}


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of programs that take the same arguments. Returns a file with a line for each alignment."""
    package = tmp_path / "site" / "phonetisaurus"
    programs = package / "bin" / platform.machine()
    programs.mkdir(parents=True)
    (package / "__init__.py").touch()
    for name, script in STAND_IN.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    about = tmp_path / "site" / "phonetisaurus-9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: phonetisaurus\nVersion: 9\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("COUNT", str(tmp_path / "count"))
    assert importlib.metadata.version("phonetisaurus") == "9"
    return tmp_path / "count"


def test_phonetisaurus_is_trained_once_and_aligned_once_for_both_orders(stand_in: Path, tmp_path: Path) -> None:
    said: list[str] = []
    for order in (8, 4, 8):
        opened = phonetisaurus.opened(tmp_path / "cache", order, FIN, said.append)
        assert opened.pronounce(["on se", "ala"]) == ["mon␣se", "mala"]
        assert opened.ms(FIN.timed) > 0
    assert stand_in.read_text(encoding="utf-8") == "aligned\n"
    models = {path.read_text(encoding="utf-8") for path in (tmp_path / "cache" / "bench").glob("*/model.fst")}
    lexicon = "ala\ta l a\nelo\te l o\nelo\te l u\non\to n\n"
    assert models == {f"order {order}\n{lexicon}" for order in (8, 4)}
    assert said[0] == "fin: phonetisaurus: aligning letters and phonemes, round 1 of 11"
    phonetisaurus.opened(tmp_path / "cache", 8, Language("fin", KNOWN[:2], KNOWN, [], {}), said.append)
    assert stand_in.read_text(encoding="utf-8") == "aligned\n" * 2


def test_phonetisaurus_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CannotRun, match=r"^not installed: pip install 'g2p-build\[accuracy\]'$"):
        phonetisaurus.opened(tmp_path, 8, FIN, print)


@pytest.mark.skipif(importlib.util.find_spec("phonetisaurus") is None, reason="phonetisaurus is not installed")
def test_phonetisaurus_learns_what_it_is_taught(tmp_path: Path) -> None:
    taught = [(word, (word,)) for word in ("ala", "alo", "ela", "elo", "lola", "olla", "aleo", "oela", "laelo")]
    opened = phonetisaurus.opened(tmp_path, 4, Language("fin", taught, taught, [], {}), lambda line: None)
    assert opened.pronounce(["lola", "elo"]) == ["lola", "elo"]
    assert opened.data_bytes > 0 < opened.program_bytes


@pytest.fixture(scope="module")
def tree(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    copied = copy_tree(tmp_path_factory.mktemp("accuracy") / "tree", built.cache, built.root)
    shutil.copytree(ROOT / "bench", copied.root / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    (copied.root / "docs").mkdir()
    shutil.copy2(ROOT / "docs" / "accuracy.md", copied.root / "docs")
    for part in ("train", "test"):
        (copied.root / "data" / part).mkdir(parents=True)
        lines = "pigano\tpiɠano\nmie\tmie\nufifi\tx\n"
        (copied.root / "data" / part / "swa.tsv").write_text(lines, encoding="utf-8")
    return copied


def doit(tree: Tree, *words: str) -> subprocess.CompletedProcess[str]:
    env = tree.env | {"PATH": os.defpath if shutil.which("espeak-ng") is None else "/nowhere"}
    command = [sys.executable, "-m", "doit", *words]
    return subprocess.run(command, cwd=tree.root, env=env, capture_output=True, text=True)


def test_the_whole(tree: Tree) -> None:
    asked = ["--data", "data", "--rounds=1", "--hold-out=0", "--contenders=ours,beam,espeak-ng", "--json"]
    result = doit(tree, "bench", "accuracy", *asked)
    assert result.returncode == 0, result.stderr
    rows = {row["contender"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert list(rows) == ["ours-float32", "ours-float32+lexicon", "beam-4", "espeak-ng"]
    mine, known, beam, missing = rows.values()
    for row in (mine, known, beam):
        assert (row["words"], row["exact"]["wer"], row["exact"]["running_text"]) == (3, 0.33333, None)
        assert row["ms"]["median"] > 0 < row["data_bytes"]
    assert missing["failed"] == "not installed: it is the Debian package espeak-ng"
    assert "swa: ours-float32: 3 words in" in result.stderr
    assert 13_000_000 < mine["data_bytes"] < known["data_bytes"] < 16_000_000
    kept = json.loads((tree.root / "docs/benchmarks/accuracy/accuracy.json").read_bytes())
    assert kept["rows"][0] == mine and "--data DATA" in kept["command"]
    explained = (tree.root / "docs/accuracy.md").read_text(encoding="utf-8")
    assert "## PER / WER\n\n| contender | swa |" in explained


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["accuracy"], "--data FOLDER is needed"),
        (["acuracy"], "unknown benchmark 'acuracy': it is accuracy"),
        (["accuracy", "--date=x"], "the options are --data, --languages"),
        (["accuracy", "--data=data", "more"], "'more' is not an option"),
        (["accuracy", "--data=data", "--rounds=0"], "--rounds 0: at least one round is needed"),
        (["accuracy", "--data=data", "--contenders=speak"], "unknown contender 'speak'"),
        (["--rounds=3", "accuracy"], "options of the benchmark stand behind its name"),
    ],
)
def test_a_wrong_option_is_one_line(tree: Tree, words: list[str], said: str) -> None:
    result = doit(tree, "bench", *words)
    assert result.returncode != 0
    [line] = [line for line in result.stderr.splitlines() if "ERROR" in line]
    assert said in line
    assert "Traceback" not in result.stderr
