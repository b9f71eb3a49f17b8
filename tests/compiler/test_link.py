"""Linking shared libraries."""

from __future__ import annotations

import ctypes
import platform
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from g2p_build.compiler.link import compile_c, link_shared, static_library
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
    assert needed <= {"libc.so.6", "libm.so.6", "libpthread.so.0"}


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
    with pytest.raises(BuildError, match=r"cannot link a library for 'arm64-apple-ios' here"):
        link_shared(objects, "arm64-apple-ios", tmp_path / "out.so")
    with pytest.raises(
        BuildError, match=r"cannot link a library for 'x86_64-pc-windows-gnu' here .*: use target.package"
    ):
        compile_c(SOURCES, "x86_64-pc-windows-gnu", tmp_path)


def test_objects_of_another_architecture_are_refused(tmp_path: Path, objects: list[Path]) -> None:
    [other] = {"x86_64-linux-gnu", "aarch64-linux-gnu"} - {TRIPLE}
    with pytest.raises(BuildError, match=f"linking for {other} failed: ") as refusal:
        link_shared(objects, other, tmp_path / "out.so")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out.so").exists()


def test_only_the_named_functions_are_exported(tmp_path: Path, objects: list[Path]) -> None:
    link_shared(objects, TRIPLE, tmp_path / "out.so", exports=["two"])
    with (tmp_path / "out.so").open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".dynsym").iter_symbols()
        assert {symbol.name for symbol in symbols if symbol["st_shndx"] != "SHN_UNDEF"} == {"two"}


SOURCES = {
    "half.h": "double half(double x);\n",
    "half.c": '#include "half.h"\ndouble half(double x) { return x / 2; }\n',
    "use.c": '#include "half.h"\ndouble quarter(double x) { return half(half(x)); }\n',
}


@pytest.mark.parametrize("triple", ["x86_64-linux-gnu", "aarch64-linux-musl", "arm64-apple-macosx"])
def test_c_is_compiled_to_the_same_bytes_wherever_it_lies(tmp_path: Path, triple: str) -> None:
    (tmp_path / "half.c").write_text(SOURCES["half.c"])
    made = []
    for folder, sources in (("one", SOURCES), ("two", SOURCES | {"half.c": tmp_path / "half.c"})):
        (tmp_path / folder).mkdir()
        made.append([path.read_bytes() for path in compile_c(sources, triple, tmp_path / folder)])
        static_library([tmp_path / folder / "half.o", tmp_path / folder / "use.o"], tmp_path / folder / "lib.a")
    assert made[0] == made[1]
    assert (tmp_path / "one/lib.a").read_bytes() == (tmp_path / "two/lib.a").read_bytes()
    assert str(tmp_path).encode() not in (tmp_path / "one/lib.a").read_bytes()


def test_a_static_library_can_be_linked(tmp_path: Path) -> None:
    static_library(compile_c(SOURCES, TRIPLE, tmp_path), tmp_path / "libuse.a")
    main = "double quarter(double); int main(void) { return quarter(8) == 2 ? 0 : 1; }"
    (tmp_path / "main.c").write_text(main)
    subprocess.run(["gcc", "main.c", "-L.", "-luse", "-o", "main"], cwd=tmp_path, check=True)
    subprocess.run(["./main"], cwd=tmp_path, check=True)


def test_c_that_does_not_compile_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"compiling for .* failed: use\.c.*error") as refusal:
        compile_c(SOURCES | {"use.c": "int broken = ;\n"}, TRIPLE, tmp_path)
    assert "\n" not in str(refusal.value)
