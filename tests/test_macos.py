"""The library for Macs is linked here. These tests read its headers; they cannot run it."""

import struct
from pathlib import Path

import pytest
from conftest import Tree, copy_tree, unpacked

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def library(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the members of both archives."""
    tree = copy_tree(tmp_path_factory.mktemp("mac") / "tree", built.cache)
    tree.compiled("target=macos_arm64")
    return unpacked(tree, "embedded-macos_arm64-b1-i64-o128-float32-kv", tmp_path_factory.mktemp("library"))


def test_the_library_is_for_apple_silicon_signed_and_needs_the_system_alone(library: Path) -> None:
    data = (library / "libg2p.dylib").read_bytes()
    magic, cpu, _, kind, commands = struct.unpack_from("<5I", data)
    assert (magic, cpu, kind) == (0xFEEDFACF, 0x0100000C, 6)  # 64 bits, arm64, a dynamic library
    found: dict[int, list[bytes]] = {}
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<2I", data, at)
        found.setdefault(command, []).append(data[at : at + size])
        at += size
    needed = [part[struct.unpack_from("<I", part, 8)[0] :].rstrip(b"\0").decode() for part in found[0xC]]
    assert needed == ["/usr/lib/libSystem.B.dylib"]
    [own] = found[0xD]
    assert own[struct.unpack_from("<I", own, 8)[0] :].rstrip(b"\0") == b"@rpath/libg2p.dylib"
    assert 0x1D in found  # a signature, without which Apple's processors run nothing
    assert b"_g2p_pronounce_all\0" in data
