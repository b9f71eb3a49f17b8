"""An input or a source that changes while a stage reads it, and changes back, leaves nothing behind under its key."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from checkouts import Checkout
from stages.small_checkpoints import checkpoint, write

# Makes a stage wait twice: before it reads, and when it has read.
WAITS = """
_reads = build


def build(params, inputs, out):
    import time
    from pathlib import Path

    place = Path({place!r})
    for step in ("before", "after"):
        (place / step).touch()
        while not (place / ("past-" + step)).exists():
            time.sleep(0.005)
        if step == "before":
            from g2p_build.checkpoints import extra

            _reads(params, inputs, out)
"""

FILES = {  # stage → what it reads, of the checkout's folder
    "checkpoint": "small/model.safetensors",
    "lexicon": "words/xx.tsv",
    "drafts": "guesses/xx.tsv",
    "library": "tree/g2p_build/native/g2p/api.c",
    "tokenizer": "tree/g2p_build/checkpoints/extra.py",
}


def other(path: Path) -> bytes:
    """Other contents of the same size, with another meaning."""
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        return data[:-1] + bytes([data[-1] ^ 1])
    if path.suffix == ".tsv":
        return data.replace(b"x", b"z")
    return data.replace(b"return 0", b"return 1", 1) if path.suffix == ".c" else b"DEPTH = 2\n"


@pytest.mark.parametrize("stage", FILES)
def test_what_was_changed_and_changed_back_is_not_kept(checkout: Checkout, tmp_path: Path, stage: str) -> None:
    mine = checkout.copy(tmp_path)
    path = tmp_path / FILES[stage]
    (mine.tree.root / "g2p_build/checkpoints/extra.py").write_text("DEPTH = 1\n", encoding="utf-8")
    mine.append(f"g2p_build/stages/{stage}.py", WAITS.format(place=str(tmp_path)))
    command = [sys.executable, "-m", "doit", stage, "checkpoint=path", f"checkpoint.path={mine.checkpoint}"]
    command += ["target=android", "max_lens=short", f"lexicon={mine.lexicon}", f"draft={mine.draft}"]
    before, actions = path.stat(), set(mine.tree.cache.glob("actions/*/*"))
    was, changed = path.read_bytes(), other(path)
    assert changed != was and len(changed) == len(was)
    with subprocess.Popen(command, cwd=mine.tree.root, env=mine.tree.env, stderr=subprocess.PIPE, text=True) as build:
        for step, data in (("before", changed), ("after", was)):
            wait_for(tmp_path / step, build)
            path.write_bytes(data)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as `cp -p` and `touch -r` do
            (tmp_path / f"past-{step}").touch()
        assert build.stderr is not None
        said = build.stderr.read()
    assert build.returncode == 2
    [line] = [line for line in said.splitlines() if line.startswith("ERROR")]
    assert ("was changed while it was read" in line or "its source was edited" in line) and "again" in line
    new = set(mine.tree.cache.glob("actions/*/*")) - actions
    assert not any(f'"stage":"{stage}"' in entry.read_text(encoding="utf-8") for entry in new)
    assert mine.doit(stage).returncode == 0  # and now it is


def wait_for(path: Path, build: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert build.poll() is None and time.monotonic() < until, build.stderr and build.stderr.read()
        time.sleep(0.005)


def test_a_comment_that_is_written_meanwhile_disturbs_nothing(checkout: Checkout, tmp_path: Path) -> None:
    mine = checkout.copy(tmp_path)
    extra = mine.tree.root / "g2p_build/checkpoints/extra.py"
    extra.write_text("DEPTH = 1\n", encoding="utf-8")
    mine.append("g2p_build/stages/tokenizer.py", WAITS.format(place=str(tmp_path)))
    command = [sys.executable, "-m", "doit", "tokenizer", "checkpoint=path", f"checkpoint.path={mine.checkpoint}"]
    with subprocess.Popen(command, cwd=mine.tree.root, env=mine.tree.env, stderr=subprocess.PIPE, text=True) as build:
        wait_for(tmp_path / "before", build)
        extra.write_text("DEPTH = 1  # of the tree\n", encoding="utf-8")
        (tmp_path / "past-before").touch()
        (tmp_path / "past-after").touch()
        assert build.wait() == 0


def test_a_file_that_comes_while_a_checkpoint_is_read_is_noticed(checkout: Checkout, tmp_path: Path) -> None:
    mine = checkout.copy(tmp_path)
    shutil.rmtree(mine.checkpoint)
    write(mine.checkpoint, *checkpoint(num_layers=1))
    mine.append(
        "g2p_build/stages/checkpoint.py",
        WAITS.replace("from g2p_build.checkpoints import extra", "").format(place=str(tmp_path)),
    )
    command = [sys.executable, "-m", "doit", "checkpoint", "checkpoint=path", f"checkpoint.path={mine.checkpoint}"]
    with subprocess.Popen(command, cwd=mine.tree.root, env=mine.tree.env, stderr=subprocess.PIPE, text=True) as build:
        wait_for(tmp_path / "before", build)
        (mine.checkpoint / "generation_config.json").write_text('{"eos_token_id": 2}', encoding="utf-8")
        for step in ("before", "after"):
            (tmp_path / f"past-{step}").touch()
        assert build.stderr is not None
        assert "generation_config.json came or went while the stage ran" in build.stderr.read()
