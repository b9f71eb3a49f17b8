"""The stages of Kokoro's checkpoints and voices, from each source. A stand-in on this machine serves the hub."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_server import Hub, serve
from safetensors.torch import load_file
from small_kokoro import SHAPE, VOCABULARY, checkpoint, config_of, unfolded, write

from g2p_build.checkpoints.kokoro.phonemes import own_vocabulary
from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import expected, from_json
from g2p_build.stages.kokoro import checkpoint as stage

REPO = "someone/kokoro"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def built(tmp_path: Path, params: dict[str, Any], *folders: Path) -> Path:
    """Runs the stage. Returns the folder that it wrote."""
    out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
    out.mkdir()
    stage.build(params, stage.source_files(folders), out)
    return out


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_all_ways_to_publish_a_checkpoint_give_the_same_bytes(tmp_path: Path) -> None:
    architecture, state = checkpoint()
    doubled = {name: tensor * 2 for name, tensor in state.items()}  # powers of two: folding is exact
    folders = {
        "tables": write(tmp_path / "tables", config_of(architecture), {"bert": {}} | unfolded(state)),
        "flat": write(tmp_path / "flat", config_of(architecture), state, "model.safetensors"),
        "other": write(tmp_path / "other", config_of(architecture), doubled, "model.safetensors"),
    }
    found = {name: built(tmp_path, {"source": "path"}, folder) for name, folder in folders.items()}
    assert sorted(digests(found["flat"])) == [stage.ARCHITECTURE, stage.WEIGHTS, stage.VOCABULARY]
    flat, tables = load_file(found["flat"] / stage.WEIGHTS), load_file(found["tables"] / stage.WEIGHTS)
    assert all(torch.allclose(tensor, tables[name], rtol=1e-6, atol=0) for name, tensor in flat.items())
    assert digests(built(tmp_path, {"source": "path"}, folders["flat"])) == digests(found["flat"])
    assert digests(found["other"])[stage.WEIGHTS] != digests(found["flat"])[stage.WEIGHTS]
    assert json.loads((found["flat"] / stage.VOCABULARY).read_bytes()) == VOCABULARY


def test_random_weights_have_symbols_of_their_own(tmp_path: Path) -> None:
    params = {"source": "random", "shape": SHAPE, "seed": 3}
    out = built(tmp_path, params)
    assert digests(out) == digests(built(tmp_path, params))
    architecture = from_json(json.loads((out / stage.ARCHITECTURE).read_bytes()))
    assert {name: tuple(each.shape) for name, each in load_file(out / stage.WEIGHTS).items()} == expected(architecture)
    assert json.loads((out / stage.VOCABULARY).read_bytes()) == own_vocabulary()
    assert stage.memory(params, {}) >= (out / stage.WEIGHTS).stat().st_size


def test_weights_without_symbols_cannot_speak(tmp_path: Path) -> None:
    write(tmp_path / "bare", None, checkpoint(bert_num_attention_heads=12)[1], "model.safetensors")
    with pytest.raises(BuildError, match="with the model's symbols"):
        built(tmp_path, {"source": "path"}, tmp_path / "bare")
    assert not list((tmp_path / "out0").iterdir())


# The hub's library reads the environment when it is imported, so resolutions run in a process of their own.
RESOLVE = """
import sys
from pathlib import Path
from g2p_build.errors import BuildError
from g2p_build.stages.kokoro import checkpoint, voices
repo, out, *asked = sys.argv[1:]
for number, each in enumerate(asked):
    revision, _, voice = each.partition("/")
    folder = Path(out) / str(number)
    folder.mkdir(parents=True)
    source = {"source": "hub", "repo": repo, "revision": revision}
    try:
        checkpoint.build(source, {}, folder)
        voices.build(source | {"names": [voice]}, {"architecture.json": folder / "architecture.json"}, folder)
        print()
    except BuildError as error:
        print(error)
"""


def resolve(tmp_path: Path, out: Path, hub: Hub, *asked: str, offline: bool = False) -> list[str]:
    """Fetches a checkpoint and a voice for each `revision/voice` into `out/0`, ... Returns the errors, or ""."""
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    kept = {name: value for name, value in os.environ.items() if name.lower() not in proxies and name[:3] != "HF_"}
    environment = kept | {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": str(int(offline)),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", RESOLVE, REPO, str(out), *asked]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_hub_gives_a_checkpoint_and_its_voices_once(tmp_path: Path) -> None:
    architecture, state = checkpoint()
    folder = write(tmp_path / "published", config_of(architecture), unfolded(state, "module."))
    local = digests(built(tmp_path, {"source": "path"}, folder))
    voice = torch.linspace(-1, 1, 510 * 32).reshape(510, 1, 32)
    (folder / "voices").mkdir()
    torch.save(voice, folder / "voices" / "af_heart.pt")
    published = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    unlike, bare, absent = ("1" * 40, "2" * 40, "3" * 40)
    files = {(REPO, COMMIT): published, (REPO, unlike): {"README.md": b""}, (REPO, bare): {"config.json": b"{}"}}
    with serve(Hub(files)) as hub:
        asked = [f"{COMMIT}/af_heart", f"{COMMIT}/af_hart", f"{unlike}/x", f"{bare}/x", f"{absent}/x"]
        said = resolve(tmp_path, tmp_path / "first", hub, *asked)
        assert {name for name in hub.asked if name.startswith("GET")} == {
            "GET config.json",
            "GET kokoro-v1_0.pth",
            "GET voices/af_heart.pt",
        }
    assert said[0] == ""
    assert said[1] == f"{REPO} at revision {COMMIT} has no voices/af_hart.pt: check the voice's name"
    assert said[2] == f"{REPO} at revision {unlike} has no config.json: it is not a Kokoro checkpoint"
    assert said[3].startswith(f"{REPO} at revision {bare} has no weights: one of model.safetensors, ")
    assert said[4] == f"{REPO} has no revision {absent}: check checkpoint.revision"
    assert resolve(tmp_path, tmp_path / "again", hub, f"{COMMIT}/af_heart", offline=True) == [""]
    for out in (tmp_path / "first" / "0", tmp_path / "again" / "0"):
        assert set(local.items()) <= set(digests(out).items())
        assert torch.equal(load_file(out / "voices.safetensors")["af_heart"], voice[:, 0])
