"""A library of another family. The same stage makes it, and one program can link it together with G2P's."""

import json
from pathlib import Path

import pytest
from conftest import DEFAULT, Tree
from kits import HERE, archives, gcc, run

from g2p_build.native.files import CORE, source_files
from g2p_build.stages.library import build

OTHER = HERE / "other"


@pytest.fixture(scope="module")
def other(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a library of another family. Its program is a G2P variant's."""
    made, out = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("other")
    kit = archives(built, DEFAULT)
    manifest = json.loads(kit.manifest.read_bytes())
    [hidden] = next(each["outputs"] for each in manifest["functions"] if each["role"] == "encode")
    texts = {
        "described.json": "{}",
        "functions.json": json.dumps(manifest["functions"]),
        "model.inc": f"static const struct {{ int most_ids, width; }} model = {{64, {hidden['shape'][-1]}}};\n",
    }
    for name, text in texts.items():
        (made / name).write_text(text)
    inputs = source_files((CORE, OTHER)) | {name: kit.folder / name for name in ("kernels.o", "program.inc")}
    params = {"name": "other", "description": "described.json", "package": "shared"}
    params |= {name: manifest["target"][name] for name in ("triple", "cpu", "features")}
    build(params, inputs | {name: made / name for name in texts}, out)
    return out


def said(built: Tree, out: Path, *arguments: str | Path) -> list[str]:
    """Runs a program that is linked with some libraries. Returns its lines."""
    folder = archives(built, DEFAULT, "shared").folder
    gcc("-O2", f"-I{folder}", HERE / "families.c", HERE / "drivers.c", *arguments, "-lm", "-o", out / "families")
    return run(out / "families", archives(built, DEFAULT).weights).splitlines()


def test_it_has_names_of_its_own(other: Path) -> None:
    assert {path.name for path in other.iterdir() if path.is_file()} >= {"libother.so", "libother.a", "other.h"}
    assert "other_variant_" in (other / "variant.h").read_text()


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_each_says_the_same_as_alone(built: Tree, other: Path, tmp_path: Path, kind: str) -> None:
    g2p, include = archives(built, DEFAULT, "shared").folder, f"-I{other}"
    linked: dict[str, list[str | Path]] = {
        "g2p": [g2p / "libg2p.a"] if kind == "static" else [f"-L{g2p}", f"-Wl,-rpath,{g2p}", "-lg2p"],
        "other": [other / "libother.a"] if kind == "static" else [f"-L{other}", f"-Wl,-rpath,{other}", "-lother"],
    }
    words = said(built, tmp_path, "-DONLY_G2P", *linked["g2p"])
    [total] = said(built, tmp_path, "-DONLY_OTHER", include, *linked["other"])
    assert words[0] == "ˈnaɪt" and float(total)
    for order in (["g2p", "other"], ["other", "g2p"]):
        assert said(built, tmp_path, include, *linked[order[0]], *linked[order[1]]) == [*words, total]
