"""The stage `weights` on files: int8 weights that are rounded for calibration words."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from stages.small_checkpoints import checkpoint, write

from g2p_build import graph
from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.config.compose import variants
from g2p_build.errors import BuildError
from g2p_build.stages import checkpoint as checkpoint_stage
from g2p_build.stages import weights as stage

PROMPTED: dict[str, Any] = {
    "prompt": "<{lang}>: {word}",
    "append_eos": False,
    "languages": ["fin", "swa"],
    "text": None,
    "byte_offset": 3,
    "pad_id": 0,
    "eos_id": 1,
    "unk_id": 2,
    "decoder_start_id": 0,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stage `checkpoint` writes of a small one."""
    folder = tmp_path_factory.mktemp("checkpoint")
    files = checkpoint_stage.STAGE.source_files((write(folder / "raw", *checkpoint()),))
    (folder / "out").mkdir()
    checkpoint_stage.build({"source": "path"}, files, folder / "out")
    return folder / "out"


def build(source: Path, out: Path, words: Path | None) -> bytes:
    """Runs the stage. Returns the file that it writes."""
    out.mkdir()
    inputs = {name: source / name for name in ("architecture.json", "model.safetensors")}
    inputs |= stage.source_files((words,) if words else ())
    stage.build({"dtype": "int8"} | ({"calibration": PROMPTED} if words else {}), inputs, out)
    return (out / "weights.safetensors").read_bytes()


def said(data: Path) -> dict[str, str]:
    with safe_open(data / "weights.safetensors", framework="pt") as file:
        return dict(file.metadata())


def test_the_file_says_how_it_was_rounded(source: Path, tmp_path: Path) -> None:
    words = tmp_path / "fin.tsv"
    words.write_text("talo\tˈtɑlo\n\nyö\n" + "x" * 200 + "\n", encoding="utf-8")  # the last is too long for the model
    plain, calibrated = build(source, tmp_path / "plain", None), build(source, tmp_path / "calibrated", words)
    assert len(plain) == len(calibrated) and plain != calibrated
    assert said(tmp_path / "plain") == {"format": "pt", "dtype": "int8"}
    assert said(tmp_path / "calibrated") == {"format": "pt", "dtype": "int8", "calibration_words": "2"}
    assert build(source, tmp_path / "again", words) == calibrated


def test_a_long_list_is_sampled_from_end_to_end(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "swa.tsv").write_text("".join(f"{chr(97 + n // 26)}{chr(97 + n % 26)}\n" for n in range(401)))
    (folder / "xyz.tsv").write_text("the model does not know it\n")
    build(source, tmp_path / "out", folder)
    assert said(tmp_path / "out")["calibration_words"] == str(-(-401 // 3))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"talo\n\xff\n", "is not UTF-8"),
        (b"", "no calibration word is one that the model takes"),
        (b"x" * 200, "no calibration word is one that the model takes"),
    ],
)
def test_words_that_cannot_be_used_are_named(source: Path, tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "fin.tsv").write_bytes(data)
    with pytest.raises(BuildError, match=message):
        build(source, tmp_path / "out", tmp_path / "fin.tsv")


def test_only_int8_depends_on_the_words() -> None:
    for line, wanted in {
        "dtype=float32": (),
        "dtype=float16": (),
        "dtype=int8": (str(EMBEDDED / "calibration"),),
        "dtype=int8 calibration=null": (),
        f"dtype=int8 calibration={EMBEDDED}/calibration/fin.tsv": (str(EMBEDDED / "calibration" / "fin.tsv"),),
        "dtype=int8 checkpoint=random": (),
    }.items():
        [variant] = variants(line.split())
        [weights] = [node for node in graph.nodes(variant).values() if node.stage == "weights"]
        assert weights.folders == wanted, line
        assert ("calibration" in weights.params) == bool(wanted)
        assert "max_lens" not in json.dumps(dict(weights.params)), "lengths share the weights"
