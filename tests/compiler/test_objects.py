"""What the build reads from object files of four formats."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from g2p_build.compiler.link import LINKABLE, compile_c
from g2p_build.compiler.objects import ALLOWED, ObjectFile, check, for_apple, read_object
from g2p_build.errors import BuildError

SOURCE = """
void surprise(float *values);
int defined_here(void) { return 1; }
void kernel(float *values) { surprise(values + defined_here()); }
"""
OPTIONAL = """
extern int optional(void) __attribute__((weak));
int tried(void) { return optional ? optional() : 0; }
"""
PLATFORMS = {
    "x86_64-linux-gnu": ("elf", "x86_64"),
    "aarch64-linux-gnu": ("elf", "aarch64"),
    "arm64-apple-macosx": ("mach-o", "aarch64"),
    "x86_64-pc-windows-gnu": ("coff", "x86_64"),
    "wasm32-unknown-wasi": ("wasm", "wasm32"),
}


@pytest.fixture(scope="module", params=PLATFORMS)
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """A triple, and an object file for it."""
    source = SOURCE + OPTIONAL if PLATFORMS[request.param][0] in ("elf", "mach-o") else SOURCE
    folder = tmp_path_factory.mktemp("object")
    if request.param in LINKABLE:
        [path] = compile_c({"a.c": source}, request.param, folder)
        return request.param, path.read_bytes()
    (folder / "a.c").write_text(source)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-c", "a.c", "-fno-sanitize=all"]
    subprocess.run(zig, cwd=folder, env=os.environ | {"ZIG_LOCAL_CACHE_DIR": str(folder)}, check=True)
    [path] = folder.glob("a.o*")
    return request.param, path.read_bytes()


def test_the_platform_and_what_is_missing(compiled: tuple[str, bytes]) -> None:
    triple, data = compiled
    assert read_object(data) == ObjectFile(*PLATFORMS[triple], ("surprise",))


def test_a_symbol_that_is_not_libcs_is_named(compiled: tuple[str, bytes]) -> None:
    triple, data = compiled
    with pytest.raises(BuildError, match=f"kernels for {triple} take 'surprise' from elsewhere: they may take bzero"):
        check(data, triple)


def test_an_object_for_another_platform_is_refused(compiled: tuple[str, bytes]) -> None:
    triple, data = compiled
    for other in PLATFORMS.keys() - {triple}:
        with pytest.raises(BuildError, match=f"kernels for {other} are .* not .* for "):
            check(data, other)


def test_a_truncated_object_is_refused_or_names_fewer_symbols(compiled: tuple[str, bytes]) -> None:
    _, data = compiled
    whole = read_object(data)
    for size in range(len(data)):
        try:
            assert set(read_object(data[:size]).undefined) <= set(whole.undefined)
        except BuildError as error:
            assert "are no object file" in str(error)


def mach_o(machine: int, *commands: tuple[int, ...]) -> bytes:
    """An object file of load commands alone."""
    parts = b"".join(struct.pack(f"<{len(words)}I", *words) for words in commands)
    return struct.pack("<8I", 0xFEEDFACF, machine, 0, 1, len(commands), len(parts), 0, 0) + parts


def test_an_object_for_one_of_apples_platforms_becomes_one_for_another() -> None:
    symbols = (0x2, 24, 0, 0, 0, 0)
    ios = mach_o(0x0100000C, symbols, (0x32, 24, 2, 14 << 16, 0, 0))
    assert for_apple(ios, 2, None) == ios
    assert for_apple(ios, 7, None) == mach_o(0x0100000C, symbols, (0x32, 24, 7, 14 << 16, 0, 0))
    assert for_apple(ios, 1, 11) == mach_o(0x0100000C, symbols, (0x32, 24, 1, 11 << 16, 0, 0))
    with pytest.raises(BuildError, match=r"do not say .*: name a version in target\.triple, such as ios14\.0"):
        for_apple(mach_o(0x0100000C, symbols), 1, 11)
    with pytest.raises(BuildError, match=r"for Apple's own processors: let target\.triple begin with arm64"):
        for_apple(mach_o(0x01000007, (0x32, 24, 2, 14 << 16, 0, 0)), 1, 11)


def test_kernels_may_call_functions_of_libc(tmp_path: Path) -> None:
    source = "void *memset(void *, int, unsigned long);\nvoid *kernel(void *x) { return memset(x, 0, 4096); }\n"
    [path] = compile_c({"a.c": source}, "aarch64-linux-gnu", tmp_path)
    assert check(path.read_bytes(), "aarch64-linux-android").undefined == ("memset",)
    assert {"memset", "memcpy"} < ALLOWED
