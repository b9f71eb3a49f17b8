"""Two variants' libraries in one program: each pronounces as it does alone, to the bit."""

import shutil
from pathlib import Path

import pytest
from conftest import CACHED, DEFAULT, HALF, Tree
from kits import HERE, WORDS, archives, gcc, run


def program(built: Tree, out: Path, variants: list[str], shared: bool) -> list[str]:
    """What a program says that links the libraries of some variants, in their order, of a few words."""
    found = [archives(built, variant, "shared") for variant in variants]
    if shared:
        for number, each in enumerate(found):
            shutil.copy(each.folder / "libg2p.so", out / f"libg2p_{number}.so")
        names = [f"-lg2p_{number}" for number in range(len(found))]
        linked: list[str | Path] = [f"-L{out}", f"-Wl,-rpath,{out}", *names]
    else:
        linked = [each.folder / "libg2p.a" for each in found]
    headers = [each.folder / "variant.h" for each in found]
    both = [f'-D{name}="{header}"' for name, header in zip(("FIRST", "SECOND"), headers, strict=False)]
    defines = both if len(found) > 1 else ["-DALONE"]
    gcc("-O2", *defines, f"-I{found[0].folder}", HERE / "two.c", HERE / "drivers.c", *linked, "-lm", "-o", out / "two")
    (out / "words").write_text("\n".join(WORDS.read_text(encoding="utf-8").splitlines()[::7]), encoding="utf-8")
    return run(out / "two", *(each.weights for each in found), out / "words").splitlines()


@pytest.mark.parametrize("shared", [False, True], ids=["static", "shared"])
@pytest.mark.parametrize("variants", [[DEFAULT, HALF], [HALF, CACHED]], ids=["float32 first", "float16 first"])
def test_each_pronounces_as_alone(built: Tree, tmp_path: Path, variants: list[str], shared: bool) -> None:
    alone = [program(built, _folder(tmp_path, variant), [variant], shared) for variant in variants]
    assert alone[0] != alone[1]
    assert program(built, _folder(tmp_path, "both"), variants, shared) == [*alone[0], *alone[1]]


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
