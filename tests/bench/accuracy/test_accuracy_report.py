"""The tables of `doit bench accuracy`: on a page of their own, in the page that explains them, and as a picture."""

from pathlib import Path
from typing import Any

import pytest

from bench.accuracy import report
from bench.common import machine
from g2p_build.errors import BuildError

SPREAD = {"median": 1.5, "low": 1.25, "high": 1.75}


def row(language: str, contender: str, exact: Any, coarse: Any) -> dict[str, Any]:
    sizes = {"ms": SPREAD, "data_bytes": 14_000_000, "program_bytes": 159_000}
    return {"language": language, "contender": contender, "exact": exact, "coarse": coarse, "failed": None} | sizes


def rates(per: float, wer: float, text: float | None) -> dict[str, float | None]:
    return {"per": per, "wer": wer, "running_text": text}


RESULT: dict[str, Any] = {
    "command": "doit bench accuracy --data DATA",
    "machine": machine.describe(0.5),
    "contenders": [{"name": name, "says": "says", "licence": "MIT"} for name in ("ours", "other")],
    "rows": [
        row("eng-us", "ours", rates(0.12341, 0.4, 0.0122), rates(0.1, 0.3, 0.01)),
        row("eng-us", "other", None, rates(0.2, 1.0, 0.5)),
        row("tha", "ours", rates(0.0977, 0.228, None), None),
        {"language": "tha", "contender": "other", "failed": "another notation"},
    ],
}


def test_a_table_has_a_row_for_each_contender_and_a_column_for_each_language() -> None:
    tables = dict(report.tables(RESULT))
    assert tables["PER / WER"] == [{"contender": "ours", "eng-us": ".1234 / .400", "tha": ".0977 / .228"}]
    assert tables["Running text: % wrong"] == [{"contender": "ours", "eng-us": "1.22"}]
    assert tables["Coarse notation: PER / WER"][1] == {"contender": "other", "eng-us": ".2000 / 1.000"}
    assert tables["Milliseconds a word"][1] == {"contender": "other", "eng-us": "1.50 (1.25-1.75)", "tha": ""}
    assert tables["Not measured"] == [{"language": "tha", "contender": "other", "failed": "another notation"}]
    assert [each["program, MB"] for each in tables["Contenders"]] == ["0.159", "0.159"]


def test_the_page_that_explains_gets_the_tables_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{report.BEGIN}\nold\n{report.END}\n\nEnd\n", encoding="utf-8")
    for _ in range(2):
        report.fill(page, RESULT)
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# Page\n\n{report.BEGIN}\n\n## PER / WER\n\n| contender |")
        assert text.endswith(f" |\n\n{report.END}\n\nEnd\n") and "old" not in text


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"page\.md: the lines .* are needed"):
        report.fill(page, RESULT)
    assert page.read_text(encoding="utf-8") == "# Page\n"


def test_the_files(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report.write(tmp_path, RESULT)
    assert "doit bench accuracy --data DATA" in (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    picture = (tmp_path / "accuracy.svg").read_bytes()
    report.write(tmp_path, RESULT)
    assert (tmp_path / "accuracy.svg").read_bytes() == picture
