"""Several pronunciations of a word: ids and scores of transformers' beam search, and what a search refuses."""

from __future__ import annotations

import ctypes
import functools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from conftest import CACHED, CACHELESS, DEFAULT, ROOT, Tree
from transformers import GenerationConfig, T5ForConditionalGeneration

from g2p_build.checkpoints.files import local_files
from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.reference.generate import EOS, PAD, tokens_of
from g2p_build.reference.golden import FOLDER
from g2p_build.reference.pretrained import as_model
from g2p_build.runtime import G2P, Cancel, errors, load, standalone

pytest_plugins = ["toys"]

GOLDEN = [
    (str(row["word"]), str(row["lang"]))
    for row in json.loads((FOLDER / "embedded.json").read_text(encoding="utf-8"))["words"]
]
REAL = ROOT.parent / "shared" / "data" / "test"  # LANG.tsv with 250 words each
TOLERANCE = 5e-5  # of scores: both add up float32 logits

Found = list[tuple[list[int], float]]
"""Of one word: the ids and the score of each pronunciation."""


@pytest.fixture(scope="module")
def reference() -> T5ForConditionalGeneration:
    return as_model(*read_checkpoint(local_files(ROOT / "g2p_build" / "checkpoints" / "embedded")))


@pytest.fixture
def manifests(built: Tree, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    return built.root / "manifests"


@pytest.fixture
def g2p(manifests: Path) -> G2P:
    return load(manifests / f"{DEFAULT}.json", lexicon=False)


@torch.no_grad()
def wanted(
    model: T5ForConditionalGeneration, words: Sequence[tuple[str, str]], beams: int, early: bool, longest: int = 128
) -> list[Found]:
    """What transformers finds."""
    settings = GenerationConfig(
        max_length=longest,
        num_beams=beams,
        num_return_sequences=beams,
        early_stopping=early,
        pad_token_id=PAD,
        eos_token_id=EOS,
        decoder_start_token_id=PAD,
        return_dict_in_generate=True,
        output_scores=True,
    )
    found: list[Found] = []
    for start in range(0, len(words), 64):
        prompts = [tokens_of("<{lang}>: {word}", lang, word) for word, lang in words[start : start + 64]]
        width = max(map(len, prompts))
        ids = torch.tensor([[*prompt, *[PAD] * (width - len(prompt))] for prompt in prompts])
        out = model.generate(input_ids=ids, attention_mask=(ids != PAD).long(), generation_config=settings)
        rows = [to_end(row[1:]) for row in out.sequences.tolist()]
        pairs = list(zip(rows, out.sequences_scores.tolist(), strict=True))
        found += [pairs[at : at + beams] for at in range(0, len(pairs), beams)]
    return found


def to_end(row: list[int]) -> list[int]:
    return row[: row.index(EOS) + 1] if EOS in row else row


def found_by(g2p: G2P, words: Sequence[tuple[str, str]], beams: int, early: bool, most_ids: int = 0) -> list[Found]:
    """What the library finds; its ids are not among the results of `G2P.best`."""
    model = g2p._engine
    assert isinstance(model, standalone.Model)
    search = standalone._Search(ctypes.sizeof(standalone._Search), beams, beams, early)
    call, results = model._library.g2p_best, standalone._ResultList()
    call.argtypes = [ctypes.c_void_p] * 5
    asked = [word for word, _ in words], [lang for _, lang in words], 0, results, None, most_ids
    model._request(functools.partial(standalone._with_search, call, search), *asked)
    found: list[Found] = [[] for _ in words]
    for result in standalone._listed(results):
        ids = (ctypes.c_int32 * result.ids_count).from_address(result.ids)
        found[result.word].append((list(ids), result.score))
    model._library.g2p_free_results(model._handle, ctypes.byref(results))
    return found


def check_equal(found: list[Found], expected: list[Found]) -> None:
    assert [[ids for ids, _ in each] for each in found] == [[ids for ids, _ in each] for each in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert [score for _, score in mine] == pytest.approx([score for _, score in theirs], abs=TOLERANCE)


@pytest.mark.parametrize(("beams", "early"), [(2, False), (4, False), (8, False), (4, True)])
def test_ids_and_scores_are_those_of_transformers(
    g2p: G2P, reference: T5ForConditionalGeneration, beams: int, early: bool
) -> None:
    words = [*GOLDEN[::6], ("zq" * 20, "eng-us")]
    check_equal(found_by(g2p, words, beams, early), wanted(reference, words, beams, early))


def test_more_beams_than_a_call_takes(g2p: G2P, reference: T5ForConditionalGeneration) -> None:
    """A step takes up to 32 of them, then the others; a variant with more rows takes all at once."""
    words = GOLDEN[::20]
    check_equal(found_by(g2p, words, 40, False), wanted(reference, words, 40, False))


def test_a_bound_ends_every_beam(g2p: G2P, reference: T5ForConditionalGeneration) -> None:
    words = GOLDEN[::20]
    for most in (1, 4):
        check_equal(found_by(g2p, words, 4, False, most), wanted(reference, words, 4, False, most + 1))


@pytest.mark.long
@pytest.mark.skipif(not REAL.is_dir(), reason="the test words are not here")
@pytest.mark.parametrize("name", [DEFAULT, CACHED])
@pytest.mark.parametrize("beams", [2, 4, 8])
@pytest.mark.parametrize("early", [False, True])
def test_all_test_words(
    manifests: Path, reference: T5ForConditionalGeneration, name: str, beams: int, early: bool
) -> None:
    g2p = load(manifests / f"{name}.json", lexicon=False)
    lines = [(path.stem, line) for path in sorted(REAL.glob("*.tsv")) for line in path.read_text("utf-8").splitlines()]
    words = [(line.split("\t")[0], lang) for lang, line in lines]
    words = [word for word in words if len(tokens_of("<{lang}>: {word}", word[1], word[0])) <= 64]
    assert len(words) > 1490
    words.sort(key=lambda word: len(word[0]))
    check_equal(found_by(g2p, words, beams, early), wanted(reference, words, beams, early))


def test_a_words_list_does_not_depend_on_threads_rows_or_neighbours(manifests: Path) -> None:
    words, langs = [word for word, _ in GOLDEN], [lang for _, lang in GOLDEN]
    for name in (DEFAULT, CACHED):
        alone = load(manifests / f"{name}.json", lexicon=False, threads=1)
        several = load(manifests / f"{name}.json", lexicon=False, threads=3)
        found = several.best(words, langs, n=4)
        assert found == alone.best(words, langs, n=4)
        assert [each[:2] for each in found] == alone.best(words, langs, n=2, beams=4)
        assert found[7] == alone.best([words[7]], langs[7], n=4)[0]


def test_one_beam_is_the_plain_answer(g2p: G2P) -> None:
    words, langs = [word for word, _ in GOLDEN], [lang for _, lang in GOLDEN]
    plain = g2p.results(words, langs, scores=True)
    assert [(each.phonemes, each.score) for [each] in g2p.best(words, langs, n=1, beams=1)] == [
        (each.phonemes, each.score) for each in plain
    ]


def test_the_best_come_first_and_say_what_is_known_of_them(g2p: G2P) -> None:
    before = g2p.statistics
    [found] = g2p.best(["qrstu"], n=4)
    after = g2p.statistics
    scores = [each.score for each in found]
    assert len(found) == 4 and None not in scores and scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    assert {(each.word, each.lang, each.source, each.error) for each in found} == {("qrstu", "eng-us", "model", None)}
    assert before is not None and after is not None
    assert {each.passes for each in found} == {after.passes - before.passes} and after.words == before.words + 1


def test_a_wrong_word_ends_nothing(g2p: G2P) -> None:
    found = g2p.best(["knight", "", "x" * 99, "2nd", "day"], n=2)
    assert [len(each) for each in found] == [2, 1, 1, 1, 2]
    assert [type(each[0].error) for each in found[1:4]] == [
        *(errors.EmptyWord, errors.WordTooLong, errors.ForeignCharacter)
    ]
    assert found[0][0].phonemes == "ˈnaɪt" and g2p.best([], n=2) == []


def test_a_lexicons_pronunciations_come_in_place_of_the_models(g2p: G2P) -> None:
    g2p.add_words({"tomato": ["a", "b", "c"], "Grzegorz": "d"}, "eng-us")
    found = g2p.best(["tomato", "Grzegorz", "knight"], n=2)
    assert [[(each.phonemes, each.source, each.score) for each in word] for word in found[:2]] == [
        [("a", "user", None), ("b", "user", None)],
        [("d", "user", None)],
    ]
    assert [each.source for each in found[2]] == ["model", "model"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"n": 5, "beams": 4}, "n=5: give 1 to 4, or more beams"),
        ({"n": 0}, "n=0: give 1 to 4"),
        ({"n": 65}, "beams=65: give 1 to 64"),
        ({"n": 1, "beams": 0}, "beams=0: give 1 to 64"),
    ],
)
def test_what_a_search_cannot_do_is_refused(g2p: G2P, asked: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        g2p.best(["knight"], **asked)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="words is a list of words"):
        g2p.best("knight")


def test_a_variant_without_caches_says_so(manifests: Path) -> None:
    with pytest.raises(errors.LibraryFailed, match="build it with kv_cache=true"):
        load(manifests / f"{CACHELESS}.json", lexicon=False).best(["knight"])


def test_a_search_is_cancelled(g2p: G2P) -> None:
    cancel = Cancel()
    threading.Timer(0.2, cancel.cancel).start()
    began = time.monotonic()
    with pytest.raises(errors.Cancelled):
        g2p.best(["knight", "zq" * 25] * 10_000, beams=8, cancel=cancel)
    assert time.monotonic() - began < 10


def test_the_toy_of_the_virtual_machine_has_no_search(toy: Path) -> None:
    with pytest.raises(errors.LibraryFailed, match=r"build it with target\.engine=standalone"):
        load(toy).best(["knight"])


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def command(built: Tree) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-m", "g2p_build.runtime.cli", "pronounce"]
        named = ["--manifest", str(built.root / "manifests" / f"{DEFAULT}.json")]
        given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [*program, *named, *arguments], env=built.env, capture_output=True, text=True, **given
        )

    return run


def test_lines_of_a_search_are_different_and_have_scores(
    g2p: G2P, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    made = command("--best", "3", "--json", "qrstu", "knight")
    rows = [json.loads(line) for line in made.stdout.splitlines()]
    for word in ("qrstu", "knight"):
        said = list(dict.fromkeys(each.phonemes for each in g2p.best([word], n=4)[0]))
        assert [row["phonemes"] for row in rows if row["word"] == word] == said[:3]
    assert all(row["score"] < 0 and row["source"] == "model" for row in rows)
    listed = command("--best", "2", "--beams", "6", "--on-error", "mark", stdin="qrstu\n\n2nd\n")
    assert [line.split("\t")[0] for line in listed.stdout.splitlines()] == ["qrstu", "qrstu", "", "2nd"]
    assert "line 3: '2'" in listed.stderr
    # Which of these differ in stress alone depends on the model's weights; a lexicon's symbols have none.
    words = ["qrstu", "record", "present", "permit", "object", "refund"]
    lexicon = command("--best", "8", "--format", "kaldi", *words).stdout.splitlines()
    assert len(set(lexicon)) == len(lexicon) and {line.split()[0] for line in lexicon} == set(words)
    every = [{each.phonemes for each in word} for word in g2p.best(words, n=8)]
    assert len(lexicon) < sum(map(len, every))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--beams", "4"], "--beams is for a search: say with --best"),
        (["--best", "0"], "--best 0: give how many"),
        (["--best", "3", "--beams", "2"], "--best 3: 2 beams have no more than 2: give more --beams"),
        (["--best", "65"], "65 beams: give up to 64"),
        (["--best", "some"], "argument --best"),
    ],
)
def test_options_that_make_no_search(
    command: Callable[..., subprocess.CompletedProcess[str]], options: list[str], says: str
) -> None:
    made = command(*options, "knight")
    assert (made.returncode, made.stdout, made.stderr.count("\n")) == (2, "", 1) and says in made.stderr
