"""Linking shared libraries."""

from __future__ import annotations

import ctypes
import platform
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from g2p_build.compiler.link import LINKABLE, link_shared
from g2p_build.errors import BuildError

TRIPLE = f"{platform.machine()}-linux-gnu"


@pytest.fixture
def objects(tmp_path: Path) -> list[Path]:
    sources = {
        "one": "double expm1(double); double one(double x) { return expm1(x); }",
        "two": "double one(double); double two(double x) { return one(x) + 2; }",
    }
    for name, text in sources.items():
        (tmp_path / f"{name}.c").write_text(text)
        subprocess.run(["gcc", "-O1", "-fPIC", "-c", f"{name}.c"], cwd=tmp_path, check=True)
    return [tmp_path / f"{name}.o" for name in sources]


def test_the_library_runs_and_needs_only_the_c_library(tmp_path: Path, objects: list[Path]) -> None:
    output = tmp_path / "out.so"
    link_shared(objects, TRIPLE, output)
    two = ctypes.CDLL(str(output)).two
    two.restype, two.argtypes = ctypes.c_double, [ctypes.c_double]
    assert two(0.0) == 2.0
    with output.open("rb") as stream:
        needed = {tag.needed for tag in ELFFile(stream).get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
    assert needed <= {"libc.so.6", "libm.so.6"}


def test_bytes_do_not_depend_on_paths(tmp_path: Path, objects: list[Path]) -> None:
    other = tmp_path / "another folder"
    other.mkdir()
    moved = [path.rename(other / f"renamed_{path.name}") for path in objects]
    link_shared(moved, TRIPLE, tmp_path / "a.so")
    link_shared(moved, TRIPLE, other / "b.so")
    first = (tmp_path / "a.so").read_bytes()
    assert first == (other / "b.so").read_bytes()
    assert str(tmp_path).encode() not in first


def test_triples_that_cannot_be_linked_here_are_refused(tmp_path: Path, objects: list[Path]) -> None:
    with pytest.raises(BuildError, match=r"cannot link a shared library for 'arm64-apple-ios' here"):
        link_shared(objects, "arm64-apple-ios", tmp_path / "out.so")


def test_objects_of_another_architecture_are_refused(tmp_path: Path, objects: list[Path]) -> None:
    (other,) = set(LINKABLE) - {TRIPLE}
    with pytest.raises(BuildError, match=f"linking for {other} failed: ") as refusal:
        link_shared(objects, other, tmp_path / "out.so")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out.so").exists()
