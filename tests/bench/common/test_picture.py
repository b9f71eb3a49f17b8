"""The same drawing always gives the same bytes. Without matplotlib there is no picture."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

from bench.common import picture

DRAWS = """
import sys
from bench.common import picture
sys.stdout.buffer.write(picture.svg(lambda figure: figure.subplots().bar(["a", "b"], [1, 2])))
"""


def drawn(**env: str) -> bytes:
    command = [sys.executable, "-c", DRAWS]
    return subprocess.run(command, cwd=ROOT, env=os.environ | env, check=True, capture_output=True).stdout


def test_the_same_drawing_gives_the_same_bytes_in_another_process_at_another_time() -> None:
    pytest.importorskip("matplotlib")
    first = drawn(PYTHONHASHSEED="1")
    assert b"<svg" in first
    assert b"<dc:date>" not in first
    assert drawn(PYTHONHASHSEED="2", TZ="Asia/Tokyo", SOURCE_DATE_EPOCH="0") == first


def test_without_matplotlib_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert picture.svg(lambda figure: pytest.fail("there is nothing to draw on")) is None
