"""Pronounced words as lines: tables for programs, lexicons for speech tools. docs/lists.md describes the formats."""

import csv
import dataclasses
import io
import json
import unicodedata
from typing import Any

from g2p_build.runtime.errors import EmptyWord, InvalidWord
from g2p_build.runtime.results import Result

__all__ = ["DETAILS", "FORMATS", "LEXICONS", "as_line", "cells", "header", "phonemes", "phones", "refused"]

LEXICONS = ("kaldi", "mfa")
"""Formats of pronunciation lexicons: words, and phonemes with spaces between them."""

FORMATS = ("tsv", "jsonl", "csv", *LEXICONS)

DETAILS = ("source", "score", "notes")
"""The columns that details add."""

_STRESS = "ˈˌ"  # letters to Unicode, boundaries to us
_TIES = "\u0361\u035c"
_NASALS = "ᵐᶬⁿᶯᶮᵑᶰ"  # superscripts that belong to the letter behind them: ⁿd


def header(form: str, langs: bool, details: bool) -> str:
    """The lines before the first word's: the names of columns in CSV, nothing in all other formats."""
    names = ("word", "phonemes", *(("lang",) if langs else ()), *(DETAILS if details else ()))
    return _csv(names) if form == "csv" else ""


def as_line(result: Result, form: str, langs: bool, details: bool) -> str:
    """A word's line, with its end.

    Args:
        result: the word. In a lexicon it has no error.
        form: one of `FORMATS`.
        langs: whether a table has a column for the language. JSON always has it, a lexicon never.
        details: whether there are columns for `DETAILS`.
    """
    if form == "jsonl":
        return json.dumps(_as_json(result, details), ensure_ascii=False) + "\n"
    if form in LEXICONS:
        return result.word + (" " if form == "kaldi" else "\t") + " ".join(phones(result.phonemes)) + "\n"
    if form == "csv":
        return _csv(cells(result, langs, details))
    if isinstance(result.error, EmptyWord):
        return "\n"  # a blank line stays in its place
    return "\t".join(cells(result, langs, details)) + "\n"


def cells(result: Result, langs: bool, details: bool) -> tuple[str, ...]:
    """A word's row of a table."""
    row = (result.word, result.phonemes, *((result.lang,) if langs else ()))
    if not details:
        return row
    notes = [name for name in ("truncated", "repeats") if getattr(result, name)]
    if result.error is not None:
        return (*row, "", "", "wrong")
    return (*row, result.source, "" if result.score is None else f"{result.score:.4f}", " ".join(notes))


def refused(result: Result, form: str) -> Result:
    """The same word, with an error if the format has no place for it: a lexicon separates what it holds by spaces."""
    if form not in LEXICONS or result.error is not None:
        return result
    if len(result.word.split()) > 1:
        error = InvalidWord(f"the word {result.word!r} has a space, and a {form} lexicon's words end at one")
    elif not phones(result.phonemes):
        error = InvalidWord(f"the word {result.word!r} has no phonemes, and a {form} lexicon's words have some")
    else:
        return result
    return dataclasses.replace(result, error=error)


def phones(phonemes: str) -> list[str]:
    """Splits a pronunciation into symbols: a letter with the marks and modifiers that belong to it.

    Combining marks, modifier letters (``ʰ ʲ ː``), tone letters and superscripts go with the letter before them;
    superscript nasals, and modifiers that no letter precedes, with the letter behind them. A tie bar makes one symbol
    of two letters. Stress marks, punctuation (``.`` and ``-`` between syllables) and spaces are left out.
    """
    found: list[str] = []
    joins = inside = False  # whether the next letter, or the next mark, goes with the last symbol
    for character, behind in zip(phonemes, phonemes[1:] + " ", strict=True):
        category = unicodedata.category(character)
        if character in _STRESS or category[0] in "PZ":
            joins = inside = False
            continue
        mark = category[0] == "M" or category in ("Lm", "Sk", "No")
        starts = not inside or (character in _NASALS and unicodedata.category(behind) in ("Ll", "Lo", "Lu"))
        if (mark and starts and not joins) or not (mark or joins):
            found.append(character)
            joins = mark
        else:
            found[-1] += character
            joins = mark and (joins or character in _TIES)
        inside = True
    return found


def _csv(row: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue()


def phonemes(result: Result) -> dict[str, Any]:
    """What JSON says of a word: its phonemes, or what is wrong with it."""
    if result.error is not None:
        return {"phonemes": None, "error": {"code": type(result.error).__name__, "message": str(result.error)}}
    return {"phonemes": result.phonemes}


def _as_json(result: Result, details: bool) -> dict[str, Any]:
    found = {"word": result.word, "lang": result.lang} | phonemes(result)
    if result.error is not None:
        return found
    found |= {"source": result.source, "truncated": result.truncated, "repeats": result.repeats}
    return found | ({"score": result.score} if details else {})
