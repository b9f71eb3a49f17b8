"""The fields in conf/ for the form of text that a checkpoint was trained on."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from g2p_build.config.fields import one_of
from g2p_build.config.overrides import ConfigError
from g2p_build.runtime.form import CASES, Form, check_form, in_form

__all__ = ["LanguageText", "LanguageTextConf", "Text", "TextConf", "text"]

FORMS = ("nfc", "none")
LONGEST_NAME = 100  # bytes of a letter's name: a word that is spelled has up to five letters


@dataclass
class LanguageTextConf:
    """conf/checkpoint/*.yaml, below `text.languages`."""

    case: str | None = None  # default: the checkpoint's
    pairs: dict[str, str] = field(default_factory=dict)  # added to the checkpoint's
    alphabet: str | None = None  # the characters of its words, in the form; None: not known, so all are accepted
    letters: dict[str, str] = field(default_factory=dict)  # letter → its name in phonemes; vowels are left out


@dataclass
class TextConf:
    """conf/checkpoint/*.yaml, below `text`."""

    WORDS: ClassVar[dict[str, Any]] = {"raw": None}  # a word in place of the fields → its meaning

    form: str = "nfc"
    case: str = "lower"
    visible: bool = True
    narrow: bool = True
    strip: bool = True
    pairs: dict[str, str] = field(default_factory=dict)
    languages: dict[str, LanguageTextConf] = field(default_factory=dict)


@dataclass(frozen=True)
class LanguageText:
    """The form of text of one language, where it differs from the checkpoint's."""

    case: str
    pairs: tuple[tuple[str, str], ...]  # sorted; added to the checkpoint's
    alphabet: str | None
    letters: tuple[tuple[str, str], ...]  # sorted

    def as_json(self) -> dict[str, Any]:
        """The language's entry in `model.text.languages` of a manifest."""
        return {"case": self.case, "pairs": dict(self.pairs), "alphabet": self.alphabet, "letters": dict(self.letters)}


@dataclass(frozen=True)
class Text:
    """The form that words are brought into before they become ids. docs/text.md explains each field."""

    form: str
    case: str
    visible: bool
    narrow: bool
    strip: bool
    pairs: tuple[tuple[str, str], ...]  # sorted
    languages: tuple[tuple[str, LanguageText], ...]  # sorted; only languages that differ from the fields above

    def as_json(self) -> dict[str, Any]:
        """The object `model.text` of a manifest."""
        return {
            "form": self.form,
            "case": self.case,
            "visible": self.visible,
            "narrow": self.narrow,
            "strip": self.strip,
            "pairs": dict(self.pairs),
            "languages": {name: one.as_json() for name, one in self.languages},
        }


def text(fields: dict[str, Any] | None, languages: list[str] | None) -> Text | None:
    """The form of text from its fields, which the schema has typed. None: words are taken as they are.

    Args:
        fields: the fields of `TextConf`.
        languages: the languages that the checkpoint knows; None: not known.

    Raises:
        ConfigError: a field is wrong, or fields do not go together. One line.
    """
    if fields is None:
        return None
    one_of("checkpoint.text.form", fields["form"], FORMS)
    _check_form(fields, "", fields["case"], fields["pairs"])
    found = {}
    for name, each in sorted(fields["languages"].items()):
        where = f"languages.{name}."
        if languages is not None and name not in languages:
            continue  # the checkpoint is built for fewer languages than its file knows
        if each["alphabet"] == "":
            raise ConfigError(f"checkpoint.text.{where}alphabet is empty: leave it out if it is not known")
        case = each["case"] or fields["case"]
        _check_form(fields, where, case, fields["pairs"] | each["pairs"])
        alphabet = "".join(sorted(set(each["alphabet"]))) if each["alphabet"] else None
        form = _form(fields, case, fields["pairs"] | each["pairs"])
        _check_letters(form, f"checkpoint.text.{where}letters", each["letters"], alphabet)
        pairs, letters = (tuple(sorted(each[key].items())) for key in ("pairs", "letters"))
        found[name] = LanguageText(case, pairs, alphabet, letters)
    return Text(
        **{key: fields[key] for key in ("form", "case", "visible", "narrow", "strip")},
        pairs=tuple(sorted(fields["pairs"].items())),
        languages=tuple(found.items()),
    )


def _check_form(fields: dict[str, Any], where: str, case: str, pairs: dict[str, str]) -> None:
    one_of(f"checkpoint.text.{where}case", case, CASES)
    try:
        check_form(_form(fields, case, pairs))
    except ValueError as error:
        raise ConfigError(f"checkpoint.text.{where}pairs: {error}") from None


def _form(fields: dict[str, Any], case: str, pairs: dict[str, str]) -> Form:
    switches = {name: fields[name] for name in ("visible", "narrow", "strip")}
    return Form(nfc=fields["form"] == "nfc", case=case, pairs=pairs, **switches)


def _check_letters(form: Form, where: str, letters: dict[str, str], alphabet: str | None) -> None:
    for letter, name in letters.items():
        if len(letter) != 1 or letter.upper() == letter or in_form(form, letter) != letter:
            raise ConfigError(f"{where}: {letter!r} is not one small letter in the language's form of text")
        if alphabet is not None and letter not in alphabet:
            raise ConfigError(f"{where}: {letter!r} is not in the language's alphabet")
        if not name.strip() or not name.isprintable() or "," in name or len(name.encode()) > LONGEST_NAME:
            raise ConfigError(f"{where}.{letter}={name!r}: give its name in phonemes, {LONGEST_NAME} bytes at most")
