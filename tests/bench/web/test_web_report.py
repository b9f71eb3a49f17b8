"""The page with the measurements in Node."""

from typing import Any

from bench.common import machine
from bench.web.report import PEER, markdown

SIZES = {"code": 90_000, "gzipped": 32_000, "model": 14_000_000}
RESULT: dict[str, Any] = {
    "command": "python -m bench.web",
    "machine": machine.describe(0.5),
    "node": "v20",
    "onnxruntime-web": "1.30.0",
    "words": 60,
    "alike": 59,
    "times": {"g2p float32": [1.0, 2.0], PEER: [2.0, 8.0]},
    "bytes": {"g2p float32": SIZES, PEER: SIZES | {"code": 14_000_000}},
}


def test_times_and_their_ratios_within_each_round_stand_beside_what_a_page_loads() -> None:
    lines = markdown(RESULT)
    assert "| g2p float32 | 1.50 (1.25-1.75) | 0.375 (0.312-0.438) | 0.09 | 0.03 | 14.00 |" in lines
    assert f"| {PEER} | 5.00 (3.50-6.50) | 1.00 (1.00-1.00) | 14.00 | 0.03 | 14.00 |" in lines


def test_the_page_says_how_many_words_were_said_alike_and_by_which_versions() -> None:
    lines = markdown(RESULT)
    assert "All three said the same for 59 of 60 words." in lines
    assert "- Node v20, onnxruntime-web 1.30.0" in lines
