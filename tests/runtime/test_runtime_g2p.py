"""A whole toy variant. It echoes its prompt, so the right result for every word is known."""

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from g2p_build.runtime import errors, load, tokenizer
from g2p_build.runtime.vm import greedy
from g2p_build.runtime.vm.engine import VirtualMachine

pytest_plugins = ["toys"]

WORDS = ["knight", "a", "naïve", "ไก่", "don't", "người", "x" * 12, "extraordinarily", "to"]
ROOT = Path(__file__).parents[2]


def echo(word: str, lang: str = "eng-us") -> str:
    return f"<{lang}>: {word}"


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 9, 23])
def test_any_number_of_words_in_their_order(toy: Path, count: int) -> None:
    words = random.Random(count).choices(WORDS, k=count)
    assert load(toy)(words, lang="fin") == [echo(word, "fin") for word in words]


def test_without_a_cache(toy_nokv: Path, toy: Path) -> None:
    g2p = load(toy_nokv / "manifests" / "toy-host-nokv.json")
    assert g2p(WORDS) == load(toy)(WORDS) == [echo(word) for word in WORDS]
    assert g2p.tokens(WORDS) == load(toy).tokens(WORDS)


def test_tokens_end_in_the_end_id_unless_the_bound_comes_first(toy: Path) -> None:
    g2p = load(toy)
    model = g2p.manifest["model"]
    fits, reaches = "x" * (30 - 10), "x" * (31 - 10)  # 32 ids with the start id: 31 are generated
    assert g2p.tokens([fits, reaches]) == [
        [*tokenizer.encode(model, fits, "eng-us"), model["eos_id"]],
        tokenizer.encode(model, reaches, "eng-us"),
    ]


def test_decoding_stops_when_every_row_has_ended(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    g2p, roles, original = load(toy), [], greedy._call
    monkeypatch.setattr(
        greedy, "_call", lambda bound, role, values: (roles.append(role), original(bound, role, values))
    )
    g2p(["abc", "abcdef", "a"])
    assert roles == ["encode", "prefill"] + ["step"] * (len(echo("abcdef")) + 1)


def test_the_smallest_bucket_and_batch_that_fit(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    g2p, seen, original = load(toy), [], greedy._call

    def call(bound: greedy.Bound, role: str, values: dict[str, Any]) -> None:
        if role == "encode":
            seen.append((bound.batch, bound.input_len))
        original(bound, role, values)

    monkeypatch.setattr(greedy, "_call", call)
    g2p(["a" * 14])
    g2p(["a" * 15])
    g2p(["a"] * 4)
    g2p(["a"] * 8 + ["b" * 20])
    assert seen == [(1, 24), (1, 40), (4, 24), (8, 40), (1, 24)]


def test_a_word_does_not_depend_on_what_came_before_or_beside_it(toy: Path) -> None:
    g2p = load(toy)
    alone = [g2p.tokens([word])[0] for word in WORDS]
    assert g2p.tokens(WORDS[::-1])[::-1] == alone == g2p.tokens(WORDS)


def test_threads_may_share_a_variant(toy: Path) -> None:
    g2p, wrong = load(toy), []

    def work(seed: int) -> None:
        words = random.Random(seed).choices(WORDS, k=40)
        if g2p(words) != [echo(word) for word in words]:
            wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_it_says_of_itself(toy: Path) -> None:
    g2p = load(toy)
    assert g2p.languages == ("eng-us", "fin", "vie-n")
    assert g2p.limits == {"input": 40, "output": 32, "batch": [1, 4, 8]}
    info = g2p.info()
    assert json.loads(json.dumps(info)) == info
    assert info["name"] == "toy-host-kv" and info["dtype"] == "float32" and info["kv_cache"] is True


def test_the_first_wrong_word_is_an_error_and_none_is_pronounced(toy: Path) -> None:
    g2p = load(toy)
    for words, lang, error in (
        (["fine", "x" * 31], "eng-us", errors.WordTooLong),
        (["fine", ""], "eng-us", errors.EmptyWord),
        (["fine", "a\x00"], "eng-us", errors.InvalidWord),
        (["fine"], "eng", errors.UnknownLanguage),
    ):
        with pytest.raises(error) as caught:
            g2p(words, lang=lang)
        assert type(caught.value) is error and "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="not one string"):
        g2p("knight")


# --- loading ----------------------------------------------------------------------------------------------------------


def test_the_default_of_the_index(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2P_MANIFESTS", str(toy.parent))
    assert load().manifest["name"] == "toy-host-kv"
    monkeypatch.delenv("G2P_MANIFESTS")
    monkeypatch.chdir(tmp_path)
    assert load().manifest["name"] == "toy-host-kv"


def test_a_manifest_with_another_digest_than_in_the_index(
    toy: Path, monkeypatch: pytest.MonkeyPatch, edit: Callable[..., None]
) -> None:
    edit(toy, lambda data: data["toolchain"].update(other="1"))
    monkeypatch.setenv("G2P_MANIFESTS", str(toy.parent))
    with pytest.raises(errors.InvalidManifest, match="its index"):
        load()
    assert load(toy)(["a"]) == [echo("a")]


def test_archives_beside_the_manifest(toy: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "dist").iterdir():
        path.rename(toy.parent / path.name)
    assert load(toy)(["a"]) == [echo("a")]


def test_weights_are_mapped(toy: Path) -> None:
    g2p = load(toy)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("not Linux")
    mapped = [line for line in maps.read_text().splitlines() if line.endswith("weights.safetensors")]
    spans = [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in mapped]
    assert isinstance(g2p._engine, VirtualMachine)
    for name, tensor in g2p._engine._tensors.items():
        address = g2p._engine._weights[name].ctypes.data
        assert any(start <= address < end for start, end in spans), name
        assert __import__("numpy").from_dlpack(tensor).ctypes.data == address


WRONG_TARGETS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"triple": "riscv64-linux-gnu"}, errors.UnsupportedTarget, "is for riscv64-linux-gnu, this machine is"),
    (
        {"features": ["no-such-feature"], "cpu": "z9"},
        errors.UnsupportedCPU,
        "built for z9, this CPU lacks no-such-feature",
    ),
    ({"package": "objects", "triple": "arm64-apple-ios"}, errors.NotLinked, "object files for arm64-apple-ios"),
]


@pytest.mark.parametrize(("change", "error", "words"), WRONG_TARGETS)
def test_what_does_not_run_here(
    toy: Path, edit: Callable[..., None], change: dict[str, Any], error: type[Exception], words: str
) -> None:
    edit(toy, lambda data: data["target"].update(change))
    with pytest.raises(error, match=words):
        load(toy)


@pytest.mark.parametrize("archive", ["toy-host-kv.tar", "toy-weights.tar"])
def test_both_archives_are_checked_before_either_is_opened(toy: Path, tmp_path: Path, archive: str) -> None:
    path = tmp_path / "dist" / archive
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(errors.TamperedArchive, match=archive):
        load(toy)
    assert [found.name for found in (tmp_path / "unpacked").iterdir()] == ["valid-manifests"]
    path.unlink()
    with pytest.raises(errors.MissingArchive, match=archive):
        load(toy)


def reseal(toy: Path, edit: Callable[..., None], part: str, change: Callable[[Path], None]) -> None:
    """Changes members of an archive and makes the manifest agree, as a broken build would."""
    import hashlib

    def update(data: dict[str, Any]) -> None:
        entry = data["archives"][part]
        path = toy.parent.parent / "dist" / entry["file"]
        folder = toy.parent.parent / "changed"
        with tarfile.open(path) as tar:
            tar.extractall(folder, filter="data")
        change(folder)
        with tarfile.open(path, "w") as tar:
            for member in sorted(folder.iterdir()):
                tar.add(member, member.name)
        entry.update(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size=path.stat().st_size)
        shutil.rmtree(folder)

    edit(toy, update)


def shrink_weights(folder: Path) -> None:
    data = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(data[:-64])


def rename_weight(folder: Path) -> None:
    data = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(data.replace(b'"bias"', b'"bios"'))


def reshape_weight(folder: Path) -> None:
    data = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(data.replace(b"[384]", b"[2,192]".ljust(5), 1))


BROKEN: list[tuple[str, Callable[[Path], Any], type[Exception], str]] = [
    ("library", lambda folder: (folder / "model.so").unlink(), errors.InvalidArchive, "no member 'model.so'"),
    (
        "library",
        lambda folder: (folder / "model.so").write_bytes(b"\x7fELF"),
        errors.LibraryFailed,
        "model.so: does not load",
    ),
    ("library", lambda folder: (folder / "tokenizer.json").write_text("{}"), errors.InvalidArchive, "tokenizer.json"),
    ("library", lambda folder: (folder / "tokenizer.json").write_text("{"), errors.InvalidArchive, "tokenizer.json"),
    ("weights", shrink_weights, errors.InvalidWeights, "outside the"),
    ("weights", rename_weight, errors.InvalidWeights, "takes weight 'bias'"),
    ("weights", lambda folder: (folder / "weights.safetensors").write_bytes(b""), errors.InvalidWeights, "mapped"),
    (
        "weights",
        lambda folder: (folder / "weights.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}"),
        errors.InvalidWeights,
        "claims",
    ),
]


@pytest.mark.parametrize(("part", "change", "error", "words"), BROKEN)
def test_what_is_broken_inside_an_archive_is_named(
    toy: Path, edit: Callable[..., None], part: str, change: Callable[[Path], Any], error: type[Exception], words: str
) -> None:
    reseal(toy, edit, part, change)
    with pytest.raises(error) as caught:
        load(toy)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def functions(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
    return lambda data: [change(function) for function in data["functions"]] and None


def set_shape(name: str, shape: list[int]) -> Callable[[dict[str, Any]], Any]:
    return lambda function: [tensor.update(shape=shape) for tensor in function["inputs"] if tensor["name"] == name]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            set_shape("bias", [2, 192]),
            errors.InvalidWeights,
            "takes float32[2, 192] 'bias', the weights file has float32[384]",
        ),
        (set_shape("token", [1, 2]), errors.InvalidManifest, "takes int32[1, 2] 'token': nothing gives it"),
        (
            lambda function: function["role"] == "step" and set_shape("cross_key_0", [1, 1, 1, 1])(function),
            errors.InvalidManifest,
            "step_b1_k1 takes float32[1, 1, 1, 1] 'cross_key_0', another takes float32[1, 1, 40, 1]",
        ),
        (lambda function: function.update(name=function["name"] + "_x"), errors.LibraryFailed, "no function"),
        (
            lambda function: [o.update(name="x") for o in function["outputs"]],
            errors.InvalidManifest,
            "nothing gives it",
        ),
    ],
)
def test_functions_that_do_not_fit(
    toy: Path, edit: Callable[..., None], change: Callable[[dict[str, Any]], Any], error: type[Exception], words: str
) -> None:
    edit(toy, functions(change))
    with pytest.raises(error) as caught:
        load(toy)
    assert words in str(caught.value)


# --- alone in a process -----------------------------------------------------------------------------------------------


def run(code: str, *arguments: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_it_needs_nothing_of_the_build_and_no_big_library(toy: Path) -> None:
    code = (
        "import sys; from g2p_build.runtime import load; print(load(sys.argv[1])(['knight'])[0]); print(*sys.modules)"
    )
    answer, modules = run(code, str(toy)).splitlines()
    assert answer == echo("knight")
    names = set(modules.split())
    assert not names & {"torch", "transformers", "hydra", "omegaconf", "doit", "tvm", "rich", "safetensors"}
    assert {name for name in names if name.startswith("g2p_build")} - {"g2p_build"} == {
        name for name in names if name.startswith("g2p_build.runtime")
    }


def test_importing_it_loads_little() -> None:
    code = "import sys, g2p_build.runtime, g2p_build.runtime.manifest, g2p_build.runtime.cpu; print(*sys.modules)"
    assert not set(run(code).split()) & {"numpy", "jsonschema", "tvm_ffi", "platformdirs", "rich"}


@pytest.mark.parametrize(
    "code",
    [
        "import torch; LOAD; ",
        "import tvm; LOAD; ",
        "LOAD; import tvm; tvm.runtime.tensor([1.0]); ",
        "import tvm_ffi; LOAD; import torch, tvm; tvm.runtime.from_dlpack(torch.ones(1)); ",
        "LOAD; import torch, tvm; tvm.runtime.from_dlpack(torch.ones(1)); ",
    ],
)
def test_it_works_beside_torch_and_tvm_in_one_process(toy: Path, code: str) -> None:
    code = code.replace("LOAD", "import sys; from g2p_build.runtime import load; g2p = load(sys.argv[1])")
    assert run(code + "print(g2p(['knight'])[0])", str(toy)).strip() == echo("knight")


def test_several_variants_in_one_process(toy: Path, toy_nokv: Path) -> None:
    code = (
        "import sys; from g2p_build.runtime import load; loaded = [load(path) for path in sys.argv[1:]] * 2; "
        "print(*[g2p(['a', 'b']) == ['<eng-us>: a', '<eng-us>: b'] for g2p in loaded])"
    )
    assert run(code, str(toy), str(toy_nokv / "manifests" / "toy-host-nokv.json")).split() == ["True"] * 4
