"""Which Node benchmarks run in: one with relaxed SIMD, or a line that says what to do."""

from pathlib import Path

import pytest

from bench.common.node import node


@pytest.mark.parametrize(
    ("says", "wrong"),
    [("v21.0.0", None), ("v24.1.0", None), ("v20.16.0", "node is v20.16.0: put Node 21 or later first in PATH")],
)
def test_an_older_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, wrong: str | None) -> None:
    (tmp_path / "node").write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if wrong is None:
        assert node() == "node"
    else:
        with pytest.raises(SystemExit, match=wrong):
            node()


def test_none_is_a_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="no node can be run: put Node 21"):
        node()
