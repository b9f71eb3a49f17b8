"""`doit wheel`: a Python wheel of a variant, installed and used where there is nothing else."""

import base64
import csv
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import DEFAULT, ROOT, Tree, copy_tree
from elftools.elf.elffile import ELFFile

from g2p_build.errors import BuildError
from g2p_build.products.wheel import platform_tag, write_wheel
from g2p_build.runtime import manifest as manifests
from g2p_build.store.workspace import Workspace

WORDS = ["knight", "I’m", "London"]

# What every Linux that a manylinux tag means has: PEP 513.
ON_EVERY_LINUX = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2"}


@pytest.fixture(scope="module")
def tree(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return copy_tree(tmp_path_factory.mktemp("wheels") / "tree", built.cache, built.root)


def made(tree: Tree, *words: str) -> Path:
    result = tree.doit("wheel", "--json", *words)
    assert result.returncode == 0, result.stderr
    return Path(json.loads(result.stdout)["wheel"])


@pytest.fixture(scope="module")
def wheel(tree: Tree) -> Path:
    return made(tree)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel and nothing else."""
    place = tmp_path_factory.mktemp("empty") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    interpreter = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(interpreter)]
    subprocess.run([*pip, "install", "--no-index", str(wheel)], check=True)
    return interpreter


def run(python: Path, code: str) -> str:
    """What code prints. The environment names no cache, and the home is not there."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run([python, "-I", "-c", code], cwd="/", env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_pronounces_where_nothing_else_is_installed(tree: Tree, python: Path) -> None:
    said = tree.g2p("pronounce", *WORDS).stdout.split()[1::2]
    code = f"""
import pickle, sys
import g2p_embedded as g2p
assert g2p.pronounce("knight") == g2p.pronounce_all(["knight"], "eng-us")[0]
print(*g2p.pronounce_all({WORDS}, "eng-us"))
wrong = g2p.results(["2nd"], "eng-us")[0].error
assert [len(each) for each in g2p.best(["tie", "2nd"], "eng-us", n=2)] == [2, 1]
assert isinstance(wrong, g2p.errors.ForeignCharacter) and isinstance(wrong, g2p.G2PError)
own = g2p.load(threads=1, lexicon=False)
assert pickle.loads(pickle.dumps(own))(["knight"]) == [g2p.pronounce("knight")]
assert own.look_up("US") == [] and g2p.load().look_up("US") and own.guess("knight")  # its tables are there
own.add_words({{"knight": "K"}}, "eng-us")
assert own(["knight"]) == ["K"] and own.info()["name"] == "{DEFAULT}"
try:
    g2p.load(threads=300)
except ValueError as error:
    assert str(error).startswith("threads=300: give 1 to 256")
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ("g2p_build", "jsonschema", "rich", "torch")))
"""
    assert run(python, code).splitlines() == [" ".join(said), ""]


def test_it_has_types(python: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import g2p_embedded\nreveal_type(g2p_embedded.pronounce('a'))\ng2p_embedded.sing()\n"
    )
    checked = [sys.executable, "-m", "mypy", "--python-executable", str(python), "app.py"]
    said = subprocess.run(checked, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert 'note: Revealed type is "str"' in said and 'Module has no attribute "sing"' in said


def test_the_same_variant_gives_the_same_bytes(tree: Tree, wheel: Path, built: Tree, tmp_path: Path) -> None:
    before = wheel.read_bytes()
    assert made(tree) == wheel and wheel.read_bytes() == before
    other = copy_tree(tmp_path / "another" / "tree", built.cache, built.root)
    assert made(other).read_bytes() == before


def test_its_parts_are_as_installers_want_them(wheel: Path, tree: Tree) -> None:
    digest = json.loads((tree.root / "manifests" / f"{DEFAULT}.json").read_bytes())["digest"]
    name, version, *tag = wheel.stem.split("-")
    assert (name, version.partition("+")[2], tag[:2]) == ("g2p_embedded", digest[:8], ["py3", "none"])
    with zipfile.ZipFile(wheel) as opened:
        content = {entry.filename: opened.read(entry) for entry in opened.infolist()}
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    info = f"{name}-{version}.dist-info"
    rows = list(csv.reader(io.StringIO(content[f"{info}/RECORD"].decode())))
    assert [row[0] for row in rows] == list(content)
    for file, digest, size in rows[:-1]:
        text = base64.urlsafe_b64encode(hashlib.sha256(content[file]).digest()).decode().rstrip("=")
        assert (digest, int(size)) == (f"sha256={text}", len(content[file]))
    metadata = content[f"{info}/METADATA"].decode()
    assert "Requires-Dist" not in metadata and f"\nVersion: {version}\n" in metadata
    for licence in ("LICENSE", "NOTICE", "LEXICON-NOTICE"):
        assert f"License-File: {licence}\n" in metadata and content[f"{info}/licenses/{licence}"]
    code = b"".join(text for file, text in content.items() if file.endswith(".py"))
    assert b"g2p_embedded._runtime" in code and not re.search(rb"(from|import) g2p_build", code)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tag is of Linux")
def test_the_tag_says_where_the_library_loads(wheel: Path) -> None:
    [oldest] = re.findall(r"manylinux_(\d+_\d+)_", wheel.name)
    with zipfile.ZipFile(wheel) as opened:
        library = ELFFile(io.BytesIO(opened.read("g2p_embedded/libg2p.so")))
    tags = library.get_section_by_name(".dynamic").iter_tags()
    assert {tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"} <= ON_EVERY_LINUX
    versions = {
        tuple(map(int, version.name.partition("_")[2].split(".")))
        for _, needs in library.get_section_by_name(".gnu.version_r").iter_versions()
        for version in needs
        if version.name.startswith("GLIBC_")
    }
    assert max(versions)[:2] <= tuple(map(int, oldest.split("_")))


def test_tags_of_other_platforms() -> None:
    assert platform_tag(b"..GLIBC_2.3.4\0GLIBC_2.34\0", "aarch64-linux-gnu") == "manylinux_2_34_aarch64"
    assert platform_tag(b"", "x86_64-linux-musl") == "musllinux_1_2_x86_64"
    mac = struct.pack("<7I4x", 0xFEEDFACF, 0, 0, 6, 2, 0, 0) + struct.pack("<2I8x", 0x1B, 16)
    mac += struct.pack("<6I", 0x32, 24, 1, 13 << 16, 0, 0)
    assert platform_tag(mac, "arm64-apple-macosx") == "macosx_13_0_arm64"
    with pytest.raises(BuildError, match="no wheel is known for riscv64-freebsd"):
        platform_tag(b"", "riscv64-freebsd")


@pytest.mark.usefixtures("wheel")  # the variant is published
def test_a_variant_that_python_cannot_load_is_refused(tree: Tree) -> None:
    folder = tree.root / "manifests"
    data = json.loads((folder / f"{DEFAULT}.json").read_bytes())
    for field, value in (("package", "objects"), ("engine", "vm")):
        other = data | {"target": data["target"] | {field: value}}
        (folder / "other.json").write_text(json.dumps(other | {"digest": manifests.digest(other)}))
        with pytest.raises(BuildError, match=rf"target.{field}={value}.*: a wheel holds a shared library"):
            write_wheel(Workspace(tree.cache, tree.root), "other")
    (folder / "other.json").write_text("{}")
    with pytest.raises(BuildError, match=r"manifests/other\.json is missing or damaged: compile other first"):
        write_wheel(Workspace(tree.cache, tree.root), "other")
    (folder / "other.json").unlink()


def test_an_old_wheel_goes_when_it_is_replaced_and_with_its_variant(built: Tree, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree", built.cache, built.root)
    first = made(tree)
    foreign, half = first.with_name("g2p_embedded-2.0-py3-none-any.whl"), made(tree, "dtype=float16")
    foreign.write_bytes(b"no wheel")
    older = first.with_name(first.name.replace("+", "+0ld"))
    older.write_bytes(first.read_bytes())
    assert made(tree) == first and not older.exists() and foreign.exists() and half.exists()
    assert tree.doit("clean", "dtype=float16").returncode == 0
    assert not half.exists() and first.exists()


def test_the_python_of_the_page_works(python: Path) -> None:
    page = (ROOT / "docs" / "apps.md").read_text(encoding="utf-8")
    [code] = [block for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if "g2p_embedded" in block]
    shown = [line.partition("  # ")[2] for line in code.splitlines() if line.startswith("g2p.")]
    said = re.sub(r"^(g2p\..*?)(  # .*)$", r"print(repr(\1))\2", code, flags=re.M)
    assert run(python, said).replace("'", '"').splitlines() == shown
