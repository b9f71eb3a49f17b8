"""The stages that make a variant's lexicon, on files."""

import json
import re
import sys
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from conftest import Tree, copy_tree

from g2p_build.errors import BuildError
from g2p_build.lexicon.table import write_table
from g2p_build.reference.golden import FOLDER
from g2p_build.runtime.lexicon import Table
from g2p_build.stages import lexicon as stage


def build(folders: list[Path], out: Path, languages: list[str] | None = None, **more: Path) -> dict[str, object]:
    """Runs the stage `lexicon`. Returns what it says of its table."""
    out.mkdir()
    inputs = stage.source_files(tuple(folders)) | {name.replace("_", "."): path for name, path in more.items()}
    stage.build({"text": None, "languages": languages}, inputs, out)
    described: dict[str, object] = json.loads((out / "lexicon.json").read_bytes())
    data = (out / "lexicon.g2plex").read_bytes()
    assert (described["sha256"], described["size"]) == (sha256(data).hexdigest(), len(data))
    return described


def words(out: Path) -> dict[str, dict[str, list[str]]]:
    table = Table((out / "lexicon.g2plex").read_bytes(), "")
    return {lang: dict(table.entries(lang)) for lang in table.words}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three lexicons: a list, a folder of two, a table with a notice."""
    for file, text in {
        "mine/fin.tsv": "talo\t1\n",
        "folder/fin.tsv": "talo\t2\nkuu\t2\n",
        "folder/swa.tsv": "mti\t2\n",
        "package/LEXICON-NOTICE": "somebody's\n",
    }.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    table = write_table({"fin": {"kuu": ["3"], "yö": ["3"]}, "tha": {"x": ["3"]}})
    (tmp_path / "package" / "lexicon.g2plex").write_bytes(table)
    return tmp_path


def test_the_first_that_has_a_word_counts(folder: Path) -> None:
    sources = [folder / "mine" / "fin.tsv", folder / "folder", folder / "package" / "lexicon.g2plex"]
    described = build(sources, folder / "out")
    assert words(folder / "out") == {
        "fin": {"kuu": ["2"], "talo": ["1"], "yö": ["3"]},
        "swa": {"mti": ["2"]},
        "tha": {"x": ["3"]},
    }
    assert described["words"] == {"fin": 3, "swa": 1, "tha": 1}
    assert (folder / "out" / "LEXICON-NOTICE").read_text() == "somebody's\n"
    build(sources[::-1], folder / "back")
    assert words(folder / "back")["fin"] == {"kuu": ["3"], "talo": ["2"], "yö": ["3"]}


def test_exceptions_come_last(folder: Path) -> None:
    exceptions = folder / "exceptions.g2plex"
    exceptions.write_bytes(write_table({"fin": {"talo": ["4"], "suo": ["4"]}}))
    build([folder / "mine" / "fin.tsv"], folder / "out", exceptions_g2plex=exceptions)
    assert words(folder / "out") == {"fin": {"talo": ["1"], "suo": ["4"]}}
    build([], folder / "alone", exceptions_g2plex=exceptions)
    assert (folder / "alone" / "lexicon.g2plex").read_bytes() == exceptions.read_bytes()


def test_more_than_nine_lexicons_stay_in_order(folder: Path) -> None:
    sources = []
    for number in range(12):
        (folder / f"{number}").mkdir()
        sources.append(folder / f"{number}" / "fin.tsv")
        sources[-1].write_text(f"talo\t{number}\n", encoding="utf-8")
    build(sources[1:], folder / "out")
    assert words(folder / "out") == {"fin": {"talo": ["1"]}}


def test_lists_of_languages_that_the_model_does_not_know_are_left_out(folder: Path) -> None:
    build([folder / "folder"], folder / "out", languages=["fin", "tha"])
    assert list(words(folder / "out")) == ["fin"]


def test_a_table_alone_is_copied(folder: Path) -> None:
    table = folder / "package" / "lexicon.g2plex"
    build([table], folder / "out")
    assert (folder / "out" / "lexicon.g2plex").read_bytes() == table.read_bytes()
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(BuildError, match="is not a whole lexicon"):
        build([table], folder / "damaged")


def test_what_is_not_there_any_more_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"lexicon .*/xx\.tsv is not there: give a file LANG.tsv"):
        stage.source_files((tmp_path / "xx.tsv",))


# Exceptions of the embedded checkpoint

SAID = {
    row["word"]: row["ipa"]
    for row in json.loads((FOLDER / "embedded.json").read_bytes())["words"]
    if row["lang"] == "eng-us"
}
WRONG = sorted(SAID)[::4]


@pytest.fixture(scope="module")
def asked(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with a dictionary that says what the model says, but of every fourth word, and a list of use."""
    tree = copy_tree(tmp_path_factory.mktemp("exceptions") / "tree", built.cache, built.root)
    lines = [f"{word}\t{'ə' if word in WRONG else f'x,{said}'}\n" for word, said in SAID.items()]
    long = [f"a{letter}\t{'ə' * 400}{letter}\n" for letter in "bcdfghjklmnpqrstvwxz"]
    for file, text in {
        "dictionary/eng-us.tsv": "".join(lines),
        "dictionary/xx.tsv": "no language of the model\tə\n",
        "long/eng-us.tsv": "".join(long),
        "use/eng-us.tsv": "ar\t2\naz\t1\n",
    }.items():
        (tree.root / file).parent.mkdir(exist_ok=True)
        (tree.root / file).write_text(text, encoding="utf-8")
    return tree


ASKED = ["lexicon=off", "lexicon.exceptions=dictionary"]


def made(tree: Tree, *words: str) -> tuple[set[str], Table]:
    """Builds. Returns the stages that ran, and the table."""
    out = tree.doit("compile", "--json", *words).stdout.splitlines()
    ran = {line["stage"] for line in map(json.loads, out) if line["outcome"] == "built"}
    [variant] = [json.loads(line) for line in tree.doit("variants", "--json", *words).stdout.splitlines()]
    data = json.loads((tree.root / "manifests" / f"{variant['name']}.json").read_bytes())
    archive = tree.root / "dist" / data["archives"]["weights"]["file"]
    with tarfile.open(archive) as tar:
        assert sorted(tar.getnames()) == ["draft.g2pdraft", "lexicon.g2plex", "weights.safetensors"]
        file = tar.extractfile(data["files"]["lexicon"])
        assert file is not None
        found = file.read()
    assert data["lexicon"]["sha256"] == sha256(found).hexdigest()
    return ran, Table(found, "")


def test_the_words_that_the_model_gets_wrong_are_its_exceptions(asked: Tree) -> None:
    ran, table = made(asked, *ASKED)
    assert {"exceptions", "lexicon", "archive", "manifest"} <= ran
    assert table.words == {"eng-us": len(WRONG)}
    assert dict(table.entries("eng-us")) == {word: ["ə"] for word in WRONG}


def test_a_changed_dictionary_makes_only_what_follows_from_it(asked: Tree) -> None:
    made(asked, *ASKED)
    assert made(asked, *ASKED)[0] == set()
    path = asked.root / "dictionary" / "eng-us.tsv"
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(before + f"{WRONG[0]}\tq\n", encoding="utf-8")  # the first line of a word counts
        assert made(asked, *ASKED)[0] == {"exceptions"}
        path.write_text(before + "knightly\tə\n", encoding="utf-8")
        ran, table = made(asked, *ASKED)
        assert ran == {"exceptions", "lexicon", "archive", "manifest", "publish"}
        assert {word for word, _ in table.entries("eng-us")} == {*WRONG, "knightly"}
    finally:
        path.write_text(before, encoding="utf-8")


def test_the_most_used_come_first_if_not_all_fit(asked: Tree) -> None:
    more = ["lexicon.exceptions=long", "lexicon.use=use", "lexicon.max_bytes=3500"]
    _, table = made(asked, "lexicon=off", *more)
    found = [word for word, _ in table.entries("eng-us")]
    assert {"ar", "az", "ab", "ac"} <= set(found) and "ax" not in found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("w0", r"dictionary/eng-us\.tsv:LINE: one tab is needed"),
        ("w0\t", r"dictionary/eng-us\.tsv:LINE: a pronunciation is empty"),
    ],
)
def test_a_mistake_in_a_dictionary_is_one_line(asked: Tree, line: str, said: str) -> None:
    path = asked.root / "dictionary" / "eng-us.tsv"
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(f"{before}{line}\n", encoding="utf-8")
        result = asked.doit("compile", *ASKED)
        assert result.returncode != 0 and "Traceback" not in result.stderr
        assert re.search(said.replace("LINE", str(len(SAID) + 1)), result.stderr), result.stderr
    finally:
        path.write_text(before, encoding="utf-8")


def test_the_command_copies_the_table_out(asked: Tree, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "g2p_build.products.lexicon", str(tmp_path / "x.g2plex")]
    result = asked.run(*command, *ASKED)
    assert result.returncode == 0, result.stderr
    assert Table((tmp_path / "x.g2plex").read_bytes(), "").words == {"eng-us": len(WRONG)}
    refused = asked.run(*command, "lexicon=off")
    assert refused.returncode == 2 and "has no lexicon: add lexicon=FILE or" in refused.stderr
    assert asked.run(*command[:3]).returncode == 2
