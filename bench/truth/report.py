"""The page of what Kokoro's library says beside upstream's code in float64."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.common.page import head, image, table
from bench.common.page import write as write_page
from bench.common.picture import svg
from bench.truth.mel import Sound, apart

__all__ = ["SHOWN", "heard", "write"]

SHOWN = 18
"""The sentence of the picture, and of the distances."""

_OTHER = 1
_RATE = 24_000


def heard(sounds: Mapping[str, Sound]) -> dict[str, float]:
    """What is how far from what upstream says, by `mel.apart`.

    Args:
        sounds: ``ours N`` and ``upstream N`` of sentence N, ``another seed`` and ``int8`` of the one that is shown.
    """
    truth = sounds[f"upstream {SHOWN}"]
    loud = float(np.sqrt(np.square(truth).mean()))
    return {
        "the library, the same seed": apart(sounds[f"ours {SHOWN}"], truth, _RATE),
        "the library in int8, the same seed": apart(sounds["int8"], truth, _RATE),
        "the library, another seed": apart(sounds["another seed"], truth, _RATE),
        "another sentence by the same voice": apart(sounds[f"ours {_OTHER}"], truth, _RATE),
        "white noise as loud": apart(np.random.default_rng(0).normal(0, loud, len(truth)), truth, _RATE),
        "silence": apart(np.zeros(len(truth)), truth, _RATE),
    }


def write(folder: Path, result: Mapping[str, Any], sounds: Mapping[str, Sound]) -> None:
    """Writes `truth.md`, `truth.json` and `truth.svg` into a folder."""
    picture = svg(lambda figure: _draw(figure, sounds, result["sentences"][SHOWN]))
    found = result["found"]
    rows = []
    for dtype in dict.fromkeys(row["dtype"] for row in found):
        for voice in [*dict.fromkeys(row["voice"] for row in found), "all"]:
            these = [row for row in found if row["dtype"] == dtype and voice in (row["voice"], "all")]
            levels = sorted(row["snr"] for row in these)
            same = sum(row["durations"] for row in these)
            rows.append(
                {"dtype": dtype, "voice": voice, "durations equal": f"{same} of {len(these)}"}
                | {"mean": f"{np.mean(levels):.1f}", "median": f"{np.median(levels):.1f}", "worst": f"{levels[0]:.1f}"}
                | {"with the noise of the median frame, worst": f"{min(row['typical'] for row in these):.1f}"}
            )
    shown = image("truth", "Spectrograms of a sentence: upstream's above, the library's below", picture is not None)
    page = [
        *head("Kokoro beside upstream in float64", "truth", result, {}, shown),
        "",
        "## The same samples",
        "",
        "Upstream's KModel computes in float64, with torch.stft, the packaged weights and the library's noise. How "
        "much louder its sound is than what the library makes otherwise, in dB, over twenty sentences a voice:",
        "",
        *table(rows),
        "",
        "What is left of a sentence's noise is in a few of its frames of 25 ms, as the last column shows. The "
        "generator reads angles of the source's spectrum as numbers: one that is just below pi, and by its last digit "
        "becomes just above -pi, is another number. Each such moment is a burst of noise, wherever float32 is used. In "
        "int8 F0 is a little other, so that no phase is as it was, and in some sentences a symbol lasts longer or "
        "shorter; what an ear hears of that is below.",
        "",
        "## The same to an ear",
        "",
        "The mean difference of 80 mel bands from what upstream says, in dB, of the sentence in the picture:",
        "",
        *table([{"what": what, "dB": f"{level:.2f}"} for what, level in result["heard"].items()]),
    ]
    write_page(folder, "truth", result, page, picture)


def _draw(figure: Any, sounds: Mapping[str, Sound], sentence: str) -> None:
    panels = figure.subplots(2, 1, sharex=True)
    figure.set_size_inches(8, 5)
    for panel, who in zip(panels, ("upstream", "ours"), strict=True):
        panel.specgram(sounds[f"{who} {SHOWN}"], NFFT=1024, Fs=_RATE, noverlap=768, vmin=-140, vmax=-40, cmap="magma")
        panel.set_ylim(0, 8000)
        panel.set_ylabel("hertz")
        panel.set_title({"upstream": "upstream, float64", "ours": "the library, float32"}[who], fontsize=9)
    panels[1].set_xlabel(f"seconds: “{sentence}”")
