"""A cache of recent words: the same results, sooner, in bounded memory."""

import threading
from pathlib import Path

import pytest
from conftest import CACHED, DEFAULT, Tree

from g2p_build.reference.golden import words
from g2p_build.runtime import G2P, errors, load
from g2p_build.runtime.results import Result

pytest_plugins = ["toys"]

GOLDEN = [(word, lang) for lang, listed in words().items() for word in listed]
TYPED, LANGS = [word for word, _ in GOLDEN], [lang for _, lang in GOLDEN]


@pytest.fixture
def manifests(built: Tree, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    return built.root / "manifests"


def opened(path: Path) -> G2P:
    """A model that nobody else has, so that its statistics are its own."""
    g2p = load(path)
    g2p.add_words({"zzz": "z"}, "eng-us")
    return g2p


@pytest.fixture
def g2p(manifests: Path) -> G2P:
    return opened(manifests / f"{DEFAULT}.json")


def decoded(g2p: G2P) -> int:
    """How many words the model has said so far."""
    assert g2p.statistics is not None
    return g2p.statistics.words


def facts(results: list[Result]) -> list[tuple[object, ...]]:
    """All of some results that is the same whether the model or the cache says it, byte for byte."""
    return [(r.word, r.lang, r.phonemes, r.source, r.truncated, r.repeats, r.score, str(r.error)) for r in results]


@pytest.mark.parametrize("name", [DEFAULT, CACHED])
def test_results_are_the_same_and_the_model_is_not_asked_again(manifests: Path, name: str) -> None:
    g2p = opened(manifests / f"{name}.json")
    typed, langs = [*TYPED, "", "2nd", "TV", "zzz", "US"], [*LANGS, "fin", *["eng-us"] * 4]
    plain, said, ids = g2p.results(typed, langs, scores=True), g2p(TYPED, LANGS), g2p.tokens(TYPED, LANGS)
    g2p.cache_words(1000)
    assert facts(g2p.results(typed, langs, scores=True)) == facts(plain)
    before = decoded(g2p)
    again = g2p.results(typed, langs, scores=True)
    assert facts(again) == facts(plain)
    assert {(r.passes, r.drafted, r.accepted) for r in again} == {(0, 0, 0)}
    assert facts(g2p.results(typed, langs)) == facts(
        [Result(r.word, r.lang, r.phonemes, r.source, r.truncated, r.repeats, error=r.error) for r in plain]
    )
    assert (g2p(TYPED, LANGS), g2p.tokens(TYPED, LANGS)) == (said, ids)
    # Words that lexicons have were never asked of it; only `tokens`, which is the model's own, asks for them.
    lexicon = sum(r.source != "model" for r in plain[: len(TYPED)])
    assert decoded(g2p) == before + lexicon


def test_it_is_off_unless_asked_for_and_can_be_turned_off(g2p: G2P) -> None:
    def asked() -> int:
        before = decoded(g2p)
        g2p(["knight", "day"], "eng-us")
        return decoded(g2p) - before

    assert asked() == asked() == 2
    g2p.cache_words(10)
    assert [asked(), asked()] == [2, 0]
    g2p.cache_words(10)  # anew: what was kept is dropped
    assert [asked(), asked()] == [2, 0]
    g2p.cache_words(0)
    assert [asked(), asked()] == [2, 2]


def test_the_words_that_were_used_least_lately_go(g2p: G2P) -> None:
    g2p.cache_words(2)

    def is_kept(word: str, lang: str = "eng-us") -> bool:
        before = decoded(g2p)
        g2p([word], lang)
        return decoded(g2p) == before

    assert [is_kept(word) for word in ("knight", "day", "knight", "tie")] == [False, False, True, False]
    assert [is_kept("knight"), is_kept("Knight"), is_kept("day")] == [True, True, False]  # as one types it
    assert not is_kept("tie", "fin") and is_kept("tie", "fi")  # each language has its own


def test_a_score_that_was_not_kept_is_computed(g2p: G2P) -> None:
    [plain] = g2p.results(["knight"], "eng-us", scores=True)
    g2p.cache_words(10)
    g2p(["knight"], "eng-us")
    for _ in range(2):
        assert facts(g2p.results(["knight"], "eng-us", scores=True)) == facts([plain])
    assert g2p.results(["knight"], "eng-us")[0].score is None


def test_what_is_added_is_heard_at_once(manifests: Path) -> None:
    g2p = load(manifests / f"{DEFAULT}.json")
    g2p.cache_words(10)
    said = g2p(["knight"], "eng-us")
    assert g2p(["knight"], "eng-us") == said
    g2p.add_words({"knight": "x"}, "eng-us")  # from here on it has a model of its own, with a cache
    assert g2p(["knight"], "eng-us") == ["x"]
    g2p.add_words({"knight": "y"}, "eng-us")
    assert g2p(["knight"], "eng-us") == ["y"]
    before = decoded(g2p)
    assert g2p(["day"], "eng-us") == g2p(["day"], "eng-us")
    assert decoded(g2p) == before + 1


def test_threads_share_it(g2p: G2P) -> None:
    expected = g2p(TYPED, LANGS)
    g2p.cache_words(7)  # words come and go all the time
    wrong: list[object] = []

    def use(number: int) -> None:
        for turn in range(4):
            start = (13 * number + 7 * turn) % len(TYPED)
            some = slice(start, start + 20)
            if g2p(TYPED[some], LANGS[some]) != expected[some]:
                wrong.append(some)
            g2p.cache_words(7 + turn)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_bounds(g2p: G2P, toy: Path) -> None:
    for wrong in (-1, (1 << 24) + 1):
        with pytest.raises(ValueError, match=f"words={wrong}: give 0 to 16777216"):
            g2p.cache_words(wrong)
    with pytest.raises(errors.LibraryFailed, match="keeps no words: build it with"):
        load(toy).cache_words(5)
