"""The library's symbols and its size."""

import re

from conftest import CACHED, DEFAULT, Tree
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from kits import HEADER, archives

# Functions of libc, libm and the system's threads. None prints, ends the process, or reads a locale or the environment.
ALLOWED = {
    *("malloc", "free", "memchr", "memcmp", "bcmp", "memcpy", "memmove", "memset"),
    *("strchr", "strcmp", "strlen", "strncmp"),
    *("open", "open64", "close", "fstat", "fstat64", "__fxstat", "__fxstat64", "mmap", "mmap64", "munmap"),
    *(
        "sysconf",
        "sched_getaffinity",
        "clock_gettime",
        "read",
        "__errno_location",
        "expf",
        "logf",
        "powf",
        "tanhf",
        "erff",
    ),
    *(f"pthread_{name}" for name in ("create", "join")),
    *(f"pthread_mutex_{name}" for name in ("init", "destroy", "lock", "unlock")),
    *(f"pthread_cond_{name}" for name in ("init", "destroy", "wait", "broadcast")),
}


def test_it_exports_its_functions_and_imports_few(built: Tree) -> None:
    with (archives(built, CACHED, "shared").folder / "libg2p.so").open("rb") as file:
        library = ELFFile(file)
        table = library.get_section_by_name(".dynsym")
        assert isinstance(table, SymbolTableSection)
        symbols = [symbol for symbol in table.iter_symbols() if symbol.name]
        needed = {tag.needed for tag in library.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
    shown = {symbol.name for symbol in symbols if symbol["st_shndx"] != "SHN_UNDEF"}
    asked = {symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF"}
    declared = HEADER.read_text(encoding="utf-8") + (archives(built, CACHED, "shared").folder / "variant.h").read_text()
    assert shown == set(re.findall(r"^G2P_API .*?(g2p_\w+)\(", declared, re.MULTILINE))
    assert asked <= ALLOWED
    assert needed <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_it_is_small(built: Tree) -> None:
    """The stripped library without the weights."""
    for variant in (DEFAULT, CACHED):
        library = archives(built, variant, "shared").folder / "libg2p.so"
        assert library.stat().st_size <= 600_000
