"""The Flutter plugin: Dart's declarations are the C header's, as a C compiler sees it. No Dart has run them."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from conftest import Tree, copy_tree
from emulated import Zig
from test_android import NAMES, libraries

from g2p_build.native.dart_bindings import bindings
from g2p_build.native.files import DART
from g2p_build.products.members import zipped
from g2p_build.stages.library import exported

__all__ = ["libraries"]  # a fixture

C = {
    "ffi.Char": "char",
    "ffi.Float": "float",
    "ffi.Int": "int",
    "ffi.Int32": "int32_t",
    "ffi.Size": "size_t",
    "ffi.Uint32": "uint32_t",
    "ffi.Uint64": "uint64_t",
    "ffi.UnsignedInt": "unsigned",
    "ffi.Void": "void",
}


@pytest.fixture(scope="module")
def header(libraries: list[Path]) -> str:
    return (libraries[0] / "g2p.h").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def declared(header: str) -> str:
    return bindings(header, "g2p")


def in_c(dart: str) -> str:
    """A type in memory, as C writes it."""
    if callback := re.fullmatch(r"ffi\.Pointer<ffi\.NativeFunction<(\w+)>>", dart):
        return callback[1]
    if pointer := re.fullmatch(r"ffi\.Pointer<(.*)>", dart):
        return f"{in_c(pointer[1])} *"
    return C.get(dart, dart)


def in_dart(memory: str) -> str:
    """What Dart makes of a type in memory."""
    if memory in ("ffi.Float", "ffi.Void"):
        return {"ffi.Float": "double", "ffi.Void": "void"}[memory]
    return "int" if memory in C else memory


def parted(parameters: str) -> list[str]:
    return [each for each in re.split(r",\s*", parameters.strip()) if each]


def test_every_function_is_bound_with_its_types(header: str, declared: str, zig: Zig, tmp_path: Path) -> None:
    bound = re.findall(
        r"(\w+) = library\.lookupFunction<\s*(\S.*?) Function\((.*?)\),\s*(\S.*?) Function\((.*?)\)>\('(\w+)'\)",
        declared,
        re.DOTALL,
    )
    assert sorted(name for *_, name in bound) == exported(header, "g2p") and len(bound) == header.count("\nG2P_API")
    lines = []
    for field, result, parameters, dart_result, dart_parameters, name in bound:
        assert field == name and dart_result == in_dart(result)
        assert [in_dart(each) for each in parted(parameters)] == parted(dart_parameters)
        assert f"  final {dart_result} Function({dart_parameters}) {name};" in declared
        inside = ", ".join(map(in_c, parted(parameters))) or "void"
        lines.append(f"{in_c(result)} (*bound_{name})({inside}) = {name};")
    check(lines, libraries_of(header), zig, tmp_path)


def libraries_of(header: str) -> str:
    # Dart knows nothing of const, and an enumeration is a number to it, which C says of it too.
    return f"#include <stddef.h>\n#include <stdint.h>\n#define const\n#define volatile\n{header}"


def check(lines: list[str], before: str, zig: Zig, tmp_path: Path) -> None:
    """C that says the same as the declarations must be C."""
    (tmp_path / "check.c").write_text("\n".join([before, *lines, ""]), encoding="utf-8")
    options = ["-std=c11", "-Wall", "-Werror", "-Wno-unused", "-c", "-o", "check.o"]
    for target in ("aarch64-linux-musl", "x86_64-linux-musl"):
        zig.run("cc", "-target", target, *options, "check.c", cwd=tmp_path)


def test_every_structure_and_number_is_the_headers(header: str, declared: str, zig: Zig, tmp_path: Path) -> None:
    lines = []
    structures = re.findall(r"final class (\w+) extends ffi\.Struct \{(.*?)^\}", declared, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in structures] == re.findall(r"^typedef struct (\w+) \{", header, re.MULTILINE)
    for name, body in structures:
        fields = re.findall(r"(?:@(ffi\.\w+)\((\d*)\)\s+)?external (\S+) (\w+);", body)
        members = []
        for note, count, dart, field in fields:
            array = re.fullmatch(r"ffi\.Array<(.*)>", dart)
            assert array or dart == (in_dart(note) if note else dart)
            members.append(f"{in_c(array[1])} {field}[{count}];" if array else f"{in_c(note or dart)} {field};")
        lines.append(f"struct dart_{name} {{ {' '.join(members)} }};")
        lines.append(f'_Static_assert(sizeof(struct dart_{name}) == sizeof({name}), "{name}");')
        for *_, field in fields:
            same = f"offsetof(struct dart_{name}, {field}) == offsetof({name}, {field})"
            size = f"sizeof((({name} *)0)->{field}) == sizeof(((struct dart_{name} *)0)->{field})"
            lines.append(f'_Static_assert({same} && {size}, "{name}.{field}");')
            if f"{field}; // a function" not in body:
                kind = f"__typeof__(((struct dart_{name} *)0)->{field})"
                lines.append(f"{kind} *{name}_{field}({name} *it) {{ return &it->{field}; }}")
    constants = re.findall(r"const int (\w+) = (\d+);", declared)
    assert {"G2P_OK", "G2P_EACH", "G2P_FROM_LETTERS", "G2P_PART_OTHER", "G2P_INVALID_DRAFT"} <= {
        c for c, _ in constants
    }
    lines += [f'_Static_assert({name} == {number}, "{name}");' for name, number in constants]
    callbacks = re.findall(r"typedef (\w+) = (\S+) Function\((.*)\);", declared)
    assert [name for name, *_ in callbacks] == ["g2p_callback"]
    for name, result, parameters in callbacks:
        inside = ", ".join(map(in_c, parted(parameters)))
        lines.append(f"{in_c(result)} callback_{name}({inside});\n{name} as_{name} = callback_{name};")
    check(lines, libraries_of(header), zig, tmp_path)


def test_the_api_names_only_what_is_declared(declared: str) -> None:
    api = (DART / "g2p.dart").read_text(encoding="utf-8")
    used = set(re.findall(r"\b((?:g2p|G2P)_\w+)\b", api))
    there = set(re.findall(r"\b((?:g2p|G2P)_\w+)\b", declared))
    assert "g2p_results_all" in used and used <= there | {"G2P_"}
    for pair in ("()", "{}", "[]"):
        assert api.count(pair[0]) == api.count(pair[1])


def test_a_plugin_is_the_same_bytes_again_and_goes_with_its_variants(
    ported: Tree, libraries: list[Path], declared: str, tmp_path: Path
) -> None:
    trees = [copy_tree(tmp_path / str(number), ported.cache, ported.root) for number in range(2)]
    made = []
    for tree in trees:
        result = tree.doit("flutter", "--json", "target=android_arm64,android_x86_64")
        assert result.returncode == 0, result.stderr
        made.append(Path(json.loads(result.stdout)["flutter"]))
    assert made[0].name == made[1].name and made[0].read_bytes() == made[1].read_bytes()
    with zipfile.ZipFile(made[0]) as opened:
        content = {name.removeprefix("g2p/"): opened.read(name) for name in opened.namelist()}
    for folder, abi in zip(libraries, ("arm64-v8a", "x86_64"), strict=True):
        assert content[f"android/src/main/jniLibs/{abi}/libg2p.so"] == (folder / "libg2p.so").read_bytes()
    assert content["lib/src/bindings.dart"].decode() == declared
    data = json.loads((ported.root / "manifests" / f"{NAMES[0]}.json").read_bytes())
    archive = ported.root / "dist" / data["archives"]["weights"]["file"]
    assert content["assets/weights.tar"] == archive.read_bytes() and "LEXICON-NOTICE" in content
    [version] = re.findall(r"^version: (\S+)$", content["pubspec.yaml"].decode(), re.MULTILINE)
    assert version in made[0].name
    older = made[1].with_name(made[1].name.replace("+", "+0"))
    zipped({f"g2p/manifests/{name}.json": json.dumps({"name": name}).encode() for name in NAMES}, older)
    assert trees[1].doit("flutter", "target=android_arm64,android_x86_64").returncode == 0 and not older.exists()
    assert trees[1].doit("clean", "target=android_x86_64").returncode == 0 and not made[1].exists()
    wrong = trees[0].doit("flutter", "target=android")
    assert wrong.returncode == 1 and "a Flutter plugin is of target=android_arm64,android_x86_64" in wrong.stderr
