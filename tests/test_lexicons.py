"""The embedded checkpoint's lexicon in both engines: what is in it is found, in every way of typing it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import DEFAULT, Tree, copy_tree

from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.runtime import G2P, load
from g2p_build.runtime.lexicon import Table

TABLE = Table((EMBEDDED / "lexicon.g2plex").read_bytes(), "lexicon.g2plex")


@pytest.fixture(scope="module")
def variants(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Manifests: the default variant, the same without a lexicon, the same on the virtual machine."""
    tree = copy_tree(tmp_path_factory.mktemp("lexicons") / "tree", built.cache, built.root)
    tree.compiled("lexicon=auto,off")
    tree.compiled("target.engine=vm", "target.name=machine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("G2P_CACHE", tree.env["G2P_CACHE"])
        yield tree.root / "manifests"


@pytest.fixture(scope="module")
def g2p(variants: Path) -> G2P:
    return load(variants / f"{DEFAULT}.json")


def test_the_core_finds_every_word_as_python_does(g2p: G2P) -> None:
    for lang in TABLE.words:
        entries = list(TABLE.entries(lang))
        results = g2p.results([word for word, _ in entries], lang)
        found = [(result.word, result.phonemes, result.source) for result in results]
        assert found == [(word, said[0], "lexicon") for word, said in entries]
        assert all(g2p.look_up(word, lang) == said for word, said in entries[::97])


def test_both_engines_say_the_same_of_lexicon_letters_and_model(g2p: G2P, variants: Path) -> None:
    machine = load(variants / f"{DEFAULT.replace('host', 'machine')}.json")
    lexicon = [word for word, _ in TABLE.entries("eng-us")][::2000]
    words = [
        *lexicon,
        *map(str.title, lexicon),
        "US",
        "us",
        "HTML",
        "html",
        "TVBX",
        "Hmm",
        "HMM",
        "NASA",
        "knight",
        "",
        "7",
    ]
    ours, theirs = g2p.results(words), machine.results(words)
    assert [(r.word, r.phonemes, r.source, type(r.error)) for r in ours] == [
        (r.word, r.phonemes, r.source, type(r.error)) for r in theirs
    ]
    by_word = {result.word: (result.phonemes, result.source) for result in ours}
    assert by_word["TVBX"] == ("ˈtiˈviˈbiˈɛks", "letters") and by_word["US"] == ("ˌjuˈɛs", "lexicon")
    assert by_word["us"][0] != by_word["US"][0] and by_word["HMM"] == by_word["Hmm"]
    assert by_word["knight"] == ("ˈnaɪt", "model")


def test_a_variant_without_a_lexicon_leaves_all_words_to_the_model(variants: Path, g2p: G2P) -> None:
    plain = load(variants / f"{DEFAULT}-nolexicon.json")
    words = [word for word, _ in TABLE.entries("fin")][::1500]
    assert plain.manifest["lexicon"] is None and plain.manifest["files"]["lexicon"] is None
    assert {result.source for result in plain.results(words, "fin")} == {"model"}
    assert plain(words, "fin") == load(variants / f"{DEFAULT}.json", lexicon=False)(words, "fin")
    assert plain.tokens(words, "fin") == g2p.tokens(words, "fin")
    kept = g2p.manifest["archives"]
    assert kept["library"]["sha256"] == plain.manifest["archives"]["library"]["sha256"]
    assert kept["weights"]["sha256"] != plain.manifest["archives"]["weights"]["sha256"]


def test_the_manifest_says_what_the_lexicon_holds(g2p: G2P) -> None:
    assert g2p.manifest["files"]["lexicon"] == "lexicon.g2plex"
    assert g2p.manifest["files"]["notices"] == ["LEXICON-NOTICE"]
    assert g2p.manifest["lexicon"]["words"] == TABLE.words
    assert g2p.manifest["lexicon"]["size"] == (EMBEDDED / "lexicon.g2plex").stat().st_size
