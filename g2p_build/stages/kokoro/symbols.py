"""Stage: a Kokoro checkpoint's symbols → what describes the model to its callers, as JSON and as C."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.checkpoints.kokoro.packages import ORIGIN
from g2p_build.checkpoints.kokoro.phonemes import TABLES, Table
from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import from_json
from g2p_build.native.tables import string, strings
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["DESCRIPTION", "EDGE", "STAGE", "build"]

DESCRIPTION = "symbols.json"

EDGE = 0
"""The id that begins and ends every input."""


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `symbols.json`: how symbols become ids, and phonemes symbols. `model.inc` is the same as C.

    The C defines ``model``, a ``struct tts_traits`` of the family's ``traits.h``.

    Args:
        params: `languages` (a list, or None: all whose symbols the checkpoint has) and `source` (the checkpoint's).
        inputs: `architecture.json`, `vocabulary.json`.
        out: an empty folder.

    Raises:
        BuildError: a language has no table, or the checkpoint lacks a symbol of one that is asked for.
    """
    architecture = from_json(json.loads(inputs["architecture.json"].read_bytes()))
    vocabulary: dict[str, int] = json.loads(inputs["vocabulary.json"].read_bytes())
    most = architecture.plbert.max_position_embeddings - 2
    model = {
        "symbols": vocabulary,
        "edge_id": EDGE,
        "max_symbols": most,
        "voice_rows": most,
        "style_dim": architecture.style_dim,
        "hidden_dim": architecture.hidden_dim,
        "harmonics": architecture.istftnet.harmonics,
        "sample_rate": architecture.sample_rate,
        "frame_samples": 2 * architecture.istftnet.samples,
        "languages": _languages(params["languages"], vocabulary),
        "weights": ORIGIN if params["source"] == "packages" else None,
    }
    (out / DESCRIPTION).write_bytes(canonical_json(model) + b"\n")
    (out / "model.inc").write_text(_traits(model), encoding="utf-8")


def _languages(asked: list[str] | None, vocabulary: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """The tables by language, as plain JSON. `pairs` are a list, because their order counts."""
    found = {}
    for language in sorted(TABLES if asked is None else asked):
        if language not in TABLES:
            raise BuildError(
                f"no table maps phonemes of {language!r} to Kokoro's symbols: there is {', '.join(TABLES)}"
            )
        missing = _missing(TABLES[language], vocabulary)
        if missing and asked is not None:
            raise BuildError(
                f"the checkpoint has no symbol {missing!r}, which phonemes of {language!r} become: leave the language "
                "out of checkpoint.languages"
            )
        if not missing:
            table = TABLES[language]
            found[language] = {"vowels": table.vowels, "pairs": [list(pair) for pair in table.rows.items()]}
    return found


def _missing(table: Table, vocabulary: Mapping[str, int]) -> str | None:
    """A symbol of a table that a checkpoint lacks; None if there is none."""
    return next((symbol for each in table.rows.values() for symbol in each if symbol not in vocabulary), None)


def _traits(model: Mapping[str, Any]) -> str:
    """C text that defines `model`, a structure of traits.h."""
    numbers = (
        *("edge_id", "max_symbols", "voice_rows", "style_dim", "hidden_dim", "harmonics"),
        *("frame_samples", "sample_rate"),
    )
    values = {
        "symbols": "symbols",
        "symbols_count": len(model["symbols"]),
        "languages": "languages" if model["languages"] else "0",
        "codes": "codes" if model["languages"] else "0",
        "languages_count": len(model["languages"]),
        **{name: model[name] for name in numbers},
    }
    symbols = [f"    {{0x{ord(symbol):x}, {number}}}," for symbol, number in sorted(model["symbols"].items())]
    lines = ['#include "traits.h"', "", "static const struct tts_symbol symbols[] = {", *symbols, "};", ""]
    lines += _tables(model["languages"])
    lines += [
        "static const struct tts_traits model = {",
        *(f"    .{name} = {value}," for name, value in values.items()),
    ]
    return "\n".join([*lines, "};", ""])


def _tables(languages: Mapping[str, Any]) -> list[str]:
    """Lines of C that define the arrays `languages` and `codes`. No lines if they would be empty."""
    lines, rows = list[str](), list[str]()
    for number, (code, table) in enumerate(languages.items()):
        pairs = [f"    {{{string(ours)}, {string(theirs)}}}," for ours, theirs in table["pairs"]]
        lines += [f"static const char *const pairs_{number}[][2] = {{", *pairs, "};", ""]
        rows.append(f"    {{{string(code)}, {string(table['vowels'])}, pairs_{number}, {len(pairs)}}},")
    if not rows:
        return []
    return [
        *lines,
        "static const struct tts_language languages[] = {",
        *rows,
        "};",
        "",
        *strings("codes", [*languages]),
    ]


STAGE = Stage(build)
