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
    "alike": {"g2p float32": 60, PEER: 59},
    "times": {"g2p float32": [1.0, 2.0], PEER: [2.0, 8.0]},
    "bytes": {"g2p float32": SIZES, PEER: SIZES | {"code": 14_000_000}},
}


def test_times_and_their_ratios_within_each_round_stand_beside_what_a_page_loads() -> None:
    lines = markdown(RESULT)
    assert "| g2p float32 | 1.50 (1.25-1.75) | 0.375 (0.312-0.438) | 0.09 | 0.03 | 14.00 | 60 of 60 |" in lines
    assert f"| {PEER} | 5.00 (3.50-6.50) | 1.00 (1.00-1.00) | 14.00 | 0.03 | 14.00 | 59 of 60 |" in lines


def test_the_page_says_by_which_versions() -> None:
    assert "- Node v20, onnxruntime-web 1.30.0" in markdown(RESULT)
