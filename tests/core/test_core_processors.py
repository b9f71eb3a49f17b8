"""How many threads a call takes unless it is told: as many as the process may use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from core_probe import CORE, INCLUDES

PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "core.h"
int main(int count, char **arguments) {
  printf("%u", count > 1 ? g2p_quota(arguments[1], arguments[2], (uint32_t)atoi(arguments[3])) : g2p_processors());
}
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="affinities and control groups are Linux's")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processors")
    (folder / "main.c").write_text(PROGRAM, encoding="utf-8")
    command = ["gcc", "-fsanitize=address,undefined", *INCLUDES, folder / "main.c", CORE / "processors.c"]
    subprocess.run([*command, "-o", folder / "processors"], check=True)
    return folder / "processors"


def asked(program: Path, *arguments: str | Path | int) -> int:
    return int(subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout)


def test_an_affinity_counts(program: Path) -> None:
    mine = os.sched_getaffinity(0)
    assert asked(program) <= len(mine)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert asked(program) == 1
    finally:
        os.sched_setaffinity(0, mine)


@pytest.mark.parametrize(
    ("groups", "files", "left"),
    [
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu.max": "max 100000"}, 8),
        ("0::/\n", {"cpu.max": "250000 100000"}, 3),
        ("0::/\n", {"cpu.max": "1000 100000"}, 1),
        ("0::/\n", {"cpu.max": "9000000 100000"}, 8),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "200000 100000"}, 2),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000"}, 2),
        ("0::/gone\n", {"cpu.max": "200000 100000"}, 2),
        ("3:cpu,cpuacct:/k\n", {"cpu/k/cpu.cfs_quota_us": "150000", "cpu/k/cpu.cfs_period_us": "50000"}, 3),
        ("9:memory:/m\n3:cpuacct,cpu:/k\n0::/\n", {"cpu/k/cpu.cfs_quota_us": "-1"}, 8),
        ("nonsense", {"cpu.max": "nonsense"}, 8),
        ("", {"cpu.max": "100000 100000"}, 8),
    ],
)
def test_a_containers_quota_counts(
    program: Path, tmp_path: Path, groups: str, files: dict[str, str], left: int
) -> None:
    (tmp_path / "own").write_text(groups)
    for name, text in files.items():
        (tmp_path / "system" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "system" / name).write_text(text + "\n")
    assert asked(program, tmp_path / "system", tmp_path / "own", 8) == left
