"""Which of a model's languages a code or a BCP 47 tag means. ``docs/languages.md`` has the rules.

The core has the same rules in ``native/g2p/language.c``.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from g2p_build.runtime.errors import UnknownLanguage
from g2p_build.runtime.language_tags import ALIASES, TAGS, TWO_LETTERS

__all__ = ["found", "language"]

_THREE_LETTERS = dict(zip(TWO_LETTERS.split()[::2], TWO_LETTERS.split()[1::2], strict=True))
_TWO_LETTERS = {three: two for two, three in reversed(_THREE_LETTERS.items())}
_ALIASES = dict(zip(ALIASES.split()[::2], ALIASES.split()[1::2], strict=True))

_WITHIN, _ALSO, _FIRST = 1, 2, 3
"""How well a tag fits a code: as far as both say anything, as another of its tags, as its first one."""


@dataclass(frozen=True)
class _Tag:
    """A tag in lower case. What it does not say is empty."""

    language: str
    script: str = ""
    region: str = ""
    variant: str = ""


def language(languages: Sequence[str] | None, lang: str) -> str:
    """The model's own code for a code or a tag.

    Args:
        languages: the model's codes. None: it takes any, and the tag is one.
        lang: one of the codes, which always means itself, or a BCP 47 tag.

    Raises:
        UnknownLanguage: no code is meant, or several are. The message says what to give.
    """
    if languages is None or lang in languages:
        return lang
    near = found(languages, lang)
    if len(near) > 1:
        choices = f"{', '.join(near[:-1])} or {near[-1]}"
        raise UnknownLanguage(f"the language '{lang}' is ambiguous: give {choices}")
    if not near:
        raise UnknownLanguage(f"unknown language '{lang}': {_hint(languages, lang)}")
    return near[0]


def found(languages: Sequence[str], lang: str) -> list[str]:
    """The codes that fit a tag best, in the model's order."""
    asked = _read(lang)
    if asked is None:
        return []
    fits = [(_fit_code(asked, code), code) for code in languages]
    best = max((fit for fit, _ in fits), default=0)
    return [code for fit, code in fits if fit == best] if best else []


def _read(text: str) -> _Tag | None:
    """A tag's parts; None where it is no tag."""
    if not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*", text):
        return None
    first, *rest = re.split("[-_]", text.lower())
    tag = _Tag(first)
    for place, part in enumerate(rest):
        if len(part) == 1:
            break  # extensions say nothing of how words sound
        if place == 0 and re.fullmatch("[a-z]{3}", part):
            tag = replace(tag, language=part)
        elif re.fullmatch("[a-z]{4}", part) and not tag.script and not tag.region:
            tag = replace(tag, script=part)
        elif re.fullmatch("[a-z]{2}|[0-9]{3}", part) and not tag.region:
            tag = replace(tag, region="gb" if part == "uk" else part)
        elif not tag.variant:
            tag = replace(tag, variant=part)
    return replace(tag, language=_ALIASES.get(tag.language, tag.language))


def _fit_code(asked: _Tag, code: str) -> int:
    if code in TAGS:
        tags = [tag for tag in map(_read, TAGS[code].split()) if tag]
    else:
        tag = _read(code)
        tags = [replace(tag, language=_TWO_LETTERS.get(tag.language, tag.language))] if tag else []
    return max((_fit(asked, tag, place == 0) for place, tag in enumerate(tags)), default=0)


def _fit(asked: _Tag, had: _Tag, first: bool) -> int:
    if asked == had:
        return _FIRST if first else _ALSO
    pairs = ((asked.script, had.script), (asked.region, had.region), (asked.variant, had.variant))
    fits = asked.language == had.language and all(one == other or not one or not other for one, other in pairs)
    return _WITHIN if fits else 0


def _hint(languages: Sequence[str], lang: str) -> str:
    # es-ES is how other programs call what is spa-latin here, or nearly.
    tag, _, rest = lang.lower().replace("_", "-").partition("-")
    three = _THREE_LETTERS.get(tag)
    begins = f"{three}-{rest}".rstrip("-") if three else lang.lower()
    near = [code for code in languages if code.startswith(begins)][:3]
    near = near or [code for code in languages if three and code.startswith(three)][:3]
    near = near or difflib.get_close_matches(lang.lower(), languages, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if len(languages) <= 12:
        return f"there are {', '.join(languages)}"
    return f"see the {len(languages)} that `g2p languages` lists"
