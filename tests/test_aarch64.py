"""The library for 64-bit Arm Linux: its symbols, and the golden words under emulation.

Executables are linked statically with musl. The shared library uses glibc.
"""

import io
import shutil
from pathlib import Path

import pytest
from conftest import Tree, unpacked
from elftools.elf.elffile import ELFFile
from emulated import SYSTEM, Zig, golden_lines, said

from g2p_build.runtime import load

needs_qemu = pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="qemu-aarch64 is not there (qemu-user)")


@pytest.fixture
def library(ported: Tree, tmp_path: Path) -> Path:
    """A folder with the members of both archives."""
    return unpacked(ported, "embedded-linux_arm64-b1-i64-o128-float32-kv", tmp_path)


def test_the_shared_library_needs_libc_and_has_the_interface_alone(library: Path) -> None:
    elf = ELFFile(io.BytesIO((library / "libg2p.so").read_bytes()))
    assert (elf["e_machine"], elf["e_type"], elf.elfclass, elf.little_endian) == ("EM_AARCH64", "ET_DYN", 64, True)
    needed = {tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
    assert needed <= {"libc.so.6", "libm.so.6", "libpthread.so.0"}
    symbols = elf.get_section_by_name(".dynsym")
    defined = {symbol.name for symbol in symbols.iter_symbols() if symbol["st_shndx"] != "SHN_UNDEF"}
    assert "g2p_pronounce" in defined and all(name.startswith("g2p_") for name in defined)
    versions = elf.get_section_by_name(".gnu.version_r")
    wanted = {aux.name for _, auxiliaries in versions.iter_versions() for aux in auxiliaries}
    assert max(tuple(map(int, name.removeprefix("GLIBC_").split("."))) for name in wanted) <= (2, 28)


@pytest.mark.long
@needs_qemu
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_golden_words_are_the_same_from_a_static_executable(
    ported: Tree, zig: Zig, tmp_path: Path, dtype: str
) -> None:
    library = unpacked(ported, f"embedded-musl-b1-i64-o128-{dtype}-kv", tmp_path)
    program = zig.executable("aarch64-linux-musl", [library / "libg2p.a"], library, tmp_path, "-static")
    assert said(["qemu-aarch64", program], library / "weights.safetensors") == golden_lines("ipa")


@pytest.mark.long
@needs_qemu
@pytest.mark.parametrize("cpu", ["max", "cortex-a76", "cortex-a53"])  # with products of eights, of quads, of none
def test_int8_words_are_those_of_this_machine(ported: Tree, zig: Zig, tmp_path: Path, cpu: str) -> None:
    library = unpacked(ported, "embedded-musl-b1-i64-o128-int8-kv", tmp_path)
    program = zig.executable("aarch64-linux-musl", [library / "libg2p.a"], library, tmp_path, "-static")
    g2p = load(ported.root / "manifests" / "embedded-host-b1-i64-o128-int8-kv.json", lexicon=False)
    expected = g2p(golden_lines("word"), golden_lines("lang"))
    assert said(["qemu-aarch64", "-cpu", cpu, program], library / "weights.safetensors") == expected


@pytest.mark.long
@needs_qemu
@pytest.mark.skipif(not SYSTEM.is_dir(), reason=f"{SYSTEM} is not there (libc6-arm64-cross)")
def test_the_golden_words_are_the_same_from_the_shared_library(library: Path, zig: Zig, tmp_path: Path) -> None:
    program = zig.executable("aarch64-linux-gnu.2.28", [library / "libg2p.so"], library, tmp_path)
    emulator = ["qemu-aarch64", "-L", SYSTEM, "-E", f"LD_LIBRARY_PATH={library}"]
    assert said([*emulator, program], library / "weights.safetensors") == golden_lines("ipa")
