"""How a model's languages are written, as C: the form that words are brought into, and the alphabet."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["CASES", "ranges", "writings"]

CASES = {
    "keep": "G2P_KEEP_CASE",
    "lower": "G2P_LOWER",
    "turkic": "G2P_LOWER_TURKIC",
    "lithuanian": "G2P_LOWER_LITHUANIAN",
}
"""What C calls them."""


def writings(languages: Sequence[Mapping[str, Any]]) -> str:
    """C11 that defines ``static const struct g2p_writing writings[]``, for a file that includes ``form.h``.

    Args:
        languages: For each, in the order of the contract: ``nfc``, ``visible``, ``narrow``, ``strip``, ``case``,
            ``pairs`` (by character, what it becomes) and ``alphabet`` (its characters, or None), as
            `g2p_build.runtime.form` knows them.
    """
    tables: dict[str, str] = {}  # its C: its name
    rows = []
    for language in languages:
        form = [*(str(bool(language[name])).lower() for name in ("nfc", "visible", "narrow", "strip"))]
        pairs = sorted((ord(source), ord(target) if target else 0) for source, target in language["pairs"].items())
        alphabet = [] if language["alphabet"] is None else ranges(language["alphabet"])
        parts = ", ".join([*form, CASES[language["case"]], *_table(tables, "g2p_pair", pairs)])
        rows.append(f"    {{{{{parts}}}, {{{', '.join(_table(tables, 'g2p_range', alphabet))}}}}},")
    return "\n".join([*tables, "static const struct g2p_writing writings[] = {", *rows, "};", ""])


def ranges(alphabet: str) -> list[tuple[int, int]]:
    """Ranges of code points, first and last, that hold an alphabet's characters and no others."""
    found: list[tuple[int, int]] = []
    for code in sorted(map(ord, alphabet)):
        if found and code <= found[-1][1] + 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def _table(tables: dict[str, str], kind: str, pairs: Sequence[tuple[int, int]]) -> list[str]:
    """The table's name and size; equal tables are there once."""
    if not pairs:
        return ["0", "0"]
    rows = ", ".join(f"{{0x{first:x}, 0x{second:x}}}" for first, second in pairs)
    text = f"static const struct {kind} NAME[] = {{{rows}}};"
    name = next((name for made, name in tables.items() if made == text.replace("NAME", name)), f"table_{len(tables)}")
    tables[text.replace("NAME", name)] = name
    return [name, str(len(pairs))]
