"""Counts what programs for 64-bit Arm Linux execute, by an emulator."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

__all__ = ["CPUS", "EMULATOR", "Cpu", "Uncounted", "counted", "emulator_version", "plugin"]

EMULATOR = "qemu-aarch64"


class Uncounted(Exception):
    """Nothing was counted. One line: why."""


@dataclass(frozen=True)
class Cpu:
    """A processor.

    Attributes:
        model: As the emulator calls it.
        part: Its number.
        features: As Linux lists them.
    """

    model: str
    part: str
    features: str


_V8 = "fp asimd evtstrm aes pmull sha1 sha2 crc32"
_V82 = f"{_V8} atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
CPUS = {
    "NEON": Cpu("cortex-a72", "0xd08", _V8),
    "dot products": Cpu("neoverse-n1", "0xd0c", _V82),
    "i8mm": Cpu("max,sve=off", "0xd40", f"{_V82} i8mm bf16"),
}
"""By what they have of instructions for bytes: that of Armv8.0, of Armv8.2 and later, and of Armv8.6 and later."""


def emulator_version() -> str:
    """The emulator's version.

    Raises:
        Uncounted: It is not there.
    """
    if shutil.which(EMULATOR) is None:
        raise Uncounted(f"{EMULATOR} is not there: install qemu-user")
    said = subprocess.run([EMULATOR, "--version"], capture_output=True, text=True, check=True).stdout
    return said.partition(" version ")[2].split()[0]


def plugin(folder: Path) -> Path:
    """Compiles the plugin into a folder.

    Raises:
        Uncounted: There is no C compiler, or it fails.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Uncounted("no C compiler is there: install gcc")
    built = folder / "count.so"
    command = [
        compiler,
        "-std=c11",
        "-O2",
        "-shared",
        "-fPIC",
        "-o",
        str(built),
        str(Path(__file__).with_name("count.c")),
    ]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise Uncounted(f"the plugin does not compile: {ran.stderr.strip().splitlines()[-1]}")
    return built


def counted(
    plugin: Path, cpu: Cpu, system: Path, command: Sequence[Any], given: str, env: Mapping[str, str]
) -> tuple[list[str], list[int]]:
    """Runs a program, which writes each line at once.

    Args:
        plugin: As the function above gives it.
        cpu: The processor.
        system: A folder with the program's system: its C library, and whatever else it looks for.
        command: The program, and its arguments.
        given: Its input.
        env: Variables of its environment.

    Returns:
        The lines that it wrote, and how many instructions it executed between each of them and the next.

    Raises:
        Uncounted: The program failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "system"), Path(folder, "counts")
        root.mkdir()
        for part in system.iterdir():
            (root / part.name).symlink_to(part.absolute())
        (root / "proc").mkdir()
        # Libraries read there what they may use. Otherwise they would find this machine's processor.
        (root / "proc" / "cpuinfo").write_text(
            f"processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: {cpu.features}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {cpu.part}\nCPU revision\t: 1\n\n"
        )
        emulator = [EMULATOR, "-cpu", cpu.model, "-plugin", f"{plugin},out={out}", "-L", str(root)]
        emulator += [word for name, value in env.items() for word in ("-E", f"{name}={value}")]
        ran = subprocess.run([*emulator, *map(str, command)], input=given, capture_output=True, text=True)
        if ran.returncode:
            lines = ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"]
            raise Uncounted(lines[-1][:200])
        counts = [int(line) for line in out.read_text().split()]
    return ran.stdout.splitlines(), [after - before for before, after in pairwise(counts)]
