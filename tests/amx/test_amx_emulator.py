"""The emulator of AMX against sums that are known without it. A processor with AMX has the same cases to itself."""

import subprocess
from pathlib import Path

import pytest
from amx_machine import AMX, EMULATED, EMULATOR, compiled, needs_vnni


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_vnni()
    # GCC 12 does not know what these instructions read: it must leave nothing out.
    options = ("-mamx-tile", "-mamx-int8", "-O0")
    return compiled(tmp_path_factory.mktemp("amx") / "cases", *options, AMX / "cases.c", EMULATOR)


@pytest.mark.parametrize("case", ["known_sums", "signs_and_the_greatest_numbers", "strides", "addresses", "threads"])
def test_the_sums_are_those_that_are_known(cases: Path, case: str) -> None:
    done = subprocess.run([cases, case], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not EMULATED, reason="the processor itself refuses")
@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("released_tiles", "tiles that are not configured"),
        ("a_tile_that_is_not_configured", "a tile that the configuration leaves out"),
        ("one_tile_twice", "one tile in two places"),
        ("tiles_that_do_not_fit", "tiles that do not fit together"),
        ("too_many_rows", "a tile of such a size"),
    ],
)
def test_what_the_processor_would_refuse_ends_the_program(cases: Path, case: str, why: str) -> None:
    done = subprocess.run([cases, case], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, f"the AMX emulator: the processor would refuse {why}\n")
