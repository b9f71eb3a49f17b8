"""Writes the form of text and the alphabet of each language as C tables."""

from collections.abc import Mapping, Sequence
from typing import Any

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
            ``strip``, ``case``, ``pairs`` (as in `g2p_build.runtime.form`), and ``alphabet`` (its characters, or None).
    """
    tables: dict[str, str] = {}  # a table's C text → its name
    rows = []
    for language in languages:
        form = [*(str(bool(language[name])).lower() for name in ("nfc", "visible", "narrow", "strip"))]
        pairs = sorted((ord(source), ord(target) if target else 0) for source, target in language["pairs"].items())
        alphabet = [] if language["alphabet"] is None else ranges(language["alphabet"])
        parts = ", ".join([*form, CASES[language["case"]], *_table(tables, "g2p_pair", pairs)])
        rows.append(f"    {{{{{parts}}}, {{{', '.join(_table(tables, 'g2p_range', alphabet))}}}}},")
    return "\n".join([*tables, "static const struct g2p_writing writings[] = {", *rows, "};", ""])


def ranges(alphabet: str) -> list[tuple[int, int]]:
    """Ranges of code points (first, last) that hold exactly the characters of an alphabet."""
    found: list[tuple[int, int]] = []
    for code in sorted(map(ord, alphabet)):
        if found and code <= found[-1][1] + 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def _table(tables: dict[str, str], kind: str, pairs: Sequence[tuple[int, int]]) -> list[str]:
    """The name and size of a table, as C. Equal tables are written once."""
    if not pairs:
        return ["0", "0"]
    rows = ", ".join(f"{{0x{first:x}, 0x{second:x}}}" for first, second in pairs)
    text = f"static const struct {kind} NAME[] = {{{rows}}};"
    name = next((name for made, name in tables.items() if made == text.replace("NAME", name)), f"table_{len(tables)}")
    tables[text.replace("NAME", name)] = name
    return [name, str(len(pairs))]
