"""Processors with AMX: this one, or an emulator of its instructions."""

import ctypes
import os
import platform
import subprocess
from functools import cache
from pathlib import Path

import pytest

from g2p_build.runtime.cpu import CPU_FEATURES, missing_features

AMX = Path(__file__).parent / "amx"
EMULATOR = AMX / "emulator.c"
FLAGS = ("avx512_vnni", "amx_tile", "amx_int8")
EMULATED = bool(missing_features(FLAGS[1:]))
"""Whether this processor lacks AMX. One that has it runs the tests itself."""


def needs_vnni() -> None:
    """Skips a test of which only AMX could be emulated here."""
    if platform.system() != "Linux" or missing_features((*CPU_FEATURES["x86-64-v4"], FLAGS[0])):
        pytest.skip("this CPU does not run what goes with AMX")


def granted() -> dict[str, str]:
    """An environment in which programs with the emulator are granted tiles."""
    return os.environ | ({"AMX_SYSTEM": "0"} if EMULATED else {})


@cache
def amx_here(folder: Path) -> ctypes.CDLL:
    """Makes this process one that has AMX.

    Args:
        folder: Where the emulator may be compiled.
    """
    library = compiled(folder / "emulator.so", "-shared", "-fPIC", EMULATOR)
    if not EMULATED and ctypes.CDLL(None).syscall(158, 0x1023, 18) != 0:  # arch_prctl, as cpu.c calls it
        pytest.skip("this system does not grant tiles")
    return ctypes.CDLL(str(library))


def compiled(out: Path, *arguments: str | Path) -> Path:
    """Compiles a program by the machine's own compiler."""
    command = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-g", "-O3", "-Wall", "-Wextra", "-Werror", "-pthread"]
    try:
        done = subprocess.run([*command, *arguments, "-o", out], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no gcc here")
    assert done.returncode == 0, done.stderr
    return out
