"""The counting of instructions: on a program whose count is known, and what the page makes of counts."""

import shutil
from pathlib import Path

import pytest
from emulated import Zig

from bench.instructions import report
from bench.instructions.emulator import CPUS, EMULATOR, Uncounted, counted, emulator_version, plugin

needs_qemu = pytest.mark.skipif(
    shutil.which(EMULATOR) is None or shutil.which("gcc") is None, reason="qemu-aarch64 (qemu-user) or gcc is not there"
)

# Between two of its writes are a loop of two instructions and at most 20 others: its caller's, and the system call's.
PROGRAM = """
static long call(long number, long a, const char *b, long c) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x2 __asm__("x2") = c;
  register const char *x1 __asm__("x1") = b;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}
static void spin(long rounds) {
  __asm__ volatile("1: subs %0, %0, #1\\n b.ne 1b" : "+r"(rounds) : : "cc");
}
void _start(void) {
  call(64, 1, "a\\n", 2);
  spin(1000);
  call(64, 1, "b\\n", 2);
  call(64, 2, "c\\n", 2); /* to another file */
  spin(500000);
  call(64, 1, "d\\n", 2);
  call(94, STATUS, 0, 0);
}
"""


def built(zig: Zig, folder: Path, status: int) -> Path:
    (folder / "main.c").write_text(PROGRAM)
    command = ["cc", "-target", "aarch64-linux-musl", "-O2", "-nostdlib", "-static", "-ffreestanding"]
    zig.run(*command, f"-DSTATUS={status}", "main.c", "-o", "program", cwd=folder)
    return folder / "program"


@needs_qemu
@pytest.mark.parametrize("cpu", CPUS)
def test_what_lies_between_two_lines_is_counted(zig: Zig, tmp_path: Path, cpu: str) -> None:
    (tmp_path / "system").mkdir()
    program = built(zig, tmp_path, 0)
    lines, counts = counted(plugin(tmp_path), CPUS[cpu], tmp_path / "system", [program], "", {})
    assert lines == ["a", "b", "d"]
    assert [count - rest for count, rest in zip(counts, (2000, 1000000), strict=True)] == [
        pytest.approx(10, abs=10)
    ] * 2
    again = counted(plugin(tmp_path), CPUS[cpu], tmp_path / "system", [program], "", {})
    assert again == (lines, counts)


@needs_qemu
def test_a_program_that_fails_has_no_counts(zig: Zig, tmp_path: Path) -> None:
    (tmp_path / "system").mkdir()
    with pytest.raises(Uncounted, match=r"^c$"):  # the last line of what it complained
        counted(plugin(tmp_path), CPUS["NEON"], tmp_path / "system", [built(zig, tmp_path, 3)], "", {})


def test_without_the_emulator_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Uncounted, match=r"^qemu-aarch64 is not there: install qemu-user$"):
        emulator_version()
    with pytest.raises(Uncounted, match=r"^no C compiler is there: install gcc$"):
        plugin(tmp_path)


def test_steps_are_told_from_what_comes_before_them() -> None:
    inputs, steps = [10, 14, 20, 12], [5, 9, 8, 12]
    found = report.split(inputs, steps, [100 + 7 * i + 30 * s for i, s in zip(inputs, steps, strict=True)])
    assert found == pytest.approx((100 + 7 * 14, 30))


def test_the_page_sets_each_library_beside_ours_on_its_processor() -> None:
    inputs = [10, 14, 20]

    def row(library: str, cpu: str, each: float) -> dict[str, object]:
        steps = [5, 9, 8]
        instructions = [int(each * (10 + i + 2 * s)) for i, s in zip(inputs, steps, strict=True)]
        names = {"library": library, "dtype": "int8", "cpu": cpu}
        return {**names, "equal": 3, "steps": steps, "instructions": instructions}

    machine: dict[str, object] = {
        "processor": "x",
        "machine": "y",
        "vectors": None,
        "cores": 1,
        "memory_gib": 1,
        "system": "z",
    }
    found = [row("g2p", "a", 1e6), row("g2p", "b", 5e5), row("other", "a", 4e6), row("other", "b", 4e6)]
    machine |= {"python": "3", "load": [0, 0]}
    result = {"command": "run", "machine": machine, "versions": {}, "inputs": inputs, "found": found}
    page = report.markdown({**result, "failed": {"third int8, a": "it died"}})
    assert "- third int8, a was not counted: it died" in page
    lines = [line for line in page if line.startswith("| int8")]
    assert [line.split(" | ")[1:3] + line.rsplit(" | ", 1)[1:] for line in lines] == [
        ["a", "g2p", "1.00 |"],
        ["a", "other", "4.00 |"],
        ["b", "g2p", "1.00 |"],
        ["b", "other", "8.00 |"],
    ]
