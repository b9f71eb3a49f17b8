"""The core's table of prices, and the measurement behind it."""

import json
import re

import pytest
from conftest import ROOT

from bench.steps import report
from g2p_build.native.files import G2P


def test_the_cores_table_is_what_was_measured() -> None:
    measured = json.loads((ROOT / "docs" / "benchmarks" / "steps.json").read_bytes())["microseconds"]
    assert (G2P / "prices.h").read_text(encoding="utf-8") == report.header(measured)
    assert all(list(of_unit) == list(report.DTYPES) for of_unit in measured.values())


def test_a_price_lies_between_that_of_near_weights_and_that_of_far_ones() -> None:
    found = [report.prices(unit, {"near": [2.0, 4.0, 16.0], "far": [10.0, 10.0, 20.0]}) for unit in ("avx2", "wasm")]
    assert found == [pytest.approx([1, 2**0.5, 4]), [1, 2, 8]]
    text = report.header({"avx2": {"F32": {"near": [1.0, 4.0], "far": [1.0, 1.0]}}})
    assert re.search(r'\{"avx2",\s*"F32",\s*\{0, 100, 200\}\}', text)
