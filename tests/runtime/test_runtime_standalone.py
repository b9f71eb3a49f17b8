"""Standalone libraries through the runtime: golden words, threads, processes, shared models, few imports."""

from __future__ import annotations

import gc
import json
import multiprocessing
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import CACHED, DEFAULT, Tree, copy_tree

from g2p_build.reference.golden import FOLDER
from g2p_build.runtime import G2P, errors, load, standalone

GOLDEN = json.loads((FOLDER / "embedded.json").read_text(encoding="utf-8"))["words"]
WORDS = [str(row["word"]) for row in GOLDEN if row["lang"] == "eng-us"]
IDS = [row["ids"] for row in GOLDEN if row["lang"] == "eng-us"]


@pytest.fixture(autouse=True)
def cache(built: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])


@pytest.fixture(scope="module")
def machine(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of the same model, built for the virtual machine."""
    tree = copy_tree(tmp_path_factory.mktemp("machine") / "tree", built.cache)
    tree.compiled("target.engine=vm", "target.name=machine", "batch=[1,8]")
    return manifest(tree, "embedded-machine-b1.8-i64-o128-float32-kv")


def manifest(built: Tree, name: str) -> Path:
    return built.root / "manifests" / f"{name}.json"


def test_the_virtual_machine_gives_the_same_golden_words(built: Tree, machine: Path) -> None:
    plain, by_machine = load(manifest(built, CACHED)), load(machine)
    for language in dict.fromkeys(row["lang"] for row in GOLDEN):
        listed = [str(row["word"]) for row in GOLDEN if row["lang"] == language]
        assert plain.tokens(listed, language) == by_machine.tokens(listed, language)
        assert plain(listed, language) == by_machine(listed, language)


@pytest.mark.parametrize("name", [DEFAULT, CACHED])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_neither_threads_nor_order_nor_neighbours_change_a_word(built: Tree, name: str, threads: int) -> None:
    g2p, numbers = load(manifest(built, name), threads=threads), random.Random(threads)
    for count in (1, 2, 9, 31):
        some = [numbers.randrange(len(WORDS)) for _ in range(count)]
        assert g2p.tokens([WORDS[number] for number in some]) == [IDS[number] for number in some]


def test_no_words_are_no_pronunciations(built: Tree) -> None:
    assert load(manifest(built, DEFAULT))([]) == []


def test_threads_of_an_app_share_a_model(built: Tree) -> None:
    g2p, found = load(manifest(built, CACHED)), dict[int, list[list[int]]]()
    workers = [threading.Thread(target=lambda n=n: found.update({n: g2p.tokens(WORDS)})) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert list(found.values()) == [IDS] * 6


def test_models_of_the_same_files_share_one_mapping(built: Tree) -> None:
    def mappings() -> int:
        lines = Path("/proc/self/maps").read_text().splitlines()
        return sum(line.endswith("weights.safetensors") for line in lines)

    gc.collect()
    before = mappings()  # of what other tests have left open
    one, two = load(manifest(built, DEFAULT)), load(manifest(built, DEFAULT))
    assert one._engine is two._engine
    assert mappings() <= before + 1
    del one, two
    assert mappings() <= before


def pronounce(g2p: G2P, queue: multiprocessing.Queue[list[list[int]]]) -> None:
    queue.put(g2p.tokens(WORDS))


def test_a_forked_child_goes_on_with_its_parents_model(built: Tree) -> None:
    g2p = load(manifest(built, DEFAULT), threads=2)
    assert g2p.tokens(WORDS) == IDS  # its threads are started
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=pronounce, args=(g2p, queue))
    child.start()
    assert queue.get(timeout=60) == IDS
    child.join()


def test_a_forked_child_can_end_without_its_parents_threads(built: Tree) -> None:
    code = (
        "import os, sys; from g2p_build.runtime import load; g2p = load(sys.argv[1], threads=2); g2p(['knight'] * 9)\n"
        "child = os.fork()\n"
        "if child: sys.exit(os.waitpid(child, 0)[1])"
    )
    command = [sys.executable, "-c", code, str(manifest(built, DEFAULT))]
    assert subprocess.run(command, env=built.env, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("word", "lang", "error", "says"),
    [
        ("", "eng-us", errors.EmptyWord, "the word '' is empty"),
        ("a\tb", "eng-us", errors.InvalidWord, "control character"),
        ("a\0b", "eng-us", errors.InvalidWord, "control character"),
        ("\ud800", "eng-us", errors.InvalidWord, "half a surrogate pair"),
        ("x" * 99, "eng-us", errors.WordTooLong, "99 bytes"),
        ("knight", "eng-uk", errors.UnknownLanguage, "did you mean eng-us?"),
        ("knight", "eng-us\0", errors.UnknownLanguage, "is no language code"),
    ],
)
def test_a_wrong_word_is_refused_in_the_runtimes_own_words(
    built: Tree, word: str, lang: str, error: type[errors.G2PError], says: str
) -> None:
    g2p = load(manifest(built, DEFAULT))
    for call in (g2p, g2p.tokens):
        with pytest.raises(error, match=says):
            call(["knight", word], lang)  # type: ignore[operator]
    assert g2p.tokens(WORDS[:1]) == IDS[:1]


def test_a_file_that_is_not_a_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "libg2p.so").write_bytes(b"\x7fELF and no more")
    with pytest.raises(errors.LibraryFailed, match=r"libg2p.so: does not load: "):
        standalone.open_model(tmp_path / "libg2p.so", tmp_path / "weights.safetensors")


def test_another_version_of_the_interface_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new.c").write_text("unsigned g2p_abi_version(void) { return 99; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "new.c", "-o", "new.so"], cwd=tmp_path, check=True)
    with pytest.raises(errors.LibraryFailed, match="its interface is version 99, this runtime's is 1"):
        standalone.open_model(tmp_path / "new.so", tmp_path / "weights.safetensors")


def test_weights_of_another_model_are_refused(built: Tree, tmp_path: Path) -> None:
    load(manifest(built, DEFAULT))
    library = next((built.cache / "unpacked").glob("*/libg2p.so"))
    (tmp_path / "weights.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    with pytest.raises(errors.InvalidWeights, match="embedding"):
        standalone.open_model(library, tmp_path / "weights.safetensors")


def test_an_app_needs_neither_numpy_nor_tvm(built: Tree, machine: Path, tmp_path: Path) -> None:
    for blocked in ("numpy", "tvm_ffi", "tvm", "torch"):
        (tmp_path / f"{blocked}.py").write_text(f"raise ModuleNotFoundError('not installed here', name={blocked!r})\n")
    code = "import sys; from g2p_build.runtime import load; print(load(sys.argv[1])(['knight'])[0])"
    env = built.env | {"PYTHONPATH": f"{tmp_path}:{built.root}"}
    command = [sys.executable, "-c", code, str(manifest(built, DEFAULT))]
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("ˈnaɪt\n", "")
    command[-1] = str(machine)
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    assert "needs numpy" in result.stderr.splitlines()[-1] and "pip install 'g2p-build[vm]'" in result.stderr


def test_a_manifest_that_was_valid_is_not_validated_again(built: Tree) -> None:
    """Importing and running the schema validator takes longer than everything else that loading does."""
    code = "import sys; from g2p_build.runtime import load; load(sys.argv[1]); print('jsonschema' in sys.modules)"
    command = [sys.executable, "-c", code, str(manifest(built, DEFAULT))]
    said = [subprocess.run(command, env=built.env, capture_output=True, text=True).stdout for _ in range(2)]
    assert said[1] == "False\n"


def test_a_manifest_that_was_changed_after_it_was_valid_is_refused(built: Tree, tmp_path: Path) -> None:
    load(manifest(built, DEFAULT))
    changed = tmp_path / "changed.json"
    changed.write_text(manifest(built, DEFAULT).read_text().replace('"eng-us"', '"eng-uk"'))
    with pytest.raises(errors.InvalidManifest, match="changed after it was built"):
        load(changed)
