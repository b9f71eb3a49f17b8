"""A program that links G2P and speech, and speaks texts: each library as it is published, with its own header."""

from pathlib import Path

import pytest
from conftest import DEFAULT, SPEECH, Tree, unpacked
from kits import HERE, gcc, run


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_a_text_is_pronounced_by_the_one_for_the_other(built: Tree, speech: Tree, tmp_path: Path, kind: str) -> None:
    folders = {"g2p": unpacked(built, DEFAULT, tmp_path / "g2p"), "tts": unpacked(speech, SPEECH, tmp_path / "tts")}
    weights = [folder / "weights.safetensors" for folder in folders.values()]
    for order in (["g2p", "tts"], ["tts", "g2p"]):
        linked: list[str | Path] = []
        for name in order:
            folder = folders[name]
            paths = [f"-L{folder}", f"-Wl,-rpath,{folder}", f"-l{name}"]
            linked += [folder / f"lib{name}.a"] if kind == "static" else paths
        program = tmp_path / f"{order[0]}-first"
        gcc(*(f"-I{folder}" for folder in folders.values()), HERE / "text.c", *linked, "-lm", "-o", program)
        said = run(program, *weights, "Hello,\nworld – it’s [well-known]!")
        assert said == "hɛlˈO, wˈɜɹld — ɪts (wˈɛl nˈOn)!\n"
        assert run(program, *weights, "A pair, 20.").startswith("G2P_FOREIGN_CHARACTER 8 the text has a number, '20'")
