"""The files that a benchmark leaves, and the parts of pages."""

import json
from pathlib import Path
from typing import Any

from bench.common import machine, page

RESULT: dict[str, Any] = {"command": "doit bench", "machine": machine.describe(0.5)}


def test_a_page_the_numbers_and_a_picture_are_left(tmp_path: Path) -> None:
    page.write(tmp_path / "new", "x", RESULT, ["# Page", "ʃ"], b"<svg/>")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"x.md", "x.json", "x.svg"}
    assert (tmp_path / "new/x.md").read_text(encoding="utf-8") == "# Page\nʃ\n"
    assert json.loads((tmp_path / "new/x.json").read_bytes()) == RESULT


def test_a_picture_of_other_numbers_does_not_stay(tmp_path: Path) -> None:
    page.write(tmp_path, "x", RESULT, [], b"<svg/>")
    page.write(tmp_path, "x", RESULT, [], None)
    assert not (tmp_path / "x.svg").exists()


def test_a_page_begins_with_what_it_is_how_it_was_made_and_on_what() -> None:
    found = machine.describe(0.5)
    lines = page.head("Title", "x", RESULT, {"ninja": "1", "dvc": "3"}, page.image("x", "seconds", drawn=True))
    assert lines[0] == "# Title"
    assert {"doit bench", "![seconds](x.svg)", "- ninja 1, dvc 3"} <= set(lines)
    assert f"{found['cores']} cores" in "\n".join(lines)
    assert f"- load before and after: 0.5 and {RESULT['machine']['load'][1]} processes" in lines


def test_without_a_picture_the_page_says_what_it_needs() -> None:
    assert "matplotlib" in page.image("x", "seconds", drawn=False)


def test_a_cell_cannot_end_its_column() -> None:
    assert page.table([{"tool": "a|b", "ms": "1"}]) == ["| tool | ms |", "|---|---|", "| a\\|b | 1 |"]
