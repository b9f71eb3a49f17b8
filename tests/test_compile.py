"""`doit compile …` through the whole graph: what it writes, for which targets, and what it leaves alone."""

import hashlib
import io
import json
import shutil
import struct
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from conftest import CACHED, CACHELESS, DEFAULT, HALF, SMALL, Tree, copy_tree
from elftools.elf.elffile import ELFFile
from safetensors.torch import load

from g2p_build.products import schemas
from g2p_build.runtime import manifest as manifests

# The only symbols that an app's linker must provide: from libm, libc and TVM's runtime.
LIBM_AND_LIBC = {"expf", "logf", "powf", "tanhf", "erff", "sqrtf", "memcpy", "memset", "memmove"}


def manifest_of(tree: Tree, name: str) -> dict[str, Any]:
    return manifests.read(tree.root / "manifests" / f"{name}.json")


def archive_of(tree: Tree, name: str, role: str) -> Path:
    path: Path = tree.root / "dist" / manifest_of(tree, name)["archives"][role]["file"]
    return path


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


@pytest.mark.parametrize("name", [DEFAULT, CACHED, CACHELESS, HALF])
def test_archives_are_named_by_their_content_and_hold_nothing_of_this_machine(built: Tree, name: str) -> None:
    for role, archive in manifest_of(built, name)["archives"].items():
        path = archive_of(built, name, role)
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == archive["sha256"]
        assert path.stem.endswith(archive["sha256"][:16])
        assert len(data) == archive["size"]
        assert str(built.root).encode() not in data and str(built.cache).encode() not in data
        with tarfile.open(path) as tar:
            assert tar.getnames() == sorted(tar.getnames())
            assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar} == {(0, 0, 0, "", "", 0o644)}


@pytest.mark.parametrize("name", [DEFAULT, HALF])
def test_weights_can_be_used_where_they_are_mapped(built: Tree, name: str) -> None:
    data = members(archive_of(built, name, "weights"))["weights.safetensors"]
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert (8 + length) % 64 == 0
    wanted = {
        tensor["name"]
        for f in manifest_of(built, name)["functions"]
        for tensor in f["inputs"]
        if tensor["kind"] == "weight"
    }
    assert wanted == {tensor for tensor in header if not tensor.startswith("_")}
    assert all(header[tensor]["data_offsets"][0] % 64 == 0 for tensor in wanted)
    assert wanted <= set(load(data))  # the safetensors library reads it too


def test_variants_share_the_weights_archive(built: Tree) -> None:
    assert len({manifest_of(built, name)["archives"]["weights"]["file"] for name in (DEFAULT, CACHED, CACHELESS)}) == 1


def test_the_index_lists_every_manifest(built: Tree) -> None:
    index = manifests.read_index(built.root / "manifests" / "index.json")
    assert index["default"] == DEFAULT
    assert [entry["name"] for entry in index["manifests"]] == sorted([DEFAULT, CACHED, CACHELESS, HALF])
    for entry in index["manifests"]:
        assert entry["digest"] == manifest_of(built, entry["name"])["digest"]


def test_the_published_schemas_are_those_in_use() -> None:
    assert sorted(path.name for path in schemas.PUBLISHED.iterdir()) == sorted(schemas.SOURCES)
    for name in schemas.SOURCES:
        same = (schemas.PUBLISHED / name).read_bytes() == manifests.schema_text(name)
        assert same, f"{name} has changed: run python -m g2p_build.products.schemas"


def test_what_is_current_is_left_alone(built: Tree) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.root.rglob("*") if path.suffix in (".tar", ".json")}
    said = built.compiled()
    assert said.split() == ["current", DEFAULT]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_deleted_archive_comes_back_without_compiling(built: Tree) -> None:
    path = archive_of(built, DEFAULT, "library")
    data = path.read_bytes()
    path.unlink()
    assert built.compiled().split()[0] == "publish"
    assert path.read_bytes() == data


def test_another_tree_with_the_same_cache_compiles_nothing(built: Tree, tmp_path: Path) -> None:
    other = copy_tree(tmp_path / "elsewhere", built.cache, built.root)
    assert {line.split()[0] for line in other.compiled().splitlines()} == {"publish"}
    for part in ("manifests", "dist"):
        for path in (other.root / part).glob("*"):
            if path.name != "index.json":
                assert path.read_bytes() == (built.root / part / path.name).read_bytes()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with a small odd shape for every target, and the same shape with other weights."""
    folder = tmp_path_factory.mktemp("small")
    tree = copy_tree(folder / "tree", folder / "cache")
    tree.compiled(*SMALL, "target=host,linux_arm64,iphone,android")
    tree.compiled(*SMALL, "checkpoint.seed=1", "checkpoint.name=other")
    return tree


def test_the_library_does_not_depend_on_the_values_of_weights(small: Tree) -> None:
    manifests = {path.stem: json.loads(path.read_text()) for path in (small.root / "manifests").glob("*host*.json")}
    one, two = manifests.values()
    assert one["archives"]["weights"]["sha256"] != two["archives"]["weights"]["sha256"]
    assert one["archives"]["library"]["sha256"] == two["archives"]["library"]["sha256"]


def kit_for(small: Tree, target: str) -> dict[str, bytes]:
    [path] = (small.root / "manifests").glob(f"*-{target}-*.json")
    manifest = manifests.read(path)
    assert manifest["target"]["package"] == "objects"
    assert manifest["files"]["runtime"] is None
    found = members(small.root / "dist" / manifest["archives"]["library"]["file"])
    assert set(manifest["files"]["library"]) == found.keys() - {"tokenizer.json"}
    return found


def test_elf_kernels_for_an_apps_own_linker(small: Tree) -> None:
    elf = ELFFile(io.BytesIO(kit_for(small, "android")["kernels.o"]))
    assert (elf["e_machine"], elf["e_type"], elf.elfclass, elf.little_endian) == ("EM_AARCH64", "ET_REL", 64, True)
    symbols = elf.get_section_by_name(".symtab")
    undefined = {s.name for s in symbols.iter_symbols() if s["st_shndx"] == "SHN_UNDEF" and s.name}
    assert undefined - LIBM_AND_LIBC == set()


def undefined_in_mach_o(data: bytes) -> set[str]:
    """Undefined symbols of a 64-bit Mach-O object (<mach-o/loader.h>, <mach-o/nlist.h>), without the underscore."""
    magic, cpu, _, file_type, commands = struct.unpack_from("<5I", data)
    assert (magic, cpu, file_type) == (0xFEEDFACF, 0x0100000C, 1)  # 64 bits, arm64, an object
    place, found = 32, set()
    for _ in range(commands):
        command, size = struct.unpack_from("<2I", data, place)
        if command == 2:  # LC_SYMTAB
            symbols, count, strings, _ = struct.unpack_from("<4I", data, place + 8)
            for entry in range(count):
                name, kind, _, _, _ = struct.unpack_from("<IBBHQ", data, symbols + 16 * entry)
                if kind & 0x0E == 0:  # N_TYPE is N_UNDF
                    start = strings + name
                    found.add(data[start : data.index(b"\0", start)].decode().removeprefix("_"))
        place += size
    return found


def test_mach_o_kernels_for_an_apps_own_linker(small: Tree) -> None:
    library = kit_for(small, "iphone")["G2PKernels.xcframework/ios-arm64/libg2pkernels.a"]
    # The one member of the static library.
    assert undefined_in_mach_o(library[library.index(b"\xcf\xfa\xed\xfe") :]) - LIBM_AND_LIBC == set()


def test_a_crashed_compiler_is_an_error_and_the_other_variants_are_built(small: Tree, tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    shutil.copytree(small.root, folder)
    tree = Tree(folder, small.cache)
    stage = folder / "g2p_build" / "stages" / "code.py"
    crash = "    import os\n\n    if params['cpu'] == 'apple-a14':\n        os.kill(os.getpid(), 11)\n    import tvm\n"
    stage.write_text(stage.read_text(encoding="utf-8").replace("    import tvm\n", crash, 1), encoding="utf-8")
    crashing = ["target=iphone", "target.name=old_iphone"]
    failed = tree.doit("compile", *SMALL, *crashing)
    assert failed.returncode != 0
    [line] = [line for line in failed.stderr.splitlines() if "SIGSEGV" in line]
    assert line.startswith("ERROR: code:") and Path(line.rsplit(" ", 1)[1]).is_file()
    assert "Traceback" not in failed.stderr
    assert not list((folder / "manifests").glob("*old_iphone*"))
    assert "code " in tree.compiled(*SMALL, "target=android")


def test_a_hydra_multirun_builds_the_same_variants(small: Tree) -> None:
    before = {path.name: path.read_bytes() for path in (small.root / "manifests").glob("*.json")}
    result = small.run(sys.executable, "-m", "g2p_build", "-m", *SMALL, "target=host,iphone")
    assert result.returncode == 0, result.stderr
    assert {path.name: path.read_bytes() for path in (small.root / "manifests").glob("*.json")} == before
