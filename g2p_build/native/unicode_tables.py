"""Writes the core's Unicode tables from Unicode's own files, and what the standard libraries of Python and Rust lack.

These commands write ``core/unicode_tables.c``, ``runtime/joining.py`` and the crate's ``categories.rs`` again:

    apt-get install unicode-data
    python -m g2p_build.native.unicode_tables [/usr/share/unicode]

All are committed, so a build does not need Unicode's files. The tables are compressed, because every app carries them.
``core/unicode.c`` reads them and explains how.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from g2p_build.errors import BuildError, os_errors_explained

__all__ = ["FOLDER", "RUST", "Unicode", "c_tables", "categories", "joining", "main", "read"]

FOLDER = Path("/usr/share/unicode")
"""The folder of Unicode's files in Debian's and Ubuntu's package ``unicode-data``."""

RUST = Path(__file__).parents[2] / "rust" / "src" / "categories.rs"
"""The tables of the crate."""

CODES = range(0x110000)
HANGUL = range(0xAC00, 0xD7A4)
INVISIBLE = {0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF}
"""Characters that a form can remove: soft hyphen, zero-width space, word joiner, byte order mark, direction marks."""

EMOJI = (range(0x2600, 0x27C0), range(0x1F1E6, 0x1F200), range(0x1F300, 0x1FB00))
"""Code points whose symbols are called emoji: exact enough for a message, and known without Unicode's files."""

FLAGS = ("CASED", "IGNORABLE", "LOWERS", "DECOMPOSES", "NOT_NFC", "SECOND", "INVISIBLE", "WIDE")
"""The flags of a character, stored with its combining class. unicode.h explains each."""

KINDS = (
    *("OTHER", "LETTER", "MARK", "DIGIT", "NUMBER", "PUNCTUATION", "SYMBOL", "EMOJI", "SPACE", "FORMAT"),
    *("JOINING_LETTER", "JOINING_MARK", "INHERITED_MARK"),
)
"""The kinds of characters, for messages and for joiners. unicode.h explains each."""

BREAKS = (
    *("OTHER", "CR", "LF", "NEWLINE", "EXTEND", "ZWJ", "FORMAT", "KATAKANA", "HEBREW", "ALETTER", "SINGLE_QUOTE"),
    *("DOUBLE_QUOTE", "MIDNUMLET", "MIDLETTER", "MIDNUM", "NUMERIC", "EXTENDNUMLET", "SPACE", "REGIONAL", "PICTURE"),
)
"""What a character means for where words end: Unicode's property Word_Break. unicode.h explains each."""

NOTICE = (
    "Derived from data files of the Unicode Character Database: Copyright (c) 1991-2022 Unicode, Inc. All rights "
    "reserved. Distributed under the Terms of Use in https://www.unicode.org/copyright.html; see NOTICE."
)


@dataclass(frozen=True)
class Unicode:
    """The properties that the tables are made from. A code point that is missing has the property's default value."""

    version: str
    category: dict[int, str]
    combining: dict[int, int]
    decomposed: dict[int, tuple[int, ...]]  # by one step; without Hangul syllables, which are computed
    excluded: frozenset[int]  # characters with two parts that are never composed from them
    lower: dict[int, int]
    wide: dict[int, int]  # full-width and half-width forms
    cased: frozenset[int]
    ignorable: frozenset[int]
    script: dict[int, str]
    joined: frozenset[str]  # scripts that spell words with joiners
    breaks: dict[int, str]  # Word_Break, as `BREAKS` spells it; PICTURE: no value, but Extended_Pictographic

    def composed(self) -> dict[int, tuple[int, int]]:
        """The characters that composition makes from two others, without Hangul."""
        pairs = {code: (parts[0], parts[-1]) for code, parts in self.decomposed.items() if len(parts) == 2}
        return {
            code: (first, second)
            for code, (first, second) in pairs.items()
            if code not in self.excluded and not self.combining.get(code) and not self.combining.get(first)
        }

    @cached_property
    def kinds(self) -> list[str]:
        """The kind of each code point, one of `KINDS`."""
        return [self._kind(code) if code in self.category else "OTHER" for code in CODES]

    def _kind(self, code: int) -> str:
        category, script = self.category[code], self.script.get(code)
        if category[0] in "LM" and script in self.joined:
            return "JOINING_LETTER" if category[0] == "L" else "JOINING_MARK"
        if category[0] == "M":
            return "INHERITED_MARK" if script == "Inherited" else "MARK"
        if category[0] == "S" and any(code in codes for codes in EMOJI):
            return "EMOJI"
        kinds = {"Nd": "DIGIT", "Zs": "SPACE", "Co": "OTHER", "Cs": "OTHER"}
        first = {"L": "LETTER", "N": "NUMBER", "P": "PUNCTUATION", "S": "SYMBOL"}
        return kinds.get(category) or first.get(category[0], "FORMAT")


def read(folder: Path) -> Unicode:
    """Reads Unicode's files.

    Raises:
        BuildError: a file is missing, or has something that the core cannot do.
    """
    with os_errors_explained():
        category, combining, lower, wide = {}, {}, {}, {}
        decomposed: dict[int, tuple[int, ...]] = {}
        first = 0
        for code_text, name, general, combines, decomposition, to_lower in _character_rows(folder):
            code = int(code_text, 16)
            if name.endswith(", First>"):
                first = code
                continue
            for one in range(first if name.endswith(", Last>") else code, code + 1):
                category[one] = general
            if combines != "0":
                combining[code] = int(combines)
            *tag, parts = decomposition.rpartition("> ")
            if not tag[0] and parts:
                decomposed[code] = tuple(int(part, 16) for part in parts.split())
            elif tag[0] in ("<wide", "<narrow"):
                wide[code] = int(parts, 16)
            if to_lower:
                lower[code] = int(to_lower, 16)
        joining_types = _property(folder / "extracted" / "DerivedJoiningType.txt")
        syllabic = _property(folder / "IndicSyllabicCategory.txt")
        script = _property(folder / "Scripts.txt")
        core = folder / "DerivedCoreProperties.txt"
        joined = {script.get(code) for code, kind in joining_types.items() if kind in "DRL"}
        joined |= {script.get(code) for code, kind in syllabic.items() if kind in ("Virama", "Invisible_Stacker")}
        found = Unicode(
            version=_version(folder),
            category=category,
            combining=combining,
            decomposed=decomposed,
            excluded=frozenset(_property(folder / "CompositionExclusions.txt")),
            lower=lower,
            wide=wide,
            cased=frozenset(_property(core, "Cased")),
            ignorable=frozenset(_property(core, "Case_Ignorable")),
            script=script,
            breaks=_breaks(folder),
            joined=frozenset(name for name in joined if name not in (None, "Common", "Inherited")),
        )
        _check(found, folder)
    return found


def _breaks(folder: Path) -> dict[int, str]:
    spelled = {"Hebrew_Letter": "HEBREW", "WSegSpace": "SPACE", "Regional_Indicator": "REGIONAL"}
    found = dict.fromkeys(_property(folder / "emoji" / "emoji-data.txt", "Extended_Pictographic"), "PICTURE")
    for code, value in _property(folder / "auxiliary" / "WordBreakProperty.txt").items():
        if code in found and value != "ALetter":
            raise BuildError(f"U+{code:04X} is a picture and {value}: core/unicode.h must learn of it first")
        found[code] = spelled.get(value, value.upper())
    return found


def _rows(path: Path) -> Iterator[list[str]]:
    """The fields of a file's lines, without comments."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            yield [field.strip() for field in text.split(";")]


def _character_rows(folder: Path) -> Iterator[tuple[str, str, str, str, str, str]]:
    for row in _rows(folder / "UnicodeData.txt"):
        yield row[0], row[1], row[2], row[3], row[5], row[13]


def _property(path: Path, wanted: str | None = None) -> dict[int, str]:
    """The value of each code point that a file names. `wanted` limits them to one value."""
    found = {}
    for codes, *values in _rows(path):
        if wanted is None or wanted in values[:1]:
            first, _, last = codes.partition("..")
            for code in range(int(first, 16), int(last or first, 16) + 1):
                found[code] = values[0] if values else ""
    return found


def _version(folder: Path) -> str:
    path = folder / "DerivedAge.txt"
    with path.open(encoding="utf-8") as lines:
        found = re.match(r"# DerivedAge-([0-9.]+)\.txt", next(lines))
    if not found:
        raise BuildError(f"{path} does not say its version: give a folder with Unicode's own files")
    return found.group(1)


def _check(unicode: Unicode, folder: Path) -> None:
    """Checks what `core/form.c` assumes about Unicode.

    Raises:
        BuildError: an assumption is wrong for these files.
    """
    special = {
        row[0]
        for row in _rows(folder / "SpecialCasing.txt")
        if [int(code, 16) for code in row[1].split()] != [unicode.lower.get(int(row[0], 16), int(row[0], 16))]
    }
    parts = {part for parts in unicode.decomposed.values() for part in parts}
    reasons = {
        # U+0130 is the only unconditional rule. The others are for languages, and for U+03A3 at the end of a word.
        "another special lower case": special
        != {"0130", "03A3", "0049", "004A", "012E", "00CC", "00CD", "0128", "0307"},
        "a lower case that decomposes": any(
            unicode.lower[code] in unicode.decomposed for code in unicode.lower if code not in unicode.decomposed
        ),
        "a wide form of what decomposes": any(code in unicode.decomposed for code in unicode.wide.values()),
        "a part that is a wide form or invisible": bool(parts & (set(unicode.wide) | INVISIBLE)),
        "a capital sigma inside another character": 0x3A3 in parts,
        "a second part that decomposes": any(
            part in unicode.decomposed for parts in unicode.decomposed.values() for part in parts[1:]
        ),
        "a pair of different planes": any(
            len({code >> 16, *(part >> 16 for part in parts)}) > 1
            for code, parts in unicode.decomposed.items()
            if len(parts) == 2
        ),
    }
    for reason, found in reasons.items():
        if found:
            raise BuildError(f"Unicode {unicode.version} in {folder} has {reason}: core/form.c must learn of it first")


def c_tables(unicode: Unicode) -> str:
    """The text of ``core/unicode_tables.c``."""
    composed = unicode.composed()
    seconds = sorted({second for _, second in composed.values()})
    seconds += sorted({parts[1] for parts in unicode.decomposed.values() if len(parts) == 2} - set(seconds))
    second_of = {second: place for place, second in enumerate(seconds)}
    keys = sorted(unicode.decomposed)
    firsts, marks, runs = [], [], []
    for place, code in enumerate(keys):
        parts = unicode.decomposed[code]
        firsts.append(parts[0] & 0xFFFF)
        # 0 and 1: the only part, in plane 0 or 2; else the second part, and the first is in the character's plane.
        marks.append(second_of[parts[1]] + 2 if len(parts) == 2 else {0: 0, 2: 1}[parts[0] >> 16])
        if not place or code != keys[place - 1] + 1:
            runs.append((code, place))
    order = sorted(
        (place for place, code in enumerate(keys) if code in composed), key=lambda place: (marks[place], firsts[place])
    )
    starts = [sum(marks[place] - 2 < second for place in order) for second in range(len(seconds) + 1)]
    records, trie = _trie(_records(unicode, composed))
    lower = _lower_runs(unicode.lower)
    narrow = [unicode.wide.get(code, 0) for code in range(0xFF5F, 0xFFEF)]
    arrays = [
        ("uint16_t", "g2p_records", records),
        *trie,
        ("uint32_t", "g2p_decomposed_runs", [code for code, _ in runs]),
        ("uint16_t", "g2p_decomposed_places", [*(place for _, place in runs), len(keys)]),
        ("uint16_t", "g2p_decomposed_firsts", firsts),
        ("uint8_t", "g2p_decomposed_seconds", marks),
        ("uint32_t", "g2p_seconds", seconds),
        ("uint16_t", "g2p_compositions", order),
        ("uint16_t", "g2p_composition_starts", starts),
        ("uint32_t", "g2p_lower_runs", [run for run, _ in lower]),
        ("int32_t", "g2p_lower_deltas", [delta for _, delta in lower]),
        ("uint16_t", "g2p_narrow_forms", narrow),
        ("uint8_t", "g2p_kinds", _runs([KINDS.index(name) for name in unicode.kinds], 4)),
        ("uint8_t", "g2p_breaks", _runs([BREAKS.index(unicode.breaks.get(code, "OTHER")) for code in CODES], 3)),
    ]
    counts = {
        "G2P_DECOMPOSED_RUNS": len(runs),
        "G2P_SECONDS": len(seconds),
        "G2P_LOWER_RUNS": len(lower),
    }
    return "\n".join(
        [
            f"/* Unicode {unicode.version}. Made by `python -m g2p_build.native.unicode_tables`: change that.",
            " *",
            *_wrapped(NOTICE, " * "),
            " */",
            '#include "unicode_tables.h"',
            "",
            f'const char g2p_unicode_version[] = "{unicode.version}";',
            *(f"const uint16_t {name.lower()}_count = {count};" for name, count in counts.items()),
            *(line for kind, name, values in arrays for line in _array(kind, name, values)),
            "",
        ]
    )


def _records(unicode: Unicode, composed: dict[int, tuple[int, int]]) -> list[int]:
    """The record of each code point: its combining class and, in higher bits, the `FLAGS`."""
    seconds = {second for _, second in composed.values()} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    sets: dict[str, Callable[[int], bool]] = {
        "CASED": unicode.cased.__contains__,
        "IGNORABLE": unicode.ignorable.__contains__,
        "LOWERS": unicode.lower.__contains__,
        "DECOMPOSES": lambda code: code in unicode.decomposed or code in HANGUL,
        "NOT_NFC": lambda code: code in unicode.decomposed and code not in composed,
        "SECOND": seconds.__contains__,
        "INVISIBLE": INVISIBLE.__contains__,
        "WIDE": unicode.wide.__contains__,
    }
    tests = [sets[name] for name in FLAGS]
    return [
        unicode.combining.get(code, 0) | sum(256 << bit for bit, test in enumerate(tests) if test(code))
        for code in CODES
    ]


def _trie(values: Sequence[int]) -> tuple[list[int], list[tuple[str, str, list[int]]]]:
    """Three tables, each of different blocks of the next one's places; the last of the records' places."""
    records = sorted(set(values))
    place_of = {record: place for place, record in enumerate(records)}
    leaves, blocks = _blocks([place_of[value] for value in values], 16)
    branches, groups = _blocks(leaves, 32)
    return records, [
        ("uint8_t", "g2p_record_roots", branches),
        ("uint16_t", "g2p_record_branches", groups),
        ("uint8_t", "g2p_record_leaves", blocks),
    ]


def _blocks(values: Sequence[int], size: int) -> tuple[list[int], list[int]]:
    """The place of each block among the different ones, and those one after the other."""
    places: dict[tuple[int, ...], int] = {}
    found = [places.setdefault(tuple(values[at : at + size]), len(places)) for at in range(0, len(values), size)]
    return found, [value for block in places for value in block]


def _lower_runs(lower: dict[int, int]) -> list[tuple[int, int]]:
    """Runs of characters with the same distance to their lower case. A run takes every character, or every second one.

    A run is its first code point (21 bits), whether it goes by two (1 bit), and how many more there are (10 bits).
    """
    runs: list[list[int]] = []  # first, last, step or 0, distance
    for code in sorted(lower):
        distance = lower[code] - code
        if runs and runs[-1][3] == distance:
            first, last, step, _ = runs[-1]
            if code - last == step or (not step and code - last in (1, 2)):
                runs[-1] = [first, code, code - last, distance]
                continue
        runs.append([code, code, 0, distance])
    return [
        (first | (step == 2) << 21 | ((last - first) // max(step, 1)) << 22, distance)
        for first, last, step, distance in runs
    ]


def _runs(values: Sequence[int], bits: int) -> list[int]:
    """Runs of characters with one value, from U+0000 on. A byte has the value, and below it the length minus 1.

    That field, of n bits, has numbers up to 2 ** n - 5 as they are. The three after these mean: as much as the first of
    them, plus the number in the next 1, 2 or 3 bytes.

    Args:
        values: of each code point.
        bits: of a byte's length. The other bits hold the value.
    """
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 0])
    most, data = (1 << bits) - 4, []
    for value, more in runs:
        if more < most:
            data.append(value << bits | more)
        else:
            size = (max(more - most, 1).bit_length() + 7) // 8
            data += [value << bits | most - 1 + size, *(more - most).to_bytes(size, "big")]
    return data


def _array(kind: str, name: str, values: Sequence[int]) -> list[str]:
    text = ", ".join(str(value) for value in values)
    return ["", f"const {kind} {name}[{len(values)}] = {{", *_wrapped(text, "    "), "};"]


def _wrapped(text: str, margin: str, most: int = 120) -> list[str]:
    """Words in lines of at most so many characters. (textwrap takes minutes for lines this long.)"""
    lines, line = [], margin.rstrip("\n")
    for word in text.split(" "):
        if len(line) + len(word) > most:
            lines.append(line.rstrip())
            line = margin
        line += word + " "
    return [*lines, line.rstrip()]


def joining(unicode: Unicode) -> str:
    """The text of ``runtime/joining.py``: facts about scripts that Python's ``unicodedata`` lacks."""
    letters = _ranges(lambda code: unicode.kinds[code].startswith("JOINING"))
    marks = _ranges(lambda code: unicode.kinds[code] == "INHERITED_MARK")
    return "\n".join(
        [
            f'"""Unicode {unicode.version}. Made by `python -m g2p_build.native.unicode_tables`: change that.',
            "",
            *_wrapped(NOTICE, ""),
            '"""',
            "",
            '__all__ = ["INHERITED", "JOINED"]',
            "",
            "# fmt: off",
            *_python("JOINED", "Letters and marks of scripts that spell words with joiners: first and last.", letters),
            "",
            *_python("INHERITED", "Marks that go with letters of any script: first and last.", marks),
            "",
        ]
    )


def _ranges(test: Callable[[int], bool]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for code in filter(test, CODES):
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def _python(name: str, what: str, ranges: Sequence[tuple[int, int]]) -> list[str]:
    text = ", ".join(f"(0x{first:X},\u00a00x{last:X})" for first, last in ranges) + ","
    lines = [line.replace("\u00a0", " ") for line in _wrapped(text, "    ")]
    return [f"{name}: tuple[tuple[int, int], ...] = (", *lines, ")", f'"""{what}"""']


def categories(unicode: Unicode) -> str:
    """The text of the crate's ``categories.rs``: what a pronunciation's symbols are told by."""
    marks = _ranges(lambda code: unicode.category.get(code, "Cn") in ("Mc", "Me", "Mn", "Lm", "Sk", "No"))
    breaks = _ranges(lambda code: unicode.category.get(code, "Cn")[0] in "PZ")
    lines = [
        f"//! Unicode {unicode.version}. Made by `python -m g2p_build.native.unicode_tables`: change that.",
        "//!",
        *(f"//! {line}" for line in _wrapped(NOTICE, "", 116)),
        "",
        *_rust("MARKS", "Marks, modifier letters and symbols, superscripts: first and last.", marks),
        "",
        *_rust("BREAKS", "Punctuation and separators: first and last.", breaks),
        "",
    ]
    return "\n".join(lines)


def _rust(name: str, what: str, ranges: Sequence[tuple[int, int]]) -> list[str]:
    text = ", ".join(f"(0x{first:X},\u00a00x{last:X})" for first, last in ranges) + ","
    lines = [line.replace("\u00a0", " ") for line in _wrapped(text, "    ")]
    return [f"/// {what}", "#[rustfmt::skip]", f"pub(crate) const {name}: &[(u32, u32)] = &[", *lines, "];"]


def main(arguments: Sequence[str]) -> int:
    """Writes the tables. Returns the exit code."""
    here = Path(__file__)
    try:
        unicode = read(Path(arguments[0]) if arguments else FOLDER)
        (here.with_name("core") / "unicode_tables.c").write_text(c_tables(unicode), encoding="utf-8")
        (here.parents[1] / "runtime" / "joining.py").write_text(joining(unicode), encoding="utf-8")
        RUST.write_text(categories(unicode), encoding="utf-8")
    except BuildError as error:
        print(f"unicode_tables: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
