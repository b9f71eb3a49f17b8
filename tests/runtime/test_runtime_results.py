"""Results: what is known of a word besides its phonemes, and lexicons that a user adds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import DEFAULT, ROOT, Tree

from g2p_build.checkpoints.files import local_files
from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.reference.generate import tokens_of
from g2p_build.reference.golden import FOLDER
from g2p_build.reference.pretrained import as_model
from g2p_build.runtime import G2P, errors, load

GOLDEN = json.loads((FOLDER / "embedded.json").read_text(encoding="utf-8"))["words"]
EMBEDDED = ROOT / "g2p_build" / "checkpoints" / "embedded"


@pytest.fixture
def g2p(built: Tree, monkeypatch: pytest.MonkeyPatch) -> G2P:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    return load(built.root / "manifests" / f"{DEFAULT}.json", lexicon=False)


@pytest.fixture
def listed(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a list of words."""

    def write(text: str) -> Path:
        path = tmp_path / "words.tsv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_results_are_the_plain_answers_and_more(g2p: G2P) -> None:
    words, langs = [str(row["word"]) for row in GOLDEN], [str(row["lang"]) for row in GOLDEN]
    results = g2p.results(words, langs)
    assert [(result.word, result.lang, result.phonemes) for result in results] == list(
        zip(words, langs, g2p(words, langs), strict=True)
    )
    assert {(result.source, result.score, result.error) for result in results} == {("model", None, None)}


def test_a_wrong_word_ends_nothing(g2p: G2P) -> None:
    words = ["knight", "", "two words", "a\tb", "x" * 99, "knight"]
    results = g2p.results(words)
    assert [type(result.error) for result in results] == [
        type(None),
        errors.EmptyWord,
        errors.ForeignCharacter,
        errors.InvalidWord,
        errors.WordTooLong,
        type(None),
    ]
    assert [result.phonemes for result in results] == ["ˈnaɪt", "", "", "", "", "ˈnaɪt"]
    assert "' ' (U+0020, a space) in 'two words'" in str(results[2].error)
    [unknown, known] = g2p.results(["knight", "talo"], ["eng-uk", "fin"])
    assert isinstance(unknown.error, errors.UnknownLanguage) and known.phonemes


def test_scores_are_those_of_transformers(g2p: G2P) -> None:
    architecture, weights = read_checkpoint(local_files(EMBEDDED))
    model = as_model(architecture, weights)
    results = g2p.results([str(row["word"]) for row in GOLDEN], [str(row["lang"]) for row in GOLDEN], scores=True)
    for row, result in zip(GOLDEN, results, strict=True):
        ids = torch.tensor([tokens_of("<{lang}>: {word}", str(row["lang"]), str(row["word"]))])
        out = model.generate(ids, max_length=128, return_dict_in_generate=True, output_scores=True)
        each = model.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
        assert result.score == pytest.approx(each.mean().item(), abs=1e-4)


def test_a_pronunciation_that_reaches_the_bound_is_truncated(built: Tree, g2p: G2P) -> None:
    # A run of letters of which no word is made: the model does not end it.
    results = g2p.results(["knight", "zq" * 25])
    assert [result.truncated for result in results] == [False, len(g2p.tokens(["zq" * 25])[0]) == 127]
    # Which syllables a model does not stop saying depends on its weights.
    syllables = [consonant + vowel for consonant in "bdfghjklmnprstvwz" for vowel in "aeiou"]
    loops = [result for result in g2p.results([syllable * 27 for syllable in syllables]) if result.repeats]
    assert loops and all(_repeats(result.phonemes) for result in loops)


def _repeats(text: str) -> bool:
    data = text.encode()
    sizes = range(3, len(data) // 4 + 1)
    return any(data[-4 * size :] == data[-size:] * 4 for size in sizes)


def test_a_users_words_come_first_and_say_so(g2p: G2P, listed: Callable[[str], Path]) -> None:
    [before] = g2p(["Grzegorz"])
    g2p.add_lexicon(listed("\ufeffGrzegorz\tˈɡʐɛɡɔʂ, ˈɡʐɛ\r\n\nGrzegorz\tx\n"), "eng-us")
    [result, folded, other] = g2p.results(["Grzegorz", "grzegorz", "knight"])
    assert (result.phonemes, result.source) == ("ˈɡʐɛɡɔʂ", "user") and before != result.phonemes
    assert (folded.phonemes, folded.source) == (before, "model")
    assert other.source == "model"
    assert g2p.look_up("Grzegorz") == ["ˈɡʐɛɡɔʂ", "ˈɡʐɛ"] and g2p.look_up("knight") == []
    g2p.add_words({"Grzegorz": "ɡ"}, "eng-us")
    assert g2p(["Grzegorz"]) == ["ɡ"]
    assert g2p.results(["Grzegorz"], "fin")[0].source == "model"
    assert g2p.tokens(["Grzegorz"])  # the model's, as ever


def test_capitals_that_mean_something_are_looked_up_before_they_are_folded(g2p: G2P) -> None:
    g2p.add_words({"US": "juˈɛs", "us": "əs", "polish": "ˈpɑlɪʃ", "Polish": "ˈpoʊlɪʃ"}, "eng-us")
    assert g2p(["US", "us", "Us", "Polish", "POLISH"]) == ["juˈɛs", "əs", "əs", "ˈpoʊlɪʃ", "ˈpɑlɪʃ"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"a": "x", "b\tc": "y"}, r"line 2: 'b\\tc' holds a tab or a line end"),
        ({"a": ["x", "y\nb\tz"]}, "line 1: 'a' holds a tab or a line end"),
        ({" ": " "}, "line 1: ' ' is no word"),
        ({"a": []}, "line 1: '' are no pronunciations"),
    ],
)
def test_added_words_are_not_taken_for_lines(g2p: G2P, words: dict[str, str | list[str]], says: str) -> None:
    with pytest.raises(errors.InvalidLexicon, match=says):
        g2p.add_words(words, "eng-us")
    assert g2p.look_up("a") == g2p.look_up("b") == []


def test_a_word_that_the_model_cannot_take_may_be_in_a_lexicon(g2p: G2P) -> None:
    g2p.add_words({"1st": "ˈfɝst", "R2-D2": ["ɑɹtuditu"]}, "eng-us")
    assert g2p(["1st", "r2-d2", "R2-D2"][::2]) == ["ˈfɝst", "ɑɹtuditu"]
    g2p.check("1st")
    with pytest.raises(errors.ForeignCharacter):
        g2p.check("2nd")


def test_lexicons_are_of_one_object_alone(built: Tree, g2p: G2P) -> None:
    other = load(built.root / "manifests" / f"{DEFAULT}.json", lexicon=False)
    g2p.add_words({"knight": "x"}, "eng-us")
    assert (g2p(["knight"]), other(["knight"])) == (["x"], ["ˈnaɪt"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("knight\n", "line 1: 'knight' has no tab"),
        ("a\tb\n\n\tb\n", "line 3: '' is no word"),
        ("a\tb,,c\n", "line 1: 'b,,c' are no pronunciations"),
        ("a\t \n", "line 1: ' ' are no pronunciations"),
        ("a\tb\tc\n", "are no pronunciations"),
        ("x" * 256 + "\ta\n", "1 to 255 bytes"),
        ("x\t" + "a" * 1001 + "\n", "up to 1000 bytes"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_added(
    g2p: G2P, listed: Callable[[str], Path], text: str, says: str
) -> None:
    with pytest.raises(errors.InvalidLexicon, match=says):
        g2p.add_lexicon(listed(text), "eng-us")
    assert g2p(["knight"]) == ["ˈnaɪt"]


def test_a_lexicon_without_a_language_is_refused(g2p: G2P, listed: Callable[[str], Path]) -> None:
    with pytest.raises(ValueError, match=r"words\.tsv is a list of words: give their language"):
        g2p.add_lexicon(listed("a\tb\n"))
    with pytest.raises(errors.UnknownLanguage, match="eng-uk"):
        g2p.add_lexicon(listed("a\tb\n"), "eng-uk")
    with pytest.raises(errors.InvalidLexicon, match=r"no/such\.tsv: cannot be read: No such file"):
        g2p.add_lexicon("no/such.tsv", "eng-us")


def test_seventeen_lexicons_are_too_many(g2p: G2P) -> None:
    for number in range(16):
        g2p.add_words({"knight": f"x{number}"}, "eng-us")
    with pytest.raises(errors.G2PError, match="the model has 16 lexicons already"):
        g2p.add_words({"knight": "y"}, "eng-us")
    assert g2p(["knight"]) == ["x15"]
