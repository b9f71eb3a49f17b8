"""Words as people type them: a checkpoint's form of text, from the config to the pronunciations of both engines."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import DEFAULT, Tree, copy_tree
from forms import FORMS, WORDS

from g2p_build.config.compose import ConfigError, variants
from g2p_build.runtime import G2P, errors, load


@pytest.fixture(scope="module")
def engines(
    built: Tree, monkeypatch_module: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, G2P]:
    """The embedded checkpoint as a plain C library and on the virtual machine."""
    tree = copy_tree(tmp_path_factory.mktemp("typed") / "tree", built.cache, built.root)
    tree.compiled()
    tree.compiled("target.engine=vm", "target.name=typed")
    monkeypatch_module.setenv("G2P_CACHE", tree.env["G2P_CACHE"])
    folder = tree.root / "manifests"
    return {
        "standalone": load(folder / f"{DEFAULT}.json"),
        "vm": load(folder / f"{DEFAULT.replace('host', 'typed')}.json"),
    }


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize("engine", ["standalone", "vm"])
@pytest.mark.parametrize("lang", sorted(WORDS))
def test_however_a_word_is_typed_it_is_the_same_word(engines: dict[str, G2P], engine: str, lang: str) -> None:
    words = WORDS[lang] if engine == "standalone" else WORDS[lang][:3]
    plain = dict(zip(words, engines[engine](words, lang), strict=True))
    forms = [(word, form) for word, form in FORMS[lang] if word in plain]
    found = engines[engine]([form for _, form in forms], lang)
    wrong = [(form, got, plain[word]) for (word, form), got in zip(forms, found, strict=True) if got != plain[word]]
    assert wrong == []


REFUSED = [
    ("abc7", "eng-us", "'7' (U+0037, a digit)", "write numbers out"),
    ("two words", "eng-us", "' ' (U+0020, a space)", "give one word at a time"),
    ("знак", "fin", "'з' (U+0437, a letter)", "name the language that the word is of"),
    ("talo😀", "fin", "'😀' (U+1F600, an emoji)", "leave it out"),
]


@pytest.mark.parametrize("engine", ["standalone", "vm"])
@pytest.mark.parametrize(("word", "lang", "character", "advice"), REFUSED)
def test_a_word_that_is_not_of_the_language_is_refused_with_a_reason(
    engines: dict[str, G2P], engine: str, word: str, lang: str, character: str, advice: str
) -> None:
    with pytest.raises(errors.ForeignCharacter) as caught:
        engines[engine]([word], lang)
    said = str(caught.value)
    assert said.startswith(f"{character} in {word!r} is not in the alphabet of {lang}") and said.endswith(advice)


@pytest.mark.parametrize("engine", ["standalone", "vm"])
def test_a_word_of_invisible_characters_is_empty(engines: dict[str, G2P], engine: str) -> None:
    for word in ("\u200b", " \ufeff ", "\u00ad"):
        with pytest.raises(errors.EmptyWord):
            engines[engine]([word], "eng-us")


@pytest.mark.parametrize("engine", ["standalone", "vm"])
@pytest.mark.parametrize(
    ("word", "lang"), [("-", "eng-us"), ("’", "eng-us"), ("...", "eng-us"), (".", "tha"), ("ิ", "tha")]
)
def test_punctuation_and_marks_alone_are_not_guessed(
    engines: dict[str, G2P], engine: str, word: str, lang: str
) -> None:
    with pytest.raises(errors.EmptyWord, match="has no letter: give at least one"):
        engines[engine]([word], lang)


def test_the_manifest_holds_the_form(built: Tree) -> None:
    model = json.loads((built.root / "manifests" / f"{DEFAULT}.json").read_bytes())["model"]
    assert (model["text"]["form"], model["text"]["case"], model["text"]["strip"]) == ("nfc", "lower", True)
    assert model["text"]["languages"]["fin"]["alphabet"].endswith("äèéöšž")
    assert model["text"]["languages"]["eng-us"]["letters"]["b"] == "ˈbi"


# conf/


def test_raw_takes_words_as_they_are() -> None:
    [raw] = variants(["checkpoint.text=raw"])
    assert raw.checkpoint.text is None  # type: ignore[attr-defined]
    [charsiu] = variants(["checkpoint=random"])
    assert charsiu.checkpoint.text is None  # type: ignore[attr-defined]


def test_each_field_can_be_given() -> None:
    lines = ["checkpoint.text.case=keep", "checkpoint.text.strip=false", "checkpoint.text.languages.fin.case=lower"]
    [variant] = variants(lines)
    text = variant.checkpoint.text  # type: ignore[attr-defined]
    assert (text.case, text.strip, dict(text.languages)["fin"].case) == ("keep", False, "lower")
    assert dict(text.languages)["swa"].case == "keep"


def test_letters_have_names_and_vowels_have_none() -> None:
    [variant] = variants(["checkpoint.text.languages.swa.letters={b: be, d: de}"])
    languages = dict(variant.checkpoint.text.languages)  # type: ignore[attr-defined]
    assert languages["swa"].letters == (("b", "be"), ("d", "de"))
    assert languages["fin"].letters == ()
    named = dict(languages["eng-us"].letters)
    assert set("abcdefghijklmnopqrstuvwxyz") - set(named) == set("aeiouy")
    assert named["w"] == "ˈdəbəɫju" and dict(languages["spa-latin"].letters)["ñ"] == "ɛɲɛ"


MISTAKES = [
    ("checkpoint.text=row", "checkpoint.text=row: give raw, or its fields: checkpoint.text.NAME=VALUE"),
    (
        "checkpoint.text.case=upper",
        "unknown checkpoint.text.case 'upper': it is one of keep, lithuanian, lower",
    ),
    ("checkpoint.text.form=nfd", "unknown checkpoint.text.form 'nfd': did you mean 'nfc'?"),
    ("checkpoint.text.languages.fin.alphabet=''", "checkpoint.text.languages.fin.alphabet is empty"),
    (
        "checkpoint.text.languages.fin.letters.B=bee",
        "checkpoint.text.languages.fin.letters: 'B' is not one small letter in the language's form of text",
    ),
    ("checkpoint.text.languages.fin.letters={ch: x}", "checkpoint.text.languages.fin.letters: 'ch' is not one"),
    ("checkpoint.text.languages.fin.letters={q: kuu, c: x}", "checkpoint.text.languages.fin.letters: 'c' is not in"),
    ("checkpoint.text.languages.fin.letters.b=''", "checkpoint.text.languages.fin.letters.b='': give its name in"),
    ("checkpoint.text.languages.fin.letters.b='a,b'", "checkpoint.text.languages.fin.letters.b='a,b': give its name"),
    ("checkpoint.text.cases=lower", "unknown key 'checkpoint.text.cases': did you mean"),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES)
def test_a_mistake_is_one_line(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        variants([line])
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


def test_a_pair_that_would_not_be_stable_is_refused(tmp_path: Path) -> None:
    import shutil

    from g2p_build.config.compose import CONF

    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    path = conf / "checkpoint" / "embedded.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace('"\\u2019": "\'"', '"\\u2019": "E"'), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"checkpoint\.text\.pairs: the pair '’' to 'E': its target is not"):
        variants([], conf)
