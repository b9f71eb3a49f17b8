"""`doit lengths`: tokens in and out of the words of lists, and the bounds that hold them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, copy_tree

from g2p_build.config.variant import MaxLens
from g2p_build.products.lengths import Lengths, bounds, holding, quantile


@pytest.fixture(scope="module")
def tree(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return copy_tree(tmp_path_factory.mktemp("lengths") / "tree", built.cache, built.root)


def listed(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def rows(tree: Tree, *words: str | Path) -> list[dict[str, Any]]:
    result = tree.doit("lengths", "--json", *map(str, words))
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_dictionary_says_how_long_its_words_are(tree: Tree, tmp_path: Path) -> None:
    listed(tmp_path, "eng-us.tsv", "\ufeffknight\tˈnaɪ\nthrough\tθɹu,ˈθɹu\r\n\n2nd\tx\n")
    listed(tmp_path, "fin.tsv", "yö\tˈyø\n")
    english, finnish, whole, *named = rows(tree, tmp_path)
    prompt = len("<eng-us>: ")
    assert english == {
        "language": "eng-us",
        "words": 2,
        "refused": 1,  # a digit
        "said": 0,
        "cut": 0,
        "input": [[prompt + len("knight"), 1], [prompt + len("through"), 1]],
        "output": [[2 + len("ˈnaɪ".encode()), 1], [2 + len("ˈθɹu".encode()), 1]],
    }
    assert finnish["input"] == [[len("<fin>: yö".encode()), 1]]
    assert (whole["language"], whole["words"], whole["refused"]) == ("all", 3, 1)
    assert named == [
        {"bounds": "99.9 %", "input": 24, "output": 16, "words": 3, "of": 3},
        {"bounds": "100 %", "input": 24, "output": 16, "words": 3, "of": 3},
        {"bounds": "variant", "input": 64, "output": 128, "words": 3, "of": 3},
    ]


def test_words_without_a_pronunciation_are_pronounced(tree: Tree, tmp_path: Path) -> None:
    words = listed(tmp_path, "fin.tsv", f"yö\ntie\tˈtiet\n{'y' * 60}\n")
    [row, *named] = rows(tree, words)
    assert (row["words"], row["said"], row["cut"]) == (3, 2, 1)
    assert row["output"] == [[2 + len("ˈyø".encode()), 1], [2 + len("ˈtiet".encode()), 1], [128 + 1, 1]]
    assert [each["words"] for each in named] == [3, 3, 2]
    table = tree.doit("lengths", str(words))
    assert "max_lens.input=72 max_lens.output=136" in table.stdout and "66.667 %" in table.stdout
    assert "words that have no room in embedded-host-b1-i64-o128-float32-kv, which pronounced them: 1" in table.stdout


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("words.tsv", "a\n", "unknown language 'words'"),
        ("fin.tsv", "tie\ttie\ttie\n", "fin.tsv:1: a line is a word, or a word, a tab and its pronunciations"),
        ("fin.tsv", "tie\ttie,\n", "fin.tsv:1: a line is a word"),
        ("fin.tsv", "3\n", "fin.tsv has no word that the model takes: it refuses 1"),
        ("fin.tsv", "", "fin.tsv has no word that the model takes"),
    ],
)
def test_a_mistake_is_one_line(tree: Tree, tmp_path: Path, name: str, text: str, says: str) -> None:
    result = tree.doit("lengths", str(listed(tmp_path, name, text)))
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("ERROR: lengths: ") and says in line


def test_what_is_asked_for_must_be_there(tree: Tree, tmp_path: Path) -> None:
    for words, says in (
        ([], "name lists of words"),
        ([str(tmp_path)], "files named LANG.tsv are needed"),
        ([str(tmp_path / "no.tsv")], "No such file or directory"),
        ([str(tmp_path), "batch=1,8"], "lengths are of one variant, not of 2"),
    ):
        assert says in tree.doit("lengths", *words).stderr


def test_the_smallest_bounds_that_hold_a_share() -> None:
    assert [quantile({3: 1, 5: 998, 9: 1}, share) for share in (0.001, 0.5, 0.999, 1)] == [3, 5, 5, 9]
    lengths = Lengths("xx", Counter({(10, 10): 9980, (17, 10): 10, (10, 25): 9, (60, 90): 1}))
    most, every = bounds(lengths)
    # 24 and 16 hold 99.9 %. 16 and 16, which do on each side, hold less together.
    assert (most.input, most.output, most.words) == (24, 16, 9990)
    assert (every.input, every.output, every.words) == (64, 96, 10_000)
    assert holding(lengths, MaxLens(16, 25)).words == 9989
