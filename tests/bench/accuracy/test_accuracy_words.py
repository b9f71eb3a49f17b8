"""The words that contenders learn from and are asked for, and the notation in which they can be compared."""

from pathlib import Path

import pytest

from bench.accuracy import words
from bench.accuracy.engines.phonetisaurus import phonemes
from bench.accuracy.notation import FOLDS, coarse
from g2p_build.errors import BuildError
from g2p_build.training import use


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two languages, of which the second has no test words."""
    for part, names in (("train", ("swa", "xho")), ("test", ("swa",))):
        (tmp_path / part).mkdir()
        for name in names:
            lines = "".join(f"{letter}{part}\tx{letter},y\n" for letter in "abcdef")
            (tmp_path / part / f"{name}.tsv").write_text(lines, encoding="utf-8")
    return tmp_path


def test_held_out_words_are_learnt_by_nobody(data: Path) -> None:
    [language] = words.languages(str(data), (), 2)
    out = use.held_out("swa", [f"{letter}train" for letter in "abcdef"], 2)
    assert {word for word, _ in language.taught} == {f"{letter}train" for letter in "abcdef"} - out
    assert len(language.taught) == 4
    assert language.test[0] == ("atest", ("xa", "y"))


def test_a_language_without_frequencies_has_no_running_text(data: Path) -> None:
    [language] = words.languages(str(data), ("swa",), 0)
    assert (language.used, language.use) == ([], {})
    assert language.timed == [f"{letter}test" for letter in "abcdef"]


def test_the_most_used_words_come_first(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(use._SOURCES, "swa", lambda: {"btrain": 0.5, "atrain": 0.1, "unknown": 0.4})
    [language] = words.languages(str(data), (), 0)
    assert [word for word, _ in language.used] == ["btrain", "atrain"]


@pytest.mark.parametrize(
    ("folder", "names", "said"),
    [
        ("", (), "--data FOLDER is needed"),
        ("nowhere", (), "no language has both train/LANG.tsv and test/LANG.tsv there"),
        ("data", ("xho",), "--languages names 'xho', but the data have swa"),
    ],
)
def test_a_mistake_is_one_line(data: Path, folder: str, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(BuildError) as caught:
        words.languages(str(data) if folder == "data" else folder, names, 0)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("language", "dictionary", "other"),
    [
        ("eng-us", "ˈbɹænɝ", "bɹˈænɚ"),
        ("eng-us", "ˈɫɪˌbɝˌeɪtɪd", "lˈɪbɚɹˌeɪɾᵻd"),
        ("fin", "ˈrɑittiˌustyø", "rˈaitːiustyø"),
        ("spa-latin", "sɛntadiʎas", "sˌentaðˈijjas"),
        ("swa", "maɓoᵑge", "mabˈoŋɡe"),
    ],
)
def test_two_notations_of_the_same_sounds_are_the_same_when_coarse(language: str, dictionary: str, other: str) -> None:
    assert coarse(dictionary, language) == coarse(other, language)


@pytest.mark.parametrize("language", FOLDS)
def test_what_is_coarse_stays_as_it_is(language: str) -> None:
    once = coarse("".join(symbols for symbols, _ in FOLDS[language]), language)
    assert coarse(once, language) == once


def test_other_sounds_stay_other_sounds() -> None:
    assert coarse("ˈkæt", "eng-us") != coarse("kˈɑːt", "eng-us")


def test_a_phoneme_has_its_modifiers_and_a_tone_is_one() -> None:
    assert phonemes("t͡ɕʰaːj˥˩") == ["t͡ɕʰ", "aː", "j", "˥˩"]
    assert phonemes("za˨ˀ˩ʔhɤ̆p") == ["z", "a", "˨ˀ˩ʔ", "h", "ɤ̆", "p"]
    assert phonemes("ʔa˧") == ["ʔ", "a", "˧"]
