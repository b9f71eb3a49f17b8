"""Writes ``tts/noise_table.c``: quantiles of the normal distribution, as integers.

This command writes the file again:

    python -m g2p_build.native.noise_table

Integers make the same noise on every processor: there is no rounding that a compiler could do otherwise.
``tts/noise.c`` says how the table is read.
"""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

__all__ = ["OCTAVES", "STEPS", "main", "table", "text"]

OCTAVES, STEPS = 27, 16
"""Of 31 random bits: how often they halve before the last ones are taken together, and the steps of each half."""

_SCALE = 2**24


def table() -> list[int]:
    """For each octave its quantiles in 24 binary places, from the least probable numbers to the most probable ones."""
    found = []
    for octave in range(OCTAVES):
        first = 2 ** (30 - octave)
        for step in range(STEPS + 1):
            share = first * (1 + step / STEPS) / 2**31
            found.append(round(NormalDist().inv_cdf(1 - share / 2) * _SCALE) if share < 1 else 0)
    return found


def text() -> str:
    """The C file."""
    numbers = [f"{number}," for number in table()]
    lines = [
        "   " + "".join(f" {number}" for number in numbers[start : start + 8]) for start in range(0, len(numbers), 8)
    ]
    return "\n".join(
        [
            "/* Quantiles of the normal distribution. Written by g2p_build/native/noise_table.py. */",
            '#include "noise_table.h"',
            "",
            "/* clang-format off */",
            f"const int32_t tts_quantiles[{OCTAVES} * ({STEPS} + 1)] = {{",
            *lines,
            "};",
            "",
        ]
    )


def main() -> None:
    """Writes the file."""
    (Path(__file__).with_name("tts") / "noise_table.c").write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
