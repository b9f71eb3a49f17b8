"""Writes the form of text, the alphabet and the letters' names of each language as C tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from g2p_build.native.tables import string

__all__ = ["CASES", "ranges", "writings"]

CASES = {
    "keep": "G2P_KEEP_CASE",
    "lower": "G2P_LOWER",
    "turkic": "G2P_LOWER_TURKIC",
    "lithuanian": "G2P_LOWER_LITHUANIAN",
}
"""Case → its name in C."""


def writings(languages: Sequence[Mapping[str, Any]]) -> str:
    """C11 that defines ``static const struct g2p_writing writings[]``, for a file that includes ``form.h``.

    Args:
        languages: for each language, in the order of the model's ``languages``: ``nfc``, ``visible``, ``narrow``,
            ``strip``, ``case``, ``pairs`` (as in `g2p_build.runtime.form`), ``alphabet`` (its characters, or None), and
            ``letters`` (letter → its name).
    """
    tables: dict[tuple[str, str], str] = {}  # a table's type and rows → its name
    rows = []
    for language in languages:
        form = [*(str(bool(language[name])).lower() for name in ("nfc", "visible", "narrow", "strip"))]
        pairs = sorted(
            (ord(source), _hex(ord(target) if target else 0)) for source, target in language["pairs"].items()
        )
        alphabet = [] if language["alphabet"] is None else ranges(language["alphabet"])
        letters = sorted((ord(letter), string(name)) for letter, name in language["letters"].items())
        parts = ", ".join([*form, CASES[language["case"]], *_table(tables, "g2p_pair", pairs)])
        ends = _table(tables, "g2p_range", [(first, _hex(last)) for first, last in alphabet])
        named, count = _table(tables, "g2p_letter", letters)
        rows.append(f"    {{{{{parts}}}, {{{', '.join(ends)}}}, .letters = {named}, .letters_count = {count}}},")
    defined = [f"static const struct {kind} {name}[] = {{{content}}};" for (kind, content), name in tables.items()]
    return "\n".join([*defined, "static const struct g2p_writing writings[] = {", *rows, "};", ""])


def ranges(alphabet: str) -> list[tuple[int, int]]:
    """Ranges of code points (first, last) that hold exactly the characters of an alphabet."""
    found: list[tuple[int, int]] = []
    for code in sorted(map(ord, alphabet)):
        if found and code <= found[-1][1] + 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def _hex(number: int) -> str:
    return f"0x{number:x}"


def _table(tables: dict[tuple[str, str], str], kind: str, pairs: Sequence[tuple[int, str]]) -> list[str]:
    """The name and size of a table of pairs (a code point, C text), as C. Equal tables are written once."""
    if not pairs:
        return ["0", "0"]
    rows = ", ".join(f"{{{_hex(code)}, {value}}}" for code, value in pairs)
    return [tables.setdefault((kind, rows), f"table_{len(tables)}"), str(len(pairs))]
