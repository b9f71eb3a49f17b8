"""Which of a program's extensions a CPU has: the last one of whose features it lacks none."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from core_probe import CORE, INCLUDES
from emulated import Zig

PROGRAM = """
#include <stdio.h>
#include "core.h"
int main(int count, char **arguments) {
  struct g2p_extension extensions[4] = {{{NULL}}};
  struct g2p_program program = {.extensions = extensions};
  size_t feature = 0;
  for (int i = 1; i < count; i++) {
    if (*arguments[i] == '/') {
      program.extensions_count++;
      feature = 0;
    } else {
      extensions[program.extensions_count - 1].features[feature++] = arguments[i];
    }
  }
  printf("%d", g2p_extension_of(&program));
}
"""
HAS = {"x86_64": ("pni", "sse4_2"), "aarch64": ("sha2", "asimddp")}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extension")
    (folder / "main.c").write_text(PROGRAM, encoding="utf-8")
    command = ["gcc", "-fsanitize=address,undefined", *INCLUDES, folder / "main.c", CORE / "cpu.c"]
    subprocess.run([*command, "-o", folder / "extension"], check=True)
    return folder / "extension"


@pytest.mark.skipif(platform.machine() not in HAS, reason="it is not known what this CPU has")
@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ([], 0),
        (["none"], 0),
        (["a"], 1),
        (["a", "a b"], 2),
        (["a", "a none"], 1),
        (["a", "none a"], 1),
        (["none", "a"], 2),
        (["a", "a b", "a b none"], 2),
    ],
)
def test_the_last_extension_that_the_cpu_has_is_taken(program: Path, extensions: list[str], expected: int) -> None:
    first, second = HAS[platform.machine()]
    names = {"a": first, "b": second, "none": "no-such-feature"}
    arguments = [word for each in extensions for word in ("/", *(names[name] for name in each.split()))]
    assert int(subprocess.run([program, *arguments], check=True, capture_output=True).stdout) == expected


@pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="qemu-aarch64 is not there (qemu-user)")
def test_arm_processors_say_what_they_have(zig: Zig, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(PROGRAM, encoding="utf-8")
    command = ["cc", "-target", "aarch64-linux-musl", "-static", "-std=c11", f"-I{CORE}", "main.c", CORE / "cpu.c"]
    zig.run(*command, "-o", "extension", cwd=tmp_path)
    arguments = [tmp_path / "extension", "/", "asimddp", "/", "asimddp", "i8mm"]
    found = {
        cpu: int(subprocess.run(["qemu-aarch64", "-cpu", cpu, *arguments], check=True, capture_output=True).stdout)
        for cpu in ("cortex-a53", "cortex-a76", "max")
    }
    assert found == {"cortex-a53": 0, "cortex-a76": 1, "max": 2}
