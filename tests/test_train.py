"""The trainer, on a small real sample and a model of a few thousand parameters."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import T5ForConditionalGeneration

from g2p_build.checkpoints.files import EMBEDDED, local_files
from g2p_build.checkpoints.random_weights import architecture_from_shape
from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.errors import BuildError
from g2p_build.models.architecture import checkpoint_tensors
from g2p_build.reference.generate import PAD
from g2p_build.reference.pretrained import as_model
from g2p_build.training import appraise, command, use
from g2p_build.training.batches import PIECE, POOL, Source, batches_of
from g2p_build.training.forward import IGNORED, logits_of, loss_of, matrices_in
from g2p_build.training.muon import Muon, orthogonal
from g2p_build.training.start import SHAPE as EMBEDDED_SHAPE

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
    return ["--data", str(data), "--out", str(out), "--batch", "8", "--lr", "0.01", "--warm-up", "40", *shape, *more]


def losses(text: str) -> list[float]:
    return [float(loss) for loss in re.findall(r"^step .* loss ([\d.]+)", text, re.MULTILINE)]


def files(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("config.json", "model.safetensors", "training.json")}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_loss_falls_and_the_words_are_learnt(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], dtype: str
) -> None:
    larger = {"d_model": 64, "d_kv": 32, "d_ff": 96, "num_heads": 4, "num_layers": 2}
    more = ["--words", "6400", "--batch", "16", "--lr", "0.002", "--shape", json.dumps(SHAPE | larger)]
    more += ["--dtype", dtype]
    assert command.main(arguments(data, tmp_path / "out", *more)) == 0
    said = capsys.readouterr().out
    first, *_, last = losses(said)
    assert last < first / 2
    rates = {language: float(per) for language, per in re.findall(r"^test (\S+): PER ([\d.]+)", said, re.MULTILINE)}
    assert set(rates) == set(SAMPLE)
    assert max(rates.values()) < 0.3


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_killed_run_resumes_from_its_last_saved_state(data: Path, tmp_path: Path, dtype: str) -> None:
    run = ["--words", "480", "--save-every", "10", "--dtype", dtype]
    assert command.main(arguments(data, tmp_path / "whole", *run)) == 0
    killed = arguments(data, tmp_path / "killed", *run)
    with subprocess.Popen([sys.executable, "-m", "g2p_build.training", *killed], stdout=subprocess.PIPE) as process:
        while not (tmp_path / "killed" / "state.pt").exists():
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    step = torch.load(tmp_path / "killed" / "state.pt", weights_only=True)["progress"]["step"]
    assert 0 < step < 60
    again = [sys.executable, "-m", "g2p_build.training", *killed]
    resumed = subprocess.run(again, check=True, capture_output=True, text=True).stdout
    assert f"from step {step}" in resumed
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_run_is_saved_as_the_embedded_checkpoint_is(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert command.main(["--data", str(data), "--out", str(out), "--words", "2", "--batch", "2"]) == 0
    assert (out / "config.json").read_bytes() == (EMBEDDED / "config.json").read_bytes()
    ours, theirs = load_file(out / "model.safetensors"), load_file(EMBEDDED / "model.safetensors")
    assert {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in theirs.items()}
    assert torch.equal(ours["lm_head.weight"], ours["shared.weight"])
    assert (out / "model.safetensors").stat().st_size == (EMBEDDED / "model.safetensors").stat().st_size


@pytest.mark.parametrize(("tied", "head"), [(True, False), (False, True), (False, False)])
def test_fine_tuning_starts_from_the_other_checkpoint(data: Path, tmp_path: Path, tied: bool, head: bool) -> None:
    assert command.main(arguments(data, tmp_path / "first", "--words", "8")) == 0
    state = load_file(tmp_path / "first" / "model.safetensors")
    projection = state.pop("lm_head.weight")
    save_file(state | ({"lm_head.weight": projection + 0.01} if head else {}), tmp_path / "first" / "model.safetensors")
    config = json.loads((tmp_path / "first" / "config.json").read_text()) | {"tie_word_embeddings": tied}
    (tmp_path / "first" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    more = ["--init", str(tmp_path / "first"), "--lr", "1e-9", "--words", "8", "--shares", "swa=1"]
    assert command.main(arguments(data, tmp_path / "second", *more)) == 0
    ids, labels = torch.tensor([[63, 118, 122, 100]]), torch.tensor([[0, 100, 101]])
    with torch.no_grad():
        before, after = (
            T5ForConditionalGeneration.from_pretrained(tmp_path / name)(input_ids=ids, decoder_input_ids=labels).logits
            for name in ("first", "second")
        )
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
    _, second = read_checkpoint(local_files(tmp_path / "second"))
    assert torch.equal(second["lm_head.weight"], second["shared.weight"]) == (not head and not tied)


def test_a_run_that_has_ended_goes_on_from_before_its_learning_rate_fell(data: Path, tmp_path: Path) -> None:
    assert command.main(arguments(data, tmp_path / "whole", "--words", "400", "--decay", "80")) == 0
    first = arguments(data, tmp_path / "parts", "--words", "240", "--decay", "80")
    assert command.main(first) == 0
    ended = files(tmp_path / "parts")
    assert command.main(arguments(data, tmp_path / "parts", "--words", "400", "--decay", "80")) == 0
    assert files(tmp_path / "parts") == files(tmp_path / "whole") != ended


def test_fewer_words_than_were_seen_let_the_learning_rate_fall_at_once(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments(data, tmp_path / "out", "--words", "400", "--decay", "0")) == 0
    assert command.main(arguments(data, tmp_path / "out", "--words", "1", "--decay", "80")) == 0
    assert "after 480 words in all" in capsys.readouterr().out
    assert torch.load(tmp_path / "out" / "state.pt", weights_only=True)["progress"]["step"] == 400 / 8


def test_the_number_of_threads_changes_nothing(data: Path, tmp_path: Path) -> None:
    for threads in ("1", "3"):
        more = ["--words", "1280", "--batch", "64", "--threads", threads]
        assert command.main(arguments(data, tmp_path / threads, *more)) == 0
    assert files(tmp_path / "1") == files(tmp_path / "3")


def test_the_record_adds_up_over_runs(data: Path, tmp_path: Path) -> None:
    assert command.main(arguments(data, tmp_path / "first", "--words", "80")) == 0
    more = ["--init", str(tmp_path / "first"), "--words", "40", "--decay", "16", "--seed", "5", "--shares", "swa=1"]
    assert command.main(arguments(data, tmp_path / "second", *more)) == 0
    record = json.loads((tmp_path / "second" / "training.json").read_text(encoding="utf-8"))
    assert record["words"] == 120
    assert [(leg["words"], leg["decay"], leg["seed"]) for leg in record["legs"]] == [(80, 16, 0), (40, 16, 5)]
    assert record["legs"][1]["shares"] == {"swa": 1.0}


def test_held_out_words_are_not_trained_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use, "_SOURCES", {})
    assert command.main(arguments(data, tmp_path / "out", "--words", "8", "--hold-out", "5")) == 0
    assert "swa: 15 words, share" in capsys.readouterr().out
    assert command.main(arguments(data, tmp_path / "none", "--words", "8", "--hold-out", "20")) == 2
    assert "--hold-out 20 leaves no word of spa-latin to train on" in capsys.readouterr().err


def test_the_rule_of_held_out_words_keeps_the_ones_that_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"word{number}" for number in range(50)]
    # The frequency from which words stay in training.
    monkeypatch.setattr(use, "_SOURCES", {"swa": lambda: dict.fromkeys(words[:40], 1e-5) | {words[40]: 0.9e-5}})
    rare = use.held_out("swa", words, 5)
    assert len(rare) == 5 and rare < set(words[40:])
    assert use.held_out("swa", words, 10) == set(words[40:]) > rare
    assert use.held_out("swa", words[::-1], 5) == rare
    assert use.held_out("fin", words, 5) == {"word3", "word40", "word41", "word47", "word7"}
    assert use.held_out("swa", words, 0) == frozenset()


def test_frequencies_of_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(
        BuildError, match=r"eng-us .* wordfreq, which is not installed: pip install 'g2p-build\[train\]'"
    ):
        use.frequencies_of("eng-us")
    assert use.frequencies_of("swa") == {}


def test_words_are_drawn_by_share_and_by_use() -> None:
    rows = [([number], [1]) for number in range(100)]
    others = [([number], [1]) for number in range(100, 110)]
    sources = {"a": Source(rows, 0.75, 0.5, [0.0] * 99 + [1.0]), "b": Source(others, 0.25)}
    seen = Counter(
        x[0] for batch in islice(batches_of(sources, 64, seed=0), 50 * POOL) for piece in batch for x, _ in piece
    )
    total = 50 * POOL * 64
    assert seen.total() == total
    assert seen[99] == total * (0.375 + 0.375 / 100)
    assert {seen[number] for number in range(99)} == {total * 0.375 / 100}  # all come before one comes again
    assert max(seen[number] for number in range(100, 110)) - min(seen[number] for number in range(100, 110)) <= 1


def test_batches_go_on_from_anywhere_and_have_little_padding() -> None:
    draw = Random(0)
    rows = [([5] * draw.randint(8, 30), [5] * draw.randint(2, 30)) for _ in range(5000)]
    sources = {"a": Source(rows[:3000], 0.6), "b": Source(rows[3000:], 0.4)}
    batches = list(islice(batches_of(sources, 128, seed=1), 2 * POOL + 3))
    for start in (1, POOL, POOL + 1, 2 * POOL):
        assert list(islice(batches_of(sources, 128, 1, start), 3)) == batches[start : start + 3]
    pieces = [piece for batch in batches for piece in batch]
    assert {len(piece) for piece in pieces} == {PIECE}
    used = sum(len(x) + len(y) for piece in pieces for x, y in piece)
    assert sum(len(p) * (max(len(x) for x, _ in p) + max(len(y) for _, y in p)) for p in pieces) < 1.1 * used


@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu"])
@pytest.mark.parametrize(("head", "scaled"), [(True, False), (False, False), (False, True)])
def test_the_forward_pass_is_that_of_transformers(feed_forward: str, head: bool, scaled: bool) -> None:
    architecture = replace(
        architecture_from_shape({**EMBEDDED_SHAPE, **SHAPE, "num_heads": 3, "feed_forward_proj": feed_forward}),
        separate_lm_head=head,
        scale_decoder_outputs=scaled,
    )
    torch.manual_seed(0)
    shapes = checkpoint_tensors(architecture)
    weights = {name: (torch.randn(shape) * 0.3).requires_grad_() for name, shape in shapes.items()}
    model = as_model(architecture, {name: weight.detach().clone() for name, weight in weights.items()})
    ids = torch.randint(3, 384, (3, 40))
    labels = torch.randint(3, 384, (3, 25))
    for padded in (False, True):
        if padded:
            ids[1, 30:], labels[2, 20:] = PAD, IGNORED
        expected = model(input_ids=ids, attention_mask=(ids != PAD).long(), labels=labels).logits
        torch.testing.assert_close(logits_of(architecture, weights, ids, labels), expected, rtol=1e-4, atol=1e-4)
        loss = loss_of(architecture, weights, ids, labels)
        torch.nn.functional.cross_entropy(expected.flatten(0, 1), labels.flatten(), reduction="sum").backward()
        parameters = dict(model.named_parameters())
        for name, gradient in zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True):
            torch.testing.assert_close(gradient, parameters[name].grad, rtol=1e-3, atol=1e-3)
            parameters[name].grad = None


def test_logits_of_products_in_bfloat16_are_near_those_in_float32() -> None:
    architecture, state = read_checkpoint(local_files(EMBEDDED))
    weights = {name: state[name].float() for name in checkpoint_tensors(architecture)}
    torch.manual_seed(0)
    ids, labels = torch.randint(3, 259, (4, 20)), torch.randint(3, 259, (4, 12))
    exact = logits_of(architecture, weights, ids, labels)
    rounded = logits_of(architecture, matrices_in(weights, torch.bfloat16), ids, labels)
    assert rounded.dtype == torch.float32
    error = (rounded - exact).square().mean().sqrt() / exact.std()
    assert 1e-4 < error < 0.05  # of bytes that spell no word, where rounding is loudest


def test_muon_updates_are_orthogonal_and_of_adamw_s_size() -> None:
    torch.manual_seed(0)
    matrices = orthogonal(torch.randn(2, 24, 64))
    assert all(0.6 < value < 1.3 for value in torch.linalg.svdvals(matrices).flatten().tolist())
    architecture = architecture_from_shape({**EMBEDDED_SHAPE, **SHAPE})
    weights = {name: torch.zeros(shape) for name, shape in checkpoint_tensors(architecture).items()}
    gradients = {name: torch.randn(weight.shape) * 1e-3 for name, weight in weights.items()}
    optimizer = Muon(architecture, weights)
    optimizer.step(gradients, 0.01)
    for name, weight in weights.items():
        size = weight.square().mean().sqrt().item()
        assert 0.001 < size < 0.011, name
        assert (weight * gradients[name]).sum() < 0, name


def test_a_checkpoint_is_appraised(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use, "_SOURCES", {"swa": lambda: {"maji": 0.02, "moto": 0.01, "elsewhere": 0.5}})
    assert command.main(arguments(data, tmp_path / "out", "--words", "8")) == 0
    capsys.readouterr()
    assert appraise.main(["--data", str(data), "--hold-out", "5", "--trained", "4", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    for line in ("spa-latin test: PER", "swa held-out: PER", "swa trained: PER", "swa running text: 100.00% wrong, 2 "):
        assert line in said
    assert "over 20 words" in said and "over 5 words" in said and "over 4 words" in said
    assert "spa-latin running text" not in said
    assert appraise.main(["--data", str(data), "--languages", "tha", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "error: --languages names 'tha', but the data have spa-latin, swa\n"


def test_running_text_counts_words_by_their_use() -> None:
    entries = [("a", ("x", "y")), ("b", ("z",)), ("c", ("w",))]
    assert use.wrong_by_use(entries, ["y", "z", "v"], {"a": 0.5, "b": 0.2, "c": 0.3}) == pytest.approx(0.3)


def test_another_run_is_not_gone_on_with(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments(data, tmp_path / "out", "--words", "8")) == 0
    before = files(tmp_path / "out")
    assert command.main(arguments(data, tmp_path / "out", "--words", "8", "--seed", "1")) == 2
    assert "is the state of a run with another seed" in capsys.readouterr().err
    (tmp_path / "out" / "state.pt").write_bytes(b"PK")
    assert command.main(arguments(data, tmp_path / "out", "--words", "8")) == 2
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
        ("note.txt", "", ["--words", "0"], "invalid positive int value: '0'"),
        ("note.txt", "", ["--by-use", "2"], "'2' is not a part: give a number from 0 to 1"),
        ("note.txt", "", ["--batch", "42"], "a batch of 42 words cannot be cut into equal parts: give a multiple of 4"),
        ("first/training.json", "[]", ["--init", "first"], "first/training.json is not a record of training"),
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
    if more == ["--init", "first"]:
        assert command.main(arguments(data, data / "first", "--words", "8")) == 0
        more = ["--init", str(data / "first")]
    (data / name).write_text(content, encoding="utf-8")
    try:
        status = command.main(arguments(data, tmp_path / "out", "--words", "400", *more))
    except SystemExit as exit_:  # argparse's way, after its usage
        status = int(str(exit_.code))
    line = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert "error: " in line and message in line
    assert not (tmp_path / "out" / "model.safetensors").exists()
