"""The golden set holds transformers' ids and strings, and every built variant gives the same."""

import json
import random
from pathlib import Path

import pytest
from conftest import CACHED, CACHELESS, DEFAULT, HALF, ROOT, Tree

from g2p_build.config.compose import variants
from g2p_build.reference.golden import FOLDER, regenerate, words
from g2p_build.runtime import G2P, load

GOLDEN = json.loads((FOLDER / "embedded.json").read_text(encoding="utf-8"))["words"]


@pytest.fixture
def g2p(built: Tree, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> G2P:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    return load(built.root / "manifests" / f"{request.param}.json")


def by_language() -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for row in GOLDEN:
        found.setdefault(row["lang"], []).append(row)
    return found


def test_ten_words_of_six_languages_with_accents_tones_and_an_apostrophe() -> None:
    assert {language: len(listed) for language, listed in words().items()} == dict.fromkeys(
        ("eng-us", "fin", "spa-latin", "swa", "tha", "vie-n"), 10
    )
    spelled = "".join(word for listed in words().values() for word in listed)
    assert set("'áäỏ") <= set(spelled)


def test_it_is_what_transformers_gives_to_the_byte(tmp_path: Path) -> None:
    [variant] = variants([])
    embedded = ROOT / "g2p_build" / "checkpoints" / "embedded"
    from g2p_build.stages.checkpoint import build, source_files

    build({"source": "path"}, source_files((embedded,)), tmp_path)
    regenerate(variant, {path.name: path for path in tmp_path.iterdir()}, tmp_path)
    assert (tmp_path / "embedded.json").read_bytes() == (FOLDER / "embedded.json").read_bytes()


@pytest.mark.parametrize("g2p", [DEFAULT, CACHED, CACHELESS], indirect=True)
def test_every_id_and_string_is_transformers(g2p: G2P) -> None:
    for language, rows in by_language().items():
        listed = [str(row["word"]) for row in rows]
        assert g2p.tokens(listed, lang=language) == [row["ids"] for row in rows]
        assert g2p(listed, lang=language) == [row["ipa"] for row in rows]


@pytest.mark.parametrize("g2p", [CACHED], indirect=True)
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 10])
def test_any_number_of_words_in_any_order(g2p: G2P, count: int) -> None:
    for language, rows in by_language().items():
        some = random.Random(count).sample(rows, count)
        assert g2p.tokens([str(row["word"]) for row in some], lang=language) == [row["ids"] for row in some]


@pytest.mark.parametrize("g2p", [HALF], indirect=True)
def test_half_precision_weights_rarely_change_a_word(g2p: G2P) -> None:
    equal = sum(
        ids == row["ids"]
        for language, rows in by_language().items()
        for ids, row in zip(g2p.tokens([str(row["word"]) for row in rows], lang=language), rows, strict=True)
    )
    assert equal >= 55
