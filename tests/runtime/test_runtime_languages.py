"""Words of several languages in one call, with both engines."""

import json
import random
from pathlib import Path

import pytest
from conftest import CACHED, DEFAULT, Tree

from g2p_build.reference.golden import FOLDER
from g2p_build.runtime import G2P, errors, load

pytest_plugins = ["toys"]

GOLDEN = json.loads((FOLDER / "embedded.json").read_text(encoding="utf-8"))["words"]


@pytest.fixture
def standalone(built: Tree, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the manifests of the embedded checkpoint."""
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    return built.root / "manifests"


@pytest.fixture(params=["standalone", "vm"])
def g2p(request: pytest.FixtureRequest) -> G2P:
    if request.param == "vm":
        return load(request.getfixturevalue("toy"))
    return load(request.getfixturevalue("standalone") / f"{DEFAULT}.json")


def test_each_word_may_have_its_language(g2p: G2P) -> None:
    words, langs = ["talo", "knight", "a", "talo"], ["fin", "eng-us", "eng-us", "vie-n"]
    alone = [g2p.tokens([word], lang)[0] for word, lang in zip(words, langs, strict=True)]
    assert g2p.tokens(words, langs) == alone
    assert g2p(words, tuple(langs)) == [g2p([word], lang)[0] for word, lang in zip(words, langs, strict=True)]
    assert g2p.tokens(words, ["fin"] * 4) == g2p.tokens(words, "fin")
    assert g2p([], []) == []


def test_the_first_wrong_word_or_language_is_named(g2p: G2P) -> None:
    with pytest.raises(errors.UnknownLanguage, match="unknown language 'eng'"):
        g2p(["knight", "knight"], ["eng-us", "eng"])
    with pytest.raises(errors.EmptyWord):
        g2p.tokens(["knight", ""], ["eng-us", "fin"])


def test_there_are_as_many_languages_as_words(g2p: G2P) -> None:
    with pytest.raises(ValueError, match="1 languages for 2 words"):
        g2p(["knight", "night"], ["eng-us"])
    with pytest.raises(TypeError, match="a language is a string, not 3"):
        g2p.tokens(["knight"], [3])  # type: ignore[list-item]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("name", [DEFAULT, CACHED])
def test_golden_words_of_all_languages_are_one_list(standalone: Path, name: str, threads: int) -> None:
    rows = random.Random(threads).sample(GOLDEN, len(GOLDEN))
    g2p = load(standalone / f"{name}.json", threads)
    assert g2p.tokens([row["word"] for row in rows], [row["lang"] for row in rows]) == [row["ids"] for row in rows]
    assert g2p([row["word"] for row in rows], [row["lang"] for row in rows]) == [row["ipa"] for row in rows]


def test_a_pronunciation_may_be_cut_short(standalone: Path) -> None:
    engine = load(standalone / f"{CACHED}.json")._engine
    words, langs = [row["word"] for row in GOLDEN], [row["lang"] for row in GOLDEN]
    for most in (1, 4, 1000):
        assert engine.tokens(words, langs, 2, most_ids=most) == [row["ids"][:most] for row in GOLDEN]
