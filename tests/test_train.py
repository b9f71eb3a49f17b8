"""The trainer, on a small real sample and a model of a few thousand parameters."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import T5ForConditionalGeneration

from g2p_build.checkpoints.files import EMBEDDED, local_files
from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.training import train

SAMPLE = {
    "spa-latin": """casa kasa, perro pɛɾo, gato gato, mesa mɛsa, silla siʎa, libro libro, agua agwa, fuego fwɛgo,
        tierra tiɛɾa, cielo siɛlo, noche noʧɛ, mano mano, pelo pɛlo, boca boka, diente diɛntɛ, hijo ixo, amigo amigo,
        verde bɛrdɛ, rojo ɾoxo, blanco blanko""",
    "swa": """nyumba ɲuᵐɓa, mbwa ᵐɓwa, paka paka, meza meza, kiti kiti, kitabu kitaɓu, maji maʄi, moto moto,
        ardhi aɾɗhi, mbingu ᵐɓiᵑgu, usiku usiku, mkono mkono, nywele ɲwele, mdomo mɗomo, jino ʄino, mtoto mtoto,
        rafiki ɾafiki, kijani kiʄani, nyekundu ɲekuⁿɗu, nyeupe ɲeupe""",
}
SHAPE = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_heads": 2, "num_layers": 1, "num_decoder_layers": 1}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only runs with the same number of threads are equal, and small runs are faster with one."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
        for language, entries in SAMPLE.items():
            lines = ["\t".join(entry.split()) for entry in entries.split(",")]
            (folder / part / f"{language}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def arguments(data: Path, out: Path, *more: str) -> list[str]:
    shape = [] if "--init" in more else ["--shape", json.dumps(SHAPE)]
    return ["--data", str(data), "--out", str(out), "--batch", "8", "--lr", "0.01", *shape, *more]


def losses(text: str) -> list[float]:
    return [float(loss) for loss in re.findall(r"^step .* loss ([\d.]+)", text, re.MULTILINE)]


def files(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("config.json", "model.safetensors")}


def test_loss_falls_and_the_words_are_learnt(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    larger = {"d_model": 64, "d_kv": 32, "d_ff": 96, "num_heads": 4, "num_layers": 2}
    more = ["--steps", "400", "--batch", "16", "--lr", "0.003", "--shape", json.dumps(SHAPE | larger)]
    assert train.main(arguments(data, tmp_path / "out", *more)) == 0
    said = capsys.readouterr().out
    first, last = losses(said)
    assert last < first / 2
    rates = {language: float(per) for language, per in re.findall(r"^test (\S+): PER ([\d.]+)", said, re.MULTILINE)}
    assert set(rates) == set(SAMPLE)
    assert max(rates.values()) < 0.3


def test_a_killed_run_resumes_from_its_last_saved_state(data: Path, tmp_path: Path) -> None:
    run = arguments(data, tmp_path / "whole", "--steps", "200", "--save-every", "20")
    assert train.main(run) == 0
    killed = arguments(data, tmp_path / "killed", "--steps", "200", "--save-every", "20")
    with subprocess.Popen([sys.executable, "-m", "g2p_build.training", *killed], stdout=subprocess.PIPE) as process:
        while not (tmp_path / "killed" / "state.pt").exists():
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    step = torch.load(tmp_path / "killed" / "state.pt", weights_only=True)["step"]
    assert 0 < step < 200
    command = [sys.executable, "-m", "g2p_build.training", *killed]
    resumed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert f"from step {step}" in resumed
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_run_is_saved_as_the_embedded_checkpoint_is(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert train.main(["--data", str(data), "--out", str(out), "--steps", "1", "--batch", "2"]) == 0
    assert (out / "config.json").read_bytes() == (EMBEDDED / "config.json").read_bytes()
    ours, theirs = load_file(out / "model.safetensors"), load_file(EMBEDDED / "model.safetensors")
    assert {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in theirs.items()}
    assert torch.equal(ours["lm_head.weight"], ours["shared.weight"])
    assert (out / "model.safetensors").stat().st_size == (EMBEDDED / "model.safetensors").stat().st_size


@pytest.mark.parametrize(("tied", "head"), [(True, False), (False, True), (False, False)])
def test_fine_tuning_starts_from_the_other_checkpoint(data: Path, tmp_path: Path, tied: bool, head: bool) -> None:
    assert train.main(arguments(data, tmp_path / "first", "--steps", "1")) == 0
    state = load_file(tmp_path / "first" / "model.safetensors")
    projection = state.pop("lm_head.weight")
    save_file(state | ({"lm_head.weight": projection + 0.01} if head else {}), tmp_path / "first" / "model.safetensors")
    config = json.loads((tmp_path / "first" / "config.json").read_text()) | {"tie_word_embeddings": tied}
    (tmp_path / "first" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    more = ["--init", str(tmp_path / "first"), "--lr", "1e-9", "--steps", "1", "--shares", "swa=1"]
    assert train.main(arguments(data, tmp_path / "second", *more)) == 0
    ids, labels = torch.tensor([[63, 118, 122, 100]]), torch.tensor([[0, 100, 101]])
    with torch.no_grad():
        before, after = (
            T5ForConditionalGeneration.from_pretrained(tmp_path / name)(input_ids=ids, decoder_input_ids=labels).logits
            for name in ("first", "second")
        )
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
    _, second = read_checkpoint(local_files(tmp_path / "second"))
    assert torch.equal(second["lm_head.weight"], second["shared.weight"]) == (not head and not tied)


def test_a_state_of_another_run_is_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(arguments(data, tmp_path / "out", "--steps", "1")) == 0
    before = files(tmp_path / "out")
    assert train.main(arguments(data, tmp_path / "out", "--steps", "1", "--seed", "1")) == 2
    assert "is the state of a run with another first weights" in capsys.readouterr().err
    (tmp_path / "out" / "state.pt").write_bytes(b"PK")
    assert train.main(arguments(data, tmp_path / "out", "--steps", "1")) == 2
    assert "is not a saved state" in capsys.readouterr().err
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("name", "content", "more", "message"),
    [
        ("train/swa.tsv", "kitabu kitaɓu\n", [], "train/swa.tsv:1: one tab is needed"),
        ("train/swa.tsv", "maji\tmaʄi\nmoto\t\n", [], "train/swa.tsv:2: a pronunciation is empty"),
        ("train/swa.tsv", "maji\tmaʄi,,maji\n", [], "train/swa.tsv:1: a pronunciation is empty"),
        ("train/swa.tsv", "\tmaʄi\n", [], "train/swa.tsv:1: the word is empty"),
        ("train/swa.tsv", "", [], "train/swa.tsv is empty"),
        ("train/swa.tsv", "m" * 80 + "\tm\n", [], "no word of swa fits"),
        ("test/swa.tsv", "maji\n", [], "test/swa.tsv:1: one tab is needed"),
        ("note.txt", "", ["--data", "nowhere"], "nowhere/train is not a folder"),
        ("note.txt", "", ["--shares", "swa=0.5,fin=0.5"], "--shares names 'fin', but the data have spa-latin, swa"),
        ("note.txt", "", ["--shares", "swa"], "--shares 'swa' is not LANG=SHARE"),
        ("note.txt", "", ["--shares", "swa=-1"], "--shares swa=-1 is not above 0"),
        ("note.txt", "", ["--shape", '{"num_heads": 0}'], "num_heads 0 is not a positive integer"),
        ("note.txt", "", ["--shape", '{"heads": 2}'], "no field 'heads'"),
        ("note.txt", "", ["--init", "nowhere"], "checkpoint folder nowhere does not exist"),
        ("note.txt", "", ["--steps", "0"], "invalid positive int value: '0'"),
        ("note.txt", "", ["--prompt", "<{lang}>: {wort}"], "has no {word} in it"),
        ("note.txt", "", ["--lr", "1e30"], "training diverged"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_one_line(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str,
    more: list[str],
    message: str,
) -> None:
    (data / name).write_text(content, encoding="utf-8")
    try:
        status = train.main(arguments(data, tmp_path / "out", "--steps", "50", *more))
    except SystemExit as exit_:  # argparse exits after it prints its usage
        status = int(str(exit_.code))
    line = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert "error: " in line and message in line
    assert not (tmp_path / "out" / "model.safetensors").exists()
