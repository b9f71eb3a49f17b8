"""The table of sizes on the page of packages."""

from bench.packages.__main__ import BEGIN, END, PAGE, ROWS, table


def test_files_stand_beside_each_other_in_megabytes() -> None:
    lines = table([(ROWS[0], [235_520, 3_758_080], [80_000, 3_542_650])]).splitlines()
    assert lines[0] == BEGIN and lines[-1] == END
    assert f"| {ROWS[0].platform} | {ROWS[0].what} | 0.24 + 3.76 | 0.08 + 3.54 |" in lines


def test_the_page_has_every_row() -> None:
    shown = PAGE.read_text(encoding="utf-8")
    between = shown.partition(BEGIN)[2].partition(END)[0]
    assert [line.split(" | ")[0].removeprefix("| ") for line in between.splitlines()[3:]] == [
        row.platform for row in ROWS
    ]
