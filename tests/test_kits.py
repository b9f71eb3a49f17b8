"""The archives for phones: what they hold, and that an app's tools accept it, as far as tools here can tell."""

import io
import json
import plistlib
import re
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Tree, copy_tree, unpacked
from elftools.elf.elffile import ELFFile
from emulated import Zig, golden_lines, said

from g2p_build.compiler.link import compile_c

NAMES = {"android": "embedded-android-b1-i64-o128-float32-kv", "iphone": "embedded-iphone-b1-i64-o128-float32-kv"}
LIBRARY = "G2PKernels.xcframework/ios-arm64/libg2pkernels.a"


@pytest.fixture
def android(ported: Tree, tmp_path: Path) -> Path:
    """A folder with the members of both archives."""
    return unpacked(ported, NAMES["android"], tmp_path / "android")


@pytest.fixture
def iphone(ported: Tree, tmp_path: Path) -> Path:
    return unpacked(ported, NAMES["iphone"], tmp_path / "iphone")


def manifest(ported: Tree, target: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ported.root / "manifests" / f"{NAMES[target]}.json").read_bytes())
    return found


@pytest.mark.parametrize("target", NAMES)
def test_the_manifest_names_every_file(ported: Tree, target: str, tmp_path: Path) -> None:
    folder = unpacked(ported, NAMES[target], tmp_path)
    files = manifest(ported, target)["files"]
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    tables = {files["lexicon"], files["draft"]}
    assert found == {*files["library"], files["model"], files["weights"], *tables, *files["notices"]}
    assert files["header"] == "g2p.h" and files["static"] is None


def test_androids_kernels_are_what_the_manifest_says(ported: Tree, android: Path) -> None:
    elf = ELFFile(io.BytesIO((android / "kernels.o").read_bytes()))
    assert (elf["e_machine"], elf["e_type"], elf.elfclass, elf.little_endian) == ("EM_AARCH64", "ET_REL", 64, True)
    symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
    undefined = sorted(symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name)
    assert manifest(ported, "android")["inspection"] == {
        "format": "elf",
        "architecture": "aarch64",
        "undefined": undefined,
        "linked": False,
    }
    assert set(undefined) <= {"memcpy", "memset"}
    kernels = {symbol.name for symbol in symbols if symbol["st_info"]["bind"] == "STB_GLOBAL"} - set(undefined)
    assert kernels and all(name.startswith("g2p_kernel_") for name in kernels)


def test_iphones_kernels_are_what_the_manifest_says(ported: Tree, iphone: Path) -> None:
    archive = (iphone / LIBRARY).read_bytes()
    assert archive.startswith(b"!<arch>\n") and archive.count(b"\xcf\xfa\xed\xfe\x0c\0\0\1") == 1  # Mach-O for arm64
    inspection = manifest(ported, "iphone")["inspection"]
    assert (inspection["format"], inspection["architecture"], inspection["linked"]) == ("mach-o", "aarch64", False)
    assert set(inspection["undefined"]) <= {"bzero", "memcpy", "memset"}
    assert all(f"_{name}\0".encode() in archive for name in inspection["undefined"])


def test_the_swift_package_names_only_what_is_there(iphone: Path) -> None:
    check_swift_package(iphone, "G2P")


def check_swift_package(folder: Path, title: str) -> None:
    """Checks that a Swift package has what it names."""
    package = (folder / "Package.swift").read_text(encoding="utf-8")
    assert package.startswith("// swift-tools-version:5")
    assert package.count("(") == package.count(")") and package.count("[") == package.count("]")
    targets = re.findall(r'\.target\(name: "(\w+)"', package)
    assert targets == [f"C{title}", title] and f'.library(name: "{title}", targets: ["{title}"])' in package
    for target in targets:
        assert (folder / "Sources" / target).is_dir()
    [excluded] = re.findall(r"exclude: \[(.*)\]", package)
    included = sorted(path.name for path in (folder / "Sources" / f"C{title}").glob("*.inc"))
    assert re.findall(r'"([^"]+)"', excluded) == included
    [copied] = re.findall(r'\.copy\("(\w+)"\)', package)
    assert (folder / "Sources" / title / copied).is_dir()
    [binary] = re.findall(r'path: "([^"]+\.xcframework)"', package)
    assert (folder / binary).is_dir()
    headers = folder / "Sources" / f"C{title}" / "include"
    [header] = re.findall(r'header "([^"]+)"', (headers / "module.modulemap").read_text(encoding="utf-8"))
    assert sorted(path.name for path in headers.iterdir()) == sorted([header, "module.modulemap"])


def test_the_xcframework_is_laid_out_as_its_list_says(ported: Tree, iphone: Path) -> None:
    folder = iphone / "G2PKernels.xcframework"
    listed = plistlib.loads((folder / "Info.plist").read_bytes())
    assert (listed["CFBundlePackageType"], listed["XCFrameworkFormatVersion"]) == ("XFWK", "1.0")
    platforms = {}
    for library in listed["AvailableLibraries"]:
        assert library["SupportedArchitectures"] == ["arm64"]
        data = (folder / library["LibraryIdentifier"] / library["LibraryPath"]).read_bytes()
        platforms[library["SupportedPlatform"], library.get("SupportedPlatformVariant")] = built_for(data)
    package = (iphone / "Package.swift").read_text(encoding="utf-8")
    [least] = re.findall(r"\.iOS\(\.v(\d+)\)", package)
    assert manifest(ported, "iphone")["target"]["triple"] == f"arm64-apple-ios{least}.0"
    # The numbers of the platforms are those of <mach-o/loader.h>.
    ios, [mac] = int(least), map(int, re.findall(r"\.macOS\(\.v(\d+)\)", package))
    assert platforms == {("ios", None): (2, ios), ("ios", "simulator"): (7, ios), ("macos", None): (1, mac)}


def commands_of(archive: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The load commands of the object file in a static library: number, content, and the whole file."""
    file = archive[archive.index(b"\xcf\xfa\xed\xfe") :]
    at, [count] = 32, struct.unpack_from("<I", file, 16)
    for _ in range(count):
        command, size = struct.unpack_from("<II", file, at)
        yield command, file[at : at + size], file
        at += size


def built_for(archive: bytes) -> tuple[int, int]:
    """The platform that the object file in a static library says it is for, and its system's oldest major version."""
    [version] = [content for command, content, _ in commands_of(archive) if command == 0x32]  # LC_BUILD_VERSION
    platform, least = struct.unpack_from("<II", version, 8)
    return platform, least >> 16


def code(archive: bytes) -> dict[str, bytes]:
    """The sections of the object file in a static library that come into a program."""
    found = {}
    for command, content, file in commands_of(archive):
        for at in range(72, len(content), 80) if command == 0x19 else ():  # LC_SEGMENT_64
            name, segment, _, size, offset = struct.unpack_from("<16s16sQQI", content, at)
            if not segment.startswith(b"__DWARF"):
                found[f"{segment.decode()} {name.decode()}"] = file[offset : offset + size]
    return found


@pytest.mark.long
def test_the_simulators_kernels_are_those_that_are_compiled_for_it(ported: Tree, iphone: Path, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree", ported.cache, ported.root)
    tree.compiled("target=iphone", "target.name=simulator", "target.triple=arm64-apple-ios14.0-simulator")
    compiled = unpacked(tree, NAMES["iphone"].replace("iphone", "simulator"), tmp_path / "simulator")
    library = "G2PKernels.xcframework/ios-arm64-simulator/libg2pkernels.a"
    one, other = ((folder / library).read_bytes() for folder in (iphone, compiled))
    assert built_for(one) == built_for(other) == (7, 14)
    assert code(one) == code(other) and len(code(one)) > 1


def test_the_c_of_an_iphones_kit_is_c_for_apples_platforms(iphone: Path, tmp_path: Path) -> None:
    folder = iphone / "Sources" / "CG2P"
    sources = {path.name: path for path in folder.rglob("*") if path.suffix in (".c", ".h", ".inc")}
    assert len(compile_c(sources, "arm64-apple-macosx", tmp_path)) == len(list(folder.glob("*.c")))


# The Swift package


def test_a_package_is_the_kit_with_its_weights(ported: Tree, iphone: Path, tmp_path: Path) -> None:
    trees = [copy_tree(tmp_path / str(number), ported.cache, ported.root) for number in range(2)]
    made = []
    for tree in trees:
        result = tree.doit("swift", "--json", "target=iphone")
        assert result.returncode == 0, result.stderr
        made.append(Path(json.loads(result.stdout)["package"]))
    assert made[0].name == made[1].name and made[0].read_bytes() == made[1].read_bytes()
    with zipfile.ZipFile(made[0]) as opened:
        content = {name.removeprefix("G2P/"): opened.read(name) for name in opened.namelist()}
    for file in manifest(ported, "iphone")["files"]["library"]:
        if not file.endswith("README.txt"):
            assert content[file] == (iphone / file).read_bytes()
    archive = manifest(ported, "iphone")["archives"]["weights"]["file"]
    assert content["Sources/G2P/Weights/weights.tar"] == (ported.root / "dist" / archive).read_bytes()
    assert content["LICENSE"] and content["NOTICE"] and content["LEXICON-NOTICE"]
    older = made[1].with_name(made[1].name.replace("+", "+0"))
    older.write_bytes(made[1].read_bytes())
    assert trees[1].doit("swift", "target=iphone").returncode == 0 and not older.exists()
    assert trees[1].doit("clean", "target=iphone").returncode == 0 and not made[1].exists()
    again = trees[1].doit("compile", "target=iphone")
    archives = manifest(ported, "iphone")["archives"]
    assert [line.split()[:2] for line in again.stdout.splitlines()] == [
        *[[f"dist/{archives[role]['file']}", f"{role},"] for role in ("library", "weights")],
        ["next:", "doit"],
    ]
    assert again.stdout.endswith("next: doit swift target=iphone\n")
    assert trees[1].doit("compile", "target=iphone").stdout == ""  # nothing was made
    both = trees[1].doit("compile", "target=android,host", "dtype=float32").stdout.splitlines()
    assert both[-2:] == ["next: docs/apps.md says how an app takes it", "next: doit wheel target=host dtype=float32"]
    wrong = trees[0].doit("swift", "target=android")
    assert wrong.returncode == 1 and "is for aarch64-linux-android" in wrong.stderr
    assert "a Swift package is of target=iphone" in wrong.stderr and "Traceback" not in wrong.stderr


def test_a_package_that_speaks_holds_voices_too(speech: Tree, tmp_path: Path) -> None:
    trees = [copy_tree(tmp_path / str(number), tmp_path / "cache") for number in range(2)]
    shutil.copytree(speech.cache, tmp_path / "cache")
    asked, made = ("checkpoint=kokoro_small", "target=iphone"), []
    for tree in trees:
        result = tree.doit("swift", "--json", *asked)
        assert result.returncode == 0, result.stderr
        made.append(Path(json.loads(result.stdout)["package"]))
    assert made[0].name == made[1].name and made[0].read_bytes() == made[1].read_bytes()
    assert re.fullmatch(r"tts_kokoro_small-.+-swift\.zip", made[0].name)
    with zipfile.ZipFile(made[0]) as opened:
        opened.extractall(tmp_path / "package")
    folder = tmp_path / "package" / "TTS"
    check_swift_package(folder, "TTS")
    [published] = (trees[0].root / "manifests").glob("kokoro_small-iphone-*.json")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest == json.loads(published.read_bytes())
    resources = folder / "Sources" / "TTS" / "Weights"
    assert sorted(path.name for path in resources.iterdir()) == ["voices.tar", "weights.tar"]
    for role in ("voices", "weights"):
        archive = trees[0].root / "dist" / manifest["archives"][role]["file"]
        assert (resources / f"{role}.tar").read_bytes() == archive.read_bytes()
    kit = unpacked(trees[0], published.stem, tmp_path / "kit")
    assert "voices.tar" in (kit / "Sources" / "TTS" / "Weights" / "README.txt").read_text(encoding="utf-8")
    sources = {path.name for path in (kit / "Sources" / "TTS").glob("*.swift")}
    assert sources == {"Pieces.swift", "Results.swift", "Stopping.swift", "TTS.swift", "Weights.swift"}
    assert (folder / "LICENSE").is_file() and (folder / "NOTICE").is_file()
    older = made[1].with_name(made[1].name.replace("+", "+0"))
    older.write_bytes(made[1].read_bytes())
    said = trees[1].doit("swift", *asked)
    assert said.returncode == 0 and said.stdout.endswith('.package(path: "TTS")\n') and not older.exists()
    assert trees[1].doit("clean", *asked).returncode == 0 and not made[1].exists()
    again = trees[1].doit("compile", *asked).stdout
    assert again.endswith("next: doit swift checkpoint=kokoro_small target=iphone\n")


needs_qemu = pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="qemu-aarch64 is not there (qemu-user)")


@pytest.mark.long
@needs_qemu
@pytest.mark.skipif(not (shutil.which("cmake") and shutil.which("ninja")), reason="cmake or ninja is not there")
def test_androids_cmake_project_is_built_by_a_cross_compiler_and_runs(android: Path, zig: Zig, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(app C)\nadd_subdirectory(android)\n"
        f"add_executable(words {Path(__file__).with_name('words.c')})\n"
        "target_link_libraries(words PRIVATE g2p)\ntarget_link_options(words PRIVATE -static)\n"
    )
    tools = {"cc": ["cc", "-target", "aarch64-linux-musl"], "ar": ["ar"], "ranlib": ["ranlib"]}
    for name, words in tools.items():
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {" ".join([*zig.command, *words])} "$@"\n')
        (tmp_path / name).chmod(0o755)
    settings = {"SYSTEM_NAME": "Linux", "SYSTEM_PROCESSOR": "aarch64", "C_COMPILER": tmp_path / "cc"}
    settings |= {"AR": tmp_path / "ar", "RANLIB": tmp_path / "ranlib"}
    (tmp_path / "zig.cmake").write_text("".join(f"set(CMAKE_{name} {value})\n" for name, value in settings.items()))
    configure = ["cmake", "-G", "Ninja", "-S", ".", "-B", "out", "-DCMAKE_BUILD_TYPE=Release"]
    for command in ([*configure, "-DCMAKE_TOOLCHAIN_FILE=zig.cmake"], ["cmake", "--build", "out"]):
        ran = subprocess.run(command, cwd=tmp_path, env=zig.env, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    said_there = said(["qemu-aarch64", tmp_path / "out" / "words"], android / "weights.safetensors")
    assert said_there == golden_lines("ipa")
