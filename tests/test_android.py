"""Libraries for Android and their archives: what they are, what they need, and that they run, without a device."""

import array
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
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
from g2p_build.products.flutter import write_plugin
from g2p_build.products.members import zipped
from g2p_build.store.workspace import Workspace

HERE = ROOT / "tests" / "android"
NAMES = [f"embedded-android_{name}-b1-i64-o128-float32-kv" for name in ("arm64", "x86_64")]
SPEAKING = [f"kokoro_small-android_{name}-b1-i64-o128-float32-kv" for name in ("arm64", "x86_64")]
MACHINES = ["EM_AARCH64", "EM_X86_64"]
FUNCTIONS = {"g2p": 15, "tts": 17}
"""The library of each family, and how many functions of it a virtual machine calls."""


@pytest.fixture(scope="module")
def libraries(ported: Tree, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders with the members of the archives of a model that pronounces words, for each processor."""
    return [unpacked(ported, name, tmp_path_factory.mktemp("android")) for name in NAMES]


@pytest.fixture(scope="module")
def speaking(spoken: Tree, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """As `libraries`, of a speech model."""
    return [unpacked(spoken, name, tmp_path_factory.mktemp("android")) for name in SPEAKING]


@pytest.fixture(scope="module")
def both(libraries: list[Path], speaking: list[Path]) -> dict[str, list[Path]]:
    """Those of each family, by the name of the library."""
    return {"g2p": libraries, "tts": speaking}


def elf(folder: Path, library: str) -> ELFFile:
    return ELFFile(io.BytesIO((folder / f"lib{library}.so").read_bytes()))


def undefined(file: ELFFile) -> set[str]:
    symbols = file.get_section_by_name(".dynsym").iter_symbols()
    return {symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name}


def defined(file: ELFFile) -> set[str]:
    symbols = file.get_section_by_name(".dynsym").iter_symbols()
    return {symbol.name for symbol in symbols if symbol["st_shndx"] != "SHN_UNDEF" and symbol.name}


@pytest.mark.parametrize("library", FUNCTIONS)
@pytest.mark.parametrize("number", [0, 1], ids=["arm64", "x86_64"])
def test_a_library_is_what_androids_loader_takes(both: dict[str, list[Path]], library: str, number: int) -> None:
    file = elf(both[library][number], library)
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
    assert [tag.soname for tag in tags if tag.entry.d_tag == "DT_SONAME"] == [f"lib{library}.so"]
    assert {"DT_HASH", "DT_GNU_HASH"} <= {tag.entry.d_tag for tag in tags}
    assert "DT_TEXTREL" not in {tag.entry.d_tag for tag in tags}
    assert undefined(file) <= {name for names in BIONIC.values() for name in names}
    assert "PT_TLS" not in {segment["p_type"] for segment in segments}


@pytest.mark.parametrize(("library", "count"), FUNCTIONS.items())
def test_it_has_the_functions_that_kotlin_and_java_declare(
    both: dict[str, list[Path]], library: str, count: int
) -> None:
    kotlin = re.findall(r"external\s+fun (\w+)\(", (KOTLIN / library / "Native.kt").read_text(encoding="utf-8"))
    java = (HERE / library / "runtime" / "Native.java").read_text(encoding="utf-8")
    assert kotlin == re.findall(r"static native [\w\[\]]+ (\w+)\(", java) and len(kotlin) == count
    for folder in both[library]:
        names = defined(elf(folder, library))
        called = {name for name in names if name.startswith("Java_")}
        assert called == {f"Java_{library}_runtime_Native_{name}" for name in kotlin}
        assert {"g2p": "g2p_pronounce_all", "tts": "tts_speak"}[library] in names


def test_the_two_families_libraries_share_no_name(both: dict[str, list[Path]]) -> None:
    for folders in zip(*both.values(), strict=True):
        words, speech = (defined(elf(folder, library)) for folder, library in zip(folders, both, strict=True))
        assert words and speech and not words & speech


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


def java(env: dict[str, str], libraries: Sequence[Path], classes: str, *words: str | Path) -> str:
    path = os.pathsep.join(map(str, libraries))
    command = ["java", "-Xcheck:jni", "--add-opens", "java.base/java.io=ALL-UNNAMED", f"-Djava.library.path={path}"]
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
    lines = java(machine, [libraries[1]], str(tmp_path), "g2p.runtime.Native", *arguments).splitlines()
    assert lines[:60] == golden_lines("ipa")
    cut = "9 -1 the asset cannot be read to its end"
    assert lines[60:] == [
        *["ˈtie", cut, "ˈtie", cut, "ˈtie", "T"],
        "17 -1 the lexicon: line 1: 'tie' has no tab: a word, a tab and its pronunciations are wanted",
        *["16", "16 0", "7 -1 a language's code has a zero in it"],
        "9 -1 a path has a zero in it: name another file",
        "9 -1 there is no file at /nowhere: name another",
        *["10 -1", "10 -1 0 bytes are too few for a safetensors file", "1 -1"],
        "0:3 3:4 2:5 0:8 2:9 1:10",
        *["0:0 0:0 1:16", "3 -1 the best 5 of 4 beams: give 1 to 4, or more beams", "eng-us", "7 -1", "3 -1"],
        "6 eng-us",
    ]


HELLO = "həlˈO wˈɜɹld, ænd ənˈʌðəɹ. hˈI."


def heard(machine: dict[str, str], folder: Path, phonemes: str, *options: str) -> tuple[bytes, list[str]]:
    """What the Python runtime makes of phonemes with the same library, in a process of its own: samples, and timings.

    Args:
        machine: the environment with a stand-in for Android's libc.so.
        folder: with the members of a speech variant's archives.
        phonemes: what is said.
        options: speed and seed, ...
    """
    files = [folder / name for name in ("libtts.so", "weights.safetensors", "voices.safetensors")]
    command = [sys.executable, HERE / "heard.py", *files, phonemes, *options]
    ran = subprocess.run(command, env=machine | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    timings, _, samples = ran.stdout.partition(b"\n\n")
    return samples, timings.decode().splitlines()


def test_a_virtual_machine_speaks_with_androids_own_library_beside_that_of_words(
    both: dict[str, list[Path]], ported: Tree, spoken: Tree, machine: dict[str, str], tmp_path: Path
) -> None:
    archives = json.loads((spoken.root / "manifests" / f"{SPEAKING[1]}.json").read_bytes())["archives"]
    weights, voices = (spoken.root / "dist" / archives[role]["file"] for role in ("weights", "voices"))
    for path in (weights, voices):  # an app's package has assets at multiples of 4
        (tmp_path / path.name).write_bytes(bytes(68) + path.read_bytes())
    data = json.loads((ported.root / "manifests" / f"{NAMES[1]}.json").read_bytes())
    words = ported.root / "dist" / data["archives"]["weights"]["file"]
    sources = [HERE / library / "runtime" / "Native.java" for library in both]
    subprocess.run(["javac", "-d", tmp_path, *sources], check=True)
    arguments = [weights, voices, tmp_path / weights.name, tmp_path / voices.name, HELLO, tmp_path / "samples", words]
    folders = [both["tts"][1], both["g2p"][1]]
    lines = java(machine, folders, str(tmp_path), "tts.runtime.Native", *arguments).splitlines()
    samples, timings = heard(machine, both["tts"][1], HELLO, "1", "7", "early")
    assert (tmp_path / "samples").read_bytes() == samples and len(samples) > 50_000
    assert lines[: len(timings)] == timings and len(timings) == len(HELLO)
    assert lines[len(timings) :] == [
        "9 -1 the asset cannot be read to its end",
        *["true", "true", "first second ", "510 24000 600 0.25 4.0"],
        "19 6 the model has no symbol for '☃', at byte 6 of the phonemes: give another, or TTS_SKIP_UNKNOWN",
        *["4 -1", "20 -1", "3 -1"],
        "9 -1 a path has a zero in it: name another file",
        "9 -1 there is no file at /nowhere: name another",
        "9 -1 a path has a zero in it: name another file",
        *["10 -1", "21 -1"],
        "1 -1 the call was cancelled",
        *["hɛlˈO, “mˈun”!", "16 6 ", "7 -1", "7 -1 a language's code has a zero in it"],
    ]


@pytest.fixture(scope="module")
def emulated(zig: Zig, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str | Path]]:
    """Builds a C program for arm64 Linux over Android's library, and gives the command that runs it."""
    if shutil.which("qemu-aarch64") is None or not SYSTEM.is_dir():
        pytest.skip("qemu-aarch64 (qemu-user) or libc6-arm64-cross is not there")
    out = tmp_path_factory.mktemp("arm")
    common = ["cc", "-target", "aarch64-linux-gnu.2.28"]
    linked = ["-shared", "-fPIC", "-Wl,-soname,libc.so", HERE / "libc.c", "-ldl", "-o", "libc.so"]
    zig.run(*common, *linked, cwd=out)

    def built(program: Path, folder: Path, library: str) -> list[str | Path]:
        shared = [f"-L{folder}", f"-l{library}", "-Wl,--allow-shlib-undefined", "-lm", "-lpthread", "-o", program.stem]
        zig.run(*common, "-std=c11", "-O2", f"-I{folder}", program, *shared, cwd=out)
        paths = ["-E", f"LD_LIBRARY_PATH={folder}:{out}", "-E", f"LD_PRELOAD={out / 'libc.so'}"]
        return ["qemu-aarch64", "-L", SYSTEM, *paths, out / program.stem]

    return built


@pytest.mark.long
def test_the_library_for_arm_pronounces_under_emulation(
    libraries: list[Path], emulated: Callable[..., list[str | Path]]
) -> None:
    command = emulated(ROOT / "tests" / "words.c", libraries[0], "g2p")
    assert said(command, libraries[0] / "weights.safetensors") == golden_lines("ipa")


@pytest.mark.long
def test_the_library_for_arm_speaks_under_emulation(
    speaking: list[Path], machine: dict[str, str], emulated: Callable[..., list[str | Path]], tmp_path: Path
) -> None:
    """The same durations as on x86-64, and the sound within 20 dB: random weights have many angles near pi."""
    files = [speaking[0] / name for name in ("weights.safetensors", "voices.safetensors")]
    (tmp_path / "lines").write_text(HELLO, encoding="utf-8")
    command = emulated(ROOT / "tests" / "library" / "speech.c", speaking[0], "tts")
    subprocess.run([*command, *files, "first", tmp_path / "lines", tmp_path / "out", "1", "2"], check=True)
    samples, _ = heard(machine, speaking[1], HELLO, "1", "0")
    ours, theirs = array.array("f", samples), array.array("f", (tmp_path / "out").read_bytes())
    assert len(ours) == len(theirs) > 10_000
    noise = statistics.fmean((one - other) ** 2 for one, other in zip(ours, theirs, strict=True))
    assert noise < statistics.fmean(sample**2 for sample in ours) / 100


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


def test_speech_for_android_has_an_archive_and_no_plugin(spoken: Tree, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree", spoken.cache, spoken.root)
    made = tree.doit("compile", "checkpoint=kokoro_small", "target=android_x86_64")
    assert made.stdout.endswith("next: doit aar target=android_arm64,android_x86_64 checkpoint=kokoro_small\n")
    refused = r"is of the family 'kokoro': a Flutter plugin holds one that pronounces words"
    with pytest.raises(BuildError, match=refused):
        write_plugin(Workspace(tree.cache, tree.root), SPEAKING[1:])
    archive = tree.root / "dist" / "tts_kokoro_small-0.1.0+old.aar"
    zipped({f"META-INF/g2p/{name}.json": b"" for name in SPEAKING}, archive)
    assert tree.doit("clean", "checkpoint=kokoro_small", "target=android_x86_64").returncode == 0
    assert not archive.exists()


@pytest.fixture(scope="module")
def kotlin() -> Path:
    """The folder with Kotlin's libraries."""
    tools("java")
    home, command = os.environ.get("KOTLIN_HOME"), shutil.which("kotlinc")
    if not home and not command:
        pytest.skip("no kotlinc on PATH, and no KOTLIN_HOME")
    return Path(home or Path(str(command)).resolve().parents[1]) / "lib"


def archived(tree: Tree, *words: str) -> Path:
    """The AAR that a command makes."""
    result = tree.doit("aar", "--json", "target=android_arm64,android_x86_64", *words)
    assert result.returncode == 0, result.stderr
    return Path(json.loads(result.stdout)["aar"])


def opened(aar: Path, folder: Path) -> None:
    """Unpacks an AAR, whose members are as they should be, into a folder: as an app's build, which takes several."""
    with zipfile.ZipFile(aar) as archive:
        entries = archive.infolist()
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
        names = {entry.filename for entry in entries}
        assert {"AndroidManifest.xml", "R.txt", "classes.jar", "proguard.txt"} <= names
        for name in sorted(names):
            if name.startswith(("assets/", "jni/")):
                assert not (folder / name).exists()
                archive.extract(name, folder)
        (folder / f"{aar.stem}.jar").write_bytes(archive.read("classes.jar"))


def app(kotlin: Path, folder: Path, archives: Sequence[Path], *sources: Path) -> str:
    """Compiles an app over AARs that were unpacked into a folder. Returns its class path."""
    out, needed = folder / "app", ["kotlin-stdlib", "kotlinx-coroutines-core-jvm"]
    subprocess.run(["javac", "-d", out, *sorted((HERE / "fake").rglob("*.java"))], check=True)
    jars = [*(folder / f"{aar.stem}.jar" for aar in archives), out, *(kotlin / f"{name}.jar" for name in needed)]
    classes = os.pathsep.join(map(str, jars))
    compiler = ["java", "-cp", kotlin / "kotlin-compiler.jar", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    options = ["-no-stdlib", "-no-reflect", "-language-version", "2.2", "-cp", classes, "-d", out]
    subprocess.run([*compiler, *options, *sources], check=True)
    return classes


@pytest.mark.long
def test_the_archives_classes_run_over_its_own_library(
    ported: Tree, machine: dict[str, str], kotlin: Path, tmp_path: Path
) -> None:
    trees = [copy_tree(tmp_path / str(number), ported.cache, ported.root) for number in range(2)]
    made = [archived(tree) for tree in trees]
    assert made[0].name == made[1].name and made[0].read_bytes() == made[1].read_bytes()
    folder = tmp_path / "archive"
    opened(made[0], folder)
    classes = app(kotlin, folder, made[:1], HERE / "App.kt", *(ROOT / "examples" / "android").rglob("Words.kt"))
    assert java(machine, [folder / "jni" / "x86_64"], classes, "AppKt", folder / "assets") == "well\n"


PAGE = """import android.content.Context
import g2p.runtime.*
import tts.runtime.*

suspend fun page(context: Context, play: (FloatArray, Int) -> Unit, shown: (FloatArray, String) -> Unit) {
"""


def page() -> str:
    """What docs/kokoro.md shows, and what shows its results."""
    text = (ROOT / "docs" / "kokoro.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```kotlin\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    return "".join([*blocks, "shown(sound, phonemes)\n"])


@pytest.mark.long
def test_an_app_has_the_archives_of_both_families(
    both: dict[str, list[Path]],
    ported: Tree,
    spoken: Tree,
    machine: dict[str, str],
    kotlin: Path,
    tmp_path: Path,
) -> None:
    trees = [copy_tree(tmp_path / name, tree.cache, tree.root) for name, tree in (("w", ported), ("s", spoken))]
    words, speech = archived(trees[0]), archived(trees[1], "checkpoint=kokoro_small")
    again = archived(copy_tree(tmp_path / "again", spoken.cache, spoken.root), "checkpoint=kokoro_small")
    assert again.name == speech.name and again.read_bytes() == speech.read_bytes()
    folder = tmp_path / "archive"
    opened(words, folder)
    opened(speech, folder)  # neither has a file of the other
    (tmp_path / "Page.kt").write_text(PAGE + page().replace("jf_alpha", "first").replace("jm_kumo", "second") + "}\n")
    classes = app(kotlin, folder, [words, speech], HERE / "Speaking.kt", tmp_path / "Page.kt")
    arguments = [folder / "assets", HELLO, tmp_path / "samples"]
    assert java(machine, [folder / "jni" / "x86_64"], classes, "SpeakingKt", *arguments) == "well\n"
    samples, _ = heard(machine, both["tts"][1], HELLO, "1.5", str(2**64 - 1))
    assert (tmp_path / "samples").read_bytes() == samples and samples
