"""The stage that makes a draft table, on files; and what a command line means for it."""

import hashlib
import json
from pathlib import Path

import pytest

from g2p_build.config.compose import variants
from g2p_build.config.overrides import ConfigError
from g2p_build.errors import BuildError
from g2p_build.graph import nodes
from g2p_build.stages import drafts

PARAMS = {"text": None, "languages": ["xx", "yy"], "max_bytes": 20_000}


def made(folder: Path, place: Path) -> dict[str, object]:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    drafts.build(PARAMS, drafts.source_files((place,)), out)
    description: dict[str, object] = json.loads((out / "draft.json").read_bytes())
    data = (out / "draft.g2pdraft").read_bytes()
    assert (description["sha256"], description["size"]) == (hashlib.sha256(data).hexdigest(), len(data))
    return description


def test_lists_become_a_table_and_a_table_stays_as_it_is(tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "xx.tsv").write_text("ab\txy,xz\nba\tyx\n", encoding="utf-8")
    (lists / "zz.tsv").write_text("ab\txy\n", encoding="utf-8")  # the model does not know it
    first = made(tmp_path, lists)
    languages = first["languages"]
    assert isinstance(languages, dict) and list(languages) == ["xx"]
    table = (tmp_path / "out" / "draft.g2pdraft").rename(tmp_path / "mine.g2pdraft")
    assert made(tmp_path, table) == first


def test_what_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.g2pdraft").write_bytes(b"g2pdrf\0\1 and no more")
    (tmp_path / "zz.tsv").write_text("ab\txy\n", encoding="utf-8")
    (tmp_path / "xx.tsv").write_text("no tab\n", encoding="utf-8")
    both = tmp_path / "both"
    both.mkdir()
    for name in ("xx.tsv", "xx.txt"):
        (both / name).write_text("a\n", encoding="utf-8")
    for place, says in {
        "none": "is not there",
        "both": "a LANG.tsv and a LANG.txt for one language",
        "bad.g2pdraft": "bad.g2pdraft: damaged, or no draft table",
        "zz.tsv": "no list of words is of a language of the model, which are xx, yy",
        "xx.tsv": "xx.tsv",
    }.items():
        with pytest.raises(BuildError, match=says) as found:
            made(tmp_path, tmp_path / place)
        assert "\n" not in str(found.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with words and a table."""
    for name, text in {"words/eng-us.txt": "a\n", "said/eng-us.tsv": "a\tb\n", "my.g2pdraft": "", "fr.tsv": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


NAME = "embedded-host-b1-i64-o128-float32-kv"


def test_names_and_meanings(here: Path) -> None:
    for overrides, label in {
        (): "",
        ("draft=auto",): "",
        ("draft=embedded",): "",
        ("draft=off",): "-nodraft",
        ("draft=my.g2pdraft",): "-draft.my",
        ("draft.path=said",): "-draft.said",
        ("draft.words=words",): "-draft.words",
        ("draft.words=words", "draft.max_bytes=90000"): "-draft.words.90000",
        ("lexicon=off", "draft=off"): "-nolexicon-nodraft",
    }.items():
        [variant] = variants(overrides)
        assert variant.name == NAME + label
        assert ("draft" in nodes(variant)) != variant.draft.is_off
    [other] = variants(["checkpoint=random"])
    assert other.draft.is_off and other == variants(["checkpoint=random", "draft=off"])[0]


def test_a_table_changes_neither_weights_nor_library(here: Path) -> None:
    own, off, mine = (nodes(variant) for variant in variants(["draft=auto,off,said"]))
    for other in (off, mine):
        different = {role for role in own.keys() & other.keys() if own[role] != other[role]}
        assert different - {"draft", "drafts"} == {"library_archive", "weights_archive", "manifest"}
        assert own["library_archive"].inputs == other["library_archive"].inputs


def test_words_alone_are_said_by_a_library_for_this_machine(here: Path) -> None:
    web, phone = (nodes(variant) for variant in variants(["target=wasm,iphone", "draft.words=words"]))
    assert web["draft"] == phone["draft"]
    assert {"library", "weights.safetensors", "tokenizer.json"} <= web["draft"].inputs.keys()
    assert web["draft"].inputs["library"][0] == web["draft_library"] != web["library"]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ("draft=of", "draft=of: give off, embedded, a file"),
        ("draft=none.g2pdraft", "that exists"),
        ("draft=words", "or a folder of LANG.tsv"),  # it has words alone
        ("draft.words=none", "draft.words=none: give a file LANG.tsv or LANG.txt that exists"),
        ("draft=said draft.words=words", "give one of them"),
        ("draft.max_bytes=90000", "draft.max_bytes=90000 is for a table that is made"),
        ("draft=said draft.max_bytes=10", "draft.max_bytes=10 is too small"),
        ("draft.word=words", "unknown key 'draft.word'"),
        ("draft=fr.tsv", "unknown language of draft.path="),
    ],
)
def test_mistakes_are_one_line(here: Path, overrides: str, says: str) -> None:
    with pytest.raises(ConfigError) as found:
        variants(overrides.split())
    assert says in str(found.value) and "\n" not in str(found.value)
