"""What was measured of steps: as prices, as the core's table of them, as a page."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from bench.common import page
from g2p_build.models.programs import MOST_TOKENS

__all__ = ["DTYPES", "Times", "header", "markdown", "prices", "write"]

DTYPES = {"F32": "float32", "F16": "float16", "I8": "int8"}
"""Kinds of weights, as safetensors spells them and as variants do."""

Times = Mapping[str, Sequence[float]]
"""Microseconds of steps of 1, 2, 3 ... tokens, "near" and "far"."""


def write(folder: Path, result: Mapping[str, Any]) -> None:
    """Writes the page and the numbers: `steps.md` and `steps.json`.

    Raises:
        OSError: the folder cannot be written.
    """
    page.write(folder, "steps", result, markdown(result), picture=None)


def prices(unit: str, times: Times) -> list[float]:
    """What steps of 1, 2, 3 ... tokens cost, in steps of one."""
    near, far = ([each / times[place][0] for each in times[place]] for place in ("near", "far"))
    return near if unit in ("wasm", "relaxed") else [(one * other) ** 0.5 for one, other in zip(near, far, strict=True)]


def header(found: Mapping[str, Mapping[str, Times]]) -> str:
    """The core's table: hundredths of a step of one token."""
    lines = [
        "/* What a step of some tokens costs, in hundredths of a step of one: for each kind of vector unit and of",
        " * weights. Written by python -m bench.steps --write; docs/benchmarks/steps.md has the times. */",
        "#ifndef G2P_PRICES_H",
        "#define G2P_PRICES_H",
        "",
        "#include <stdint.h>",
        "",
        "/* clang-format off */",
        "",
        f"enum {{ G2P_PRICED = {MOST_TOKENS} }};",
        "",
        "static const struct {",
        "  char unit[8], dtype[4];",
        "  uint16_t of[G2P_PRICED + 1]; /* tokens */",
        "} prices[] = {",
    ]
    for unit, of_unit in found.items():
        for dtype, times in of_unit.items():
            numbers = [str(round(100 * price)) for price in (0.0, *prices(unit, times))]
            rows = [", ".join(numbers[at : at + 22]) for at in range(0, len(numbers), 22)]
            lines += [f'    {{"{unit}",', f'     "{dtype}",', "     {" + ",\n      ".join(rows) + "}},"]
    return "\n".join([*lines, "};", "", "#endif", ""])


def markdown(result: Mapping[str, Any]) -> list[str]:
    """The page's lines."""
    found = result["microseconds"]
    rows = [
        {"unit": unit, "weights": DTYPES[dtype], "": kind}
        | {str(tokens): f"{values[tokens - 1]:{form}}" for tokens in (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32)}
        for unit, of_unit in found.items()
        for dtype, times in of_unit.items()
        for kind, values, form in chain(
            ((f"{place}, µs", times[place], ".1f") for place in ("near", "far")),
            [("price", prices(unit, times), ".2f")],
        )
    ]
    return [
        *page.head("What a step of the decoder costs", "steps", result, {}),
        "",
        "## How to read it",
        "",
        "- The embedded checkpoint, one row, one thread: a step of so many tokens, at the fifth position, after 20 of "
        "input.",
        "- near: right after the same step, so that the weights lie in the caches as far as they fit. far: after 64 MB "
        "of other memory was read. The least of all rounds.",
        "- price: the geometric mean of both ratios to a step of one token, by which the core chooses its steps; of "
        "wasm and relaxed, which compute for longer than they read, the ratio of near weights.",
        "- `avx512` and `avx2` are the two levels for x86-64; `wasm` and `relaxed` are the two modules for WebAssembly "
        "in Node, where this machine has AVX-VNNI for the second one's bytes.",
        "",
        *page.table(rows),
    ]
