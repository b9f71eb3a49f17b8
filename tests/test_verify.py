"""`doit verify …` compares built variants with transformers and a dictionary, and writes it into their manifests."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import CACHED, DEFAULT, Tree, copy_tree

from g2p_build.runtime import manifest as manifests

# Real words with a dictionary's pronunciations. The second one of "knight" is not English.
DICTIONARY = {"eng-us": "knight\tˈnaɪt\nthrough\tθɹuː,ˈθɹu\ntough\tˈtʌf\n", "fin": "talo\tˈtɑlo\n"}


@pytest.fixture(scope="module")
def verified(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree of its own with the cache of `built`, so that other tests do not see the verification."""
    return copy_tree(tmp_path_factory.mktemp("verified") / "tree", built.cache, built.root)


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    for language, text in DICTIONARY.items():
        (folder / f"{language}.tsv").write_text(text, encoding="utf-8")
    return folder


def rows(tree: Tree, *words: str) -> list[dict[str, Any]]:
    result = tree.doit("verify", "--json", *words)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_golden_word_is_equal_at_every_batch_size_and_the_manifest_says_so(
    verified: Tree, dictionary: Path
) -> None:
    found = rows(verified, "batch=[1,8]", f"--words={dictionary}")
    assert [row["equal"] for row in found if row["set"] == "golden"] == [10] * 6
    [english] = [row for row in found if row["set"] == "mine" and row["language"] == "eng-us"]
    assert (english["words"], english["equal"]) == (3, 3)

    path = verified.root / "manifests" / f"{CACHED}.json"
    golden, mine = manifests.read(path)["verification"]["sets"]
    assert (golden["words"], golden["equal"]) == (60, 60)
    assert mine["languages"]["eng-us"]["characters"] == len("ˈnaɪt" + "ˈθɹu" + "ˈtʌf")
    assert english["PER"] == round(mine["languages"]["eng-us"]["edits"] / mine["languages"]["eng-us"]["characters"], 4)


def test_a_verification_stays_until_what_was_verified_changes(verified: Tree) -> None:
    path = verified.root / "manifests" / f"{DEFAULT}.json"
    rows(verified)
    after = path.read_bytes()
    assert json.loads(after)["verification"]["sets"][0]["equal"] == 60
    assert verified.compiled().split()[0] == "current"
    assert path.read_bytes() == after
    index = manifests.read_index(path.with_name("index.json"))
    assert {entry["name"]: entry["digest"] for entry in index["manifests"]}[DEFAULT] == json.loads(after)["digest"]
    verified.compiled("checkpoint.languages=[eng-us,fin]", "checkpoint.name=embedded")
    assert json.loads(path.read_bytes())["verification"] is None


def test_a_checkpoint_is_verified_in_the_languages_that_it_knows(verified: Tree) -> None:
    found = rows(verified, "checkpoint.languages=[eng-us,fin]")
    assert [(row["language"], row["equal"]) for row in found] == [("eng-us", 10), ("fin", 10)]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8"])
def test_fewer_bits_are_reported_not_failed(verified: Tree, dtype: str) -> None:
    found = rows(verified, f"dtype={dtype}")
    assert sum(row["words"] for row in found) == 60
    assert sum(row["equal"] for row in found) >= 57
    manifest = manifests.read(verified.root / "manifests" / f"{DEFAULT.replace('float32', dtype)}.json")
    assert manifest["verification"] is not None


def test_a_dictionary_settles_how_a_checkpoint_is_prompted(verified: Tree, dictionary: Path) -> None:
    found = rows(verified, "--prompts", f"--words={dictionary}")
    per = {(row["space"], row["end_token"]): row["PER"] for row in found if row["language"] == "eng-us"}
    assert len(per) == 4
    assert min(per, key=lambda way: per[way]) == (True, False)  # the embedded checkpoint was trained so


def test_an_odd_shape_is_equal_too(verified: Tree) -> None:
    odd = {"d_model": 33, "d_kv": 7, "d_ff": 50, "num_heads": 3, "num_layers": 2, "num_decoder_layers": 1}
    shape = [f"checkpoint.shape.{field}={value}" for field, value in odd.items()]
    found = rows(verified, "checkpoint=random", *shape, "batch=[1,3]", "max_lens.output=24", "kv_cache=true,false")
    assert [(row["words"], row["equal"]) for row in found] == [(10, 10)] * 12


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--prompts"], "--words"),
        (["--words=nowhere.tsv"], "nowhere.tsv"),
        (["checkpoint.languages=[swe]"], "it knows swe, and there are no words of these"),
        (["target=iphone", *("checkpoint/shape=embedded", "checkpoint=random")], "cannot be verified here"),
    ],
)
def test_what_cannot_be_verified_is_one_line(verified: Tree, words: list[str], says: str) -> None:
    result = verified.doit("verify", *words)
    assert result.returncode != 0
    [line] = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
    assert says in line and "Traceback" not in result.stderr
