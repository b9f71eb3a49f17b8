"""Libraries for Android and the archive of them: what they are, what they need, and that they run, without a device."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, Tree, copy_tree, unpacked
from elftools.elf.elffile import ELFFile
from emulated import SYSTEM, Zig, golden_lines, said

from g2p_build.compiler.link import BIONIC
from g2p_build.errors import BuildError
from g2p_build.native.files import ANDROID, KOTLIN
from g2p_build.native.files import SYSTEM as HEADERS
from g2p_build.products.aar import write_aar
from g2p_build.products.members import zipped
from g2p_build.store.workspace import Workspace

HERE = ROOT / "tests" / "android"
NAMES = [f"embedded-android_{name}-b1-i64-o128-float32-kv" for name in ("arm64", "x86_64")]
MACHINES = ["EM_AARCH64", "EM_X86_64"]


@pytest.fixture(scope="module")
def libraries(ported: Tree, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders with the members of both archives, for each processor."""
    return [unpacked(ported, name, tmp_path_factory.mktemp("android")) for name in NAMES]


def elf(folder: Path) -> ELFFile:
    return ELFFile(io.BytesIO((folder / "libg2p.so").read_bytes()))


def undefined(file: ELFFile) -> set[str]:
    symbols = file.get_section_by_name(".dynsym").iter_symbols()
    return {symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name}


@pytest.mark.parametrize("number", [0, 1], ids=["arm64", "x86_64"])
def test_a_library_is_what_androids_loader_takes(libraries: list[Path], number: int) -> None:
    file = elf(libraries[number])
    assert (file["e_machine"], file["e_type"], file.elfclass) == (MACHINES[number], "ET_DYN", 64)
    segments = list(file.iter_segments())
    loaded = [segment for segment in segments if segment["p_type"] == "PT_LOAD"]
    assert all(segment["p_align"] == 16384 for segment in loaded)  # the largest pages that devices have
    assert all(segment["p_vaddr"] % 16384 == segment["p_offset"] % 16384 for segment in loaded)
    assert not [segment for segment in loaded if segment["p_flags"] & 3 == 3]  # none is to be written and run
    [relro] = [segment for segment in segments if segment["p_type"] == "PT_GNU_RELRO"]
    assert (relro["p_vaddr"] + relro["p_memsz"]) % 4096 == 0
    tags = list(file.get_section_by_name(".dynamic").iter_tags())
    assert {tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"} <= {"libc.so", "libm.so"}
    assert [tag.soname for tag in tags if tag.entry.d_tag == "DT_SONAME"] == ["libg2p.so"]
    assert {"DT_HASH", "DT_GNU_HASH"} <= {tag.entry.d_tag for tag in tags}
    assert "DT_TEXTREL" not in {tag.entry.d_tag for tag in tags}
    assert undefined(file) <= {name for names in BIONIC.values() for name in names}
    assert "PT_TLS" not in {segment["p_type"] for segment in segments}


def test_it_has_the_functions_that_kotlin_and_java_declare(libraries: list[Path]) -> None:
    kotlin = re.findall(r"external\s+fun (\w+)\(", (KOTLIN / "Native.kt").read_text(encoding="utf-8"))
    java = (HERE / "g2p" / "runtime" / "Native.java").read_text(encoding="utf-8")
    assert kotlin == re.findall(r"static native [\w\[\]]+ (\w+)\(", java) and len(kotlin) == 14
    for folder in libraries:
        names = {symbol.name for symbol in elf(folder).get_section_by_name(".dynsym").iter_symbols()}
        assert {name for name in names if name.startswith("Java_")} == {f"Java_g2p_runtime_Native_{n}" for n in kotlin}
        assert "g2p_pronounce_all" in names


def tools(*names: str) -> None:
    for name in names:
        if not shutil.which(name):
            pytest.skip(f"no {name} here")


def jdk() -> Path:
    """The folder of the JDK whose javac is on PATH."""
    tools("java", "javac", "gcc")
    return Path(str(shutil.which("javac"))).resolve().parents[1]


def test_the_functions_that_c_calls_have_their_places_in_the_interfaces_table(tmp_path: Path) -> None:
    include = jdk() / "include"
    if not (include / "linux" / "jni_md.h").is_file():
        pytest.skip("the JDK has no headers")
    places = {"length": "GetArrayLength", "create": "NewByteArray"}
    places |= {"get": "GetByteArrayRegion", "set": "SetByteArrayRegion"}
    asserted = "".join(
        f'_Static_assert(offsetof(struct jvm_functions, {ours}) == offsetof(struct JNINativeInterface_, {name}), "");\n'
        for ours, name in places.items()
    )
    (tmp_path / "places.c").write_text(f'#include <jni.h>\n#include <stddef.h>\n#include "jvm.h"\n{asserted}')
    command = ["gcc", "-fsyntax-only", f"-I{include}", f"-I{include / 'linux'}", f"-I{ANDROID}", tmp_path / "places.c"]
    subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment for a Java that loads Android's library for x86-64: with a stand-in for Android's libc.so."""
    jdk()
    if not (sys.platform == "linux" and os.uname().machine == "x86_64"):
        pytest.skip("no x86-64 Linux")
    out = tmp_path_factory.mktemp("libc") / "libc.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wl,-soname,libc.so", HERE / "libc.c", "-ldl", "-o", out], check=True)
    return os.environ | {"LD_PRELOAD": str(out)}


def java(env: dict[str, str], library: Path, classes: str, *words: str | Path) -> str:
    command = ["java", "-Xcheck:jni", "--add-opens", "java.base/java.io=ALL-UNNAMED", f"-Djava.library.path={library}"]
    ran = subprocess.run([*command, "-cp", classes, *words], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_virtual_machine_runs_androids_own_library(
    libraries: list[Path], ported: Tree, machine: dict[str, str], tmp_path: Path
) -> None:
    data = json.loads((ported.root / "manifests" / f"{NAMES[1]}.json").read_bytes())
    weights = ported.root / "dist" / data["archives"]["weights"]["file"]
    for name, begin in (("read", 68), ("mapped", 4160)):  # an app's package has assets at multiples of 4
        (tmp_path / name).write_bytes(bytes(begin) + weights.read_bytes())
    rows = zip(golden_lines("lang"), golden_lines("word"), strict=True)
    (tmp_path / "words").write_text("".join(f"{lang}\t{word}\n" for lang, word in rows), encoding="utf-8")
    subprocess.run(["javac", "-d", tmp_path, HERE / "g2p" / "runtime" / "Native.java"], check=True)
    arguments = [weights, tmp_path / "read", tmp_path / "mapped", tmp_path / "words"]
    lines = java(machine, libraries[1], str(tmp_path), "g2p.runtime.Native", *arguments).splitlines()
    assert lines[:60] == golden_lines("ipa")
    cut = "9 -1 the weights cannot be read to their end"
    assert lines[60:] == [
        *["ˈtie", cut, "ˈtie", cut, "ˈtie", "T"],
        "17 -1 the lexicon: line 1: 'tie' has no tab: a word, a tab and its pronunciations are wanted",
        *["16", "16 0", "7 -1 a language's code has a zero in it"],
        "9 -1 a path has a zero in it: name another file",
        "9 -1 there is no file at /nowhere: name another",
        *["10 -1", "10 -1 there are no weights in 0 bytes", "1 -1"],
        "0:3 3:4 2:5 0:8 2:9 1:10",
        *["0:0 0:0 1:16", "3 -1 the best 5 of 4 beams: give 1 to 4, or more beams", "eng-us", "7 -1", "3 -1"],
        "6 eng-us",
    ]


@pytest.mark.long
@pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="qemu-aarch64 is not there (qemu-user)")
@pytest.mark.skipif(not SYSTEM.is_dir(), reason="libc6-arm64-cross is not there")
def test_the_library_for_arm_pronounces_under_emulation(libraries: list[Path], zig: Zig, tmp_path: Path) -> None:
    triple, folder = "aarch64-linux-gnu.2.28", libraries[0]
    zig.run(
        "cc",
        "-target",
        triple,
        "-shared",
        "-fPIC",
        "-Wl,-soname,libc.so",
        HERE / "libc.c",
        "-ldl",
        "-o",
        "libc.so",
        cwd=tmp_path,
    )
    shared = [f"-L{folder}", "-lg2p", "-Wl,--allow-shlib-undefined"]
    words = [ROOT / "tests" / "words.c", *shared, "-lm", "-lpthread", "-o", "words"]
    zig.run("cc", "-target", triple, "-std=c11", "-O2", f"-I{folder}", *words, cwd=tmp_path)
    paths = ["-E", f"LD_LIBRARY_PATH={folder}:{tmp_path}", "-E", f"LD_PRELOAD={tmp_path / 'libc.so'}"]
    command = ["qemu-aarch64", "-L", SYSTEM, *paths, tmp_path / "words"]
    assert said(command, folder / "weights.safetensors") == golden_lines("ipa")


bionic = pytest.mark.skipif(
    "G2P_BIONIC" not in os.environ, reason="G2P_BIONIC names no checkout of Android's C library"
)


@bionic
@pytest.mark.parametrize("library", BIONIC)
def test_androids_symbol_lists_have_every_function_since_android_5(library: str) -> None:
    name = library.removesuffix(".so")
    text = Path(os.environ["G2P_BIONIC"], name, f"{name}.map.txt").read_text(encoding="utf-8")
    public = text.partition("_PRIVATE {")[0]
    there = dict(re.findall(r"^ +(\w+);(.*)$", public, re.MULTILINE))
    for function in BIONIC[library]:
        assert function in there, function
        since = re.search(r"introduced(?:-\w+)?=(\d+)", there[function])
        assert since is None or int(since[1]) <= 21, f"{function}: {there[function]}"


@bionic
@pytest.mark.parametrize("architecture", ["aarch64", "x86_64"])
def test_what_the_stand_in_says_of_androids_headers_is_so(zig: Zig, tmp_path: Path, architecture: str) -> None:
    header = (HEADERS / "bionic.h").read_text(encoding="utf-8")
    numbers = re.findall(r"^#define (\w+) ([0-9]+)\b", header, re.MULTILINE)
    sizes = ["struct stat", "pthread_mutex_t", "pthread_cond_t", "pthread_t", "off_t", "ssize_t"]
    places = ["st_mode", "st_size"]
    source = "#include <stddef.h>\n"
    for before, name in (("stand", "bionic.h"), ("real", "real.h")):
        included = "".join(f"#include <{each}.h>\n" for each in REAL) if before == "real" else f'#include "{name}"\n'
        values = [*(each for each, _ in numbers), *(f"sizeof({each})" for each in sizes)]
        values += [f"offsetof(struct stat, {each})" for each in places]
        text = source + included + f"const long {before}[] = {{{', '.join(values)}}};\n"
        (tmp_path / f"{before}.c").write_text(text)
    root = Path(os.environ["G2P_BIONIC"], "libc")
    kernel = root / "kernel"
    machine = {"aarch64": "arm64", "x86_64": "x86"}[architecture]
    folders = [root / "include", kernel / "uapi", kernel / "android" / "uapi", kernel / "uapi" / f"asm-{machine}"]
    for before, searched in (("stand", [HEADERS]), ("real", folders)):
        options = [word for folder in searched for word in ("-isystem", folder)]
        if before == "real":
            options.append("-D__ANDROID_API__=21")
        target = f"{architecture}-linux-android"
        command = ["cc", "-target", target, "-O2", "-c", "-g0", f"{before}.c", "-o", f"{before}.o"]
        zig.run(*command, *(["-ffreestanding"] if before == "stand" else ["-nostdlibinc"]), *options, cwd=tmp_path)
    found = [
        ELFFile(io.BytesIO((tmp_path / f"{before}.o").read_bytes())).get_section_by_name(".rodata").data()
        for before in ("stand", "real")
    ]
    assert found[0] == found[1] and len(found[0]) == 8 * (len(numbers) + len(sizes) + len(places))


REAL = ("errno", "fcntl", "pthread", "sched", "stdlib", "string", "sys/auxv", "sys/mman", "sys/stat", "unistd")


# The archive


def test_without_a_compiler_an_archive_is_refused_in_one_line(ported: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(ported.cache, ported.root)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("KOTLIN_HOME", raising=False)
    with pytest.raises(BuildError, match=r"no java on PATH here: install .*KOTLIN_HOME; without .*target=android"):
        write_aar(workspace, NAMES)
    monkeypatch.undo()
    tools("java")
    monkeypatch.setenv("KOTLIN_HOME", "/nowhere")
    with pytest.raises(BuildError, match=r"KOTLIN_HOME=/nowhere is no Kotlin compiler: there is no /nowhere/lib/"):
        write_aar(workspace, NAMES)
    with pytest.raises(BuildError, match="two variants for x86_64-linux-android: an app has one"):
        write_aar(workspace, [NAMES[1], NAMES[1]])
    with pytest.raises(BuildError, match=r"target\.package=objects: an AAR is of target=android_arm64,android_x86_64"):
        write_aar(workspace, ["embedded-android-b1-i64-o128-float32-kv"])
    assert not list((ported.root / "dist").glob("*.aar")) and not list((ported.root / "dist").glob(".*"))


def test_an_archive_goes_with_its_variants(ported: Tree, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree", ported.cache, ported.root)
    tree.compiled("target=android_arm64,android_x86_64")
    dist = tree.root / "dist"
    zipped({f"META-INF/g2p/{name}.json": b"" for name in NAMES}, dist / "g2p_embedded-0.1.0+old.aar")
    (dist / "g2p_other.aar").write_bytes(b"somebody else's")
    assert tree.doit("clean", "target=android_arm64").returncode == 0
    assert [path.name for path in dist.glob("*.aar")] == ["g2p_other.aar"]


@pytest.fixture(scope="module")
def kotlin() -> Path:
    """The folder with Kotlin's libraries."""
    tools("java")
    home, command = os.environ.get("KOTLIN_HOME"), shutil.which("kotlinc")
    if not home and not command:
        pytest.skip("no kotlinc on PATH, and no KOTLIN_HOME")
    return Path(home or Path(str(command)).resolve().parents[1]) / "lib"


@pytest.mark.long
def test_the_archives_classes_run_over_its_own_library(
    ported: Tree, machine: dict[str, str], kotlin: Path, tmp_path: Path
) -> None:
    trees = [copy_tree(tmp_path / str(number), ported.cache, ported.root) for number in range(2)]
    made = []
    for tree in trees:
        result = tree.doit("aar", "--json", "target=android_arm64,android_x86_64")
        assert result.returncode == 0, result.stderr
        made.append(Path(json.loads(result.stdout)["aar"]))
    assert made[0].name == made[1].name and made[0].read_bytes() == made[1].read_bytes()
    archive = tmp_path / "archive"
    with zipfile.ZipFile(made[0]) as opened:
        entries = opened.infolist()
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
        assert {"AndroidManifest.xml", "R.txt", "classes.jar", "proguard.txt"} <= {entry.filename for entry in entries}
        opened.extractall(archive)
    app, needed = tmp_path / "app", ["kotlin-stdlib", "kotlinx-coroutines-core-jvm"]
    fakes = sorted((HERE / "fake").rglob("*.java"))
    subprocess.run(["javac", "-d", app, *fakes], check=True)
    libraries = os.pathsep.join(map(str, [archive / "classes.jar", app, *(kotlin / f"{name}.jar" for name in needed)]))
    compiler = ["java", "-cp", kotlin / "kotlin-compiler.jar", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    sources = [HERE / "App.kt", *(ROOT / "examples" / "android").rglob("Words.kt")]
    options = ["-no-stdlib", "-no-reflect", "-language-version", "2.2", "-cp", libraries, "-d", app]
    subprocess.run([*compiler, *options, *sources], check=True)
    said = java(machine, archive / "jni" / "x86_64", libraries, "AppKt", archive / "assets")
    assert said == "well\n"
