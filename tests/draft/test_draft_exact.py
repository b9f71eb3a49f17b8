"""Whatever a draft table guesses, and however the model is called, what is said is what the model says alone."""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CACHED, CACHELESS, DEFAULT, ROOT, Tree, unpacked
from draft.tables import table_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from g2p_build.draft.table import write_table
from g2p_build.runtime.errors import InvalidDraft
from g2p_build.runtime.standalone import Model, open_model

GOLDEN = json.loads((ROOT / "g2p_build/reference/golden/embedded.json").read_text(encoding="utf-8"))["words"]
EMBEDDED = ROOT / "g2p_build/checkpoints/embedded/draft.g2pdraft"
LANG = "fin"
WORDS = [row["word"] for row in GOLDEN if row["lang"] == LANG]
LETTERS = [*sorted({letter for word in WORDS for letter in word.lower()}), "\2"]
ALL = [(row["word"], row["lang"]) for row in GOLDEN]

Opener = Callable[[bytes | None], Model]


@pytest.fixture(scope="module", params=[DEFAULT, CACHED])
def opened(built: Tree, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Opener:
    """Opens a variant's library with a draft table."""
    folder = unpacked(built, request.param, tmp_path_factory.mktemp("exact"))

    def open_with(table: bytes | None) -> Model:
        path = None if table is None else folder / "table.g2pdraft"
        if path is not None:
            path.unlink(missing_ok=True)  # an open model has it mapped
            path.write_bytes(table or b"")
        return open_model(folder / "libg2p.so", folder / "weights.safetensors", None, path, shared=False)

    return open_with


@pytest.fixture(scope="module")
def alone(opened: Opener) -> dict[str, object]:
    """What the model says without a table, one word at a time."""
    model = opened(None)
    return {word: said(model, [word]) for word in WORDS}


def said(model: Model, words: list[str], threads: int = 1) -> object:
    """Ids, and scores, which are of the logits' bits."""
    results = model.results(words, LANG, threads, scores=True)
    assert not any(result.error for result in results)
    return model.tokens(words, LANG, threads), [result.score for result in results]


def check(model: Model, alone: dict[str, object]) -> None:
    for word in WORDS:
        assert said(model, [word]) == alone[word]
    both = said(model, WORDS, threads=2)
    assert isinstance(both, tuple)
    one = [alone[word] for word in WORDS]
    assert both == tuple([each[part][0] for each in one] for part in (0, 1))  # type: ignore[index]


parts = st.fixed_dictionaries({letter: st.binary(max_size=12) for letter in LETTERS})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts=parts, others=st.none() | parts, sure=st.integers(0, 15))
def test_with_any_table(
    opened: Opener, alone: dict[str, object], parts: dict[str, bytes], others: dict[str, bytes] | None, sure: int
) -> None:
    check(opened(table_of(LANG, parts, sure, others)), alone)


def spelled(said: str) -> dict[str, bytes]:
    """Parts that say the letters themselves."""
    return {letter: letter.replace("\2", said).encode() for letter in LETTERS}


TABLES: dict[str, bytes] = {
    "none of any language": struct.pack("<8s2I", b"g2pdrf\0\1", 16, 0),
    "none of this language": table_of("xx", spelled("")),
    "nothing known": table_of(LANG, {}),
    "the end at once": table_of(LANG, dict.fromkeys(LETTERS, b"")),
    "always wrong": table_of(LANG, dict.fromkeys(LETTERS, b"\xff\xff\xff\xff")),
    "longer than the bound": table_of(LANG, dict.fromkeys(LETTERS, "ˈtɑlo".encode() * 50)),
    "nearly spelled": table_of(LANG, spelled("")),
    "always right": write_table({LANG: [(w["word"].lower(), w["ipa"]) for w in GOLDEN if w["lang"] == LANG]}, 50_000),
    "always right but one": write_table(
        {LANG: [(w["word"].lower(), w["ipa"][:-1] + "q") for w in GOLDEN if w["lang"] == LANG]}, 50_000
    ),
}


@pytest.mark.parametrize("table", TABLES)
def test_with_tables_of_the_worst_kind(opened: Opener, alone: dict[str, object], table: str) -> None:
    check(opened(TABLES[table]), alone)


def test_with_the_embedded_table_and_damage_in_it(opened: Opener, alone: dict[str, object]) -> None:
    """A bit somewhere behind the header. What it points to may then be refused, and never changes what is said."""
    whole, draw = EMBEDDED.read_bytes(), random.Random(7)
    check(opened(whole), alone)
    for _ in range(20):
        damaged = bytearray(whole)
        for _ in range(50):
            damaged[draw.randrange(16, len(whole) if draw.random() < 0.8 else 600)] ^= 1 << draw.randrange(8)
        try:
            model = opened(bytes(damaged))
        except InvalidDraft:
            continue
        check(model, alone)


def test_guesses_save_passes(opened: Opener) -> None:
    model, plain = opened(EMBEDDED.read_bytes()), opened(None)
    for word, lang in ALL:
        for each in (model, plain):
            each.texts([word], lang, 1)
    with_table, without = model.statistics(), plain.statistics()
    assert with_table is not None and without is not None
    assert with_table.ids == without.ids == without.passes and with_table.words == len(ALL)
    assert with_table.passes < 0.45 * without.passes
    assert 0 < with_table.ids - with_table.passes <= with_table.accepted <= with_table.drafted


def test_a_bound_of_ids_is_kept(opened: Opener) -> None:
    model, plain = opened(EMBEDDED.read_bytes()), opened(None)
    for most in (1, 2, 5, 16, 17):
        assert model.tokens(WORDS, LANG, 1, most_ids=most) == plain.tokens(WORDS, LANG, 1, most_ids=most)


def test_without_caches_nothing_is_guessed(built: Tree, tmp_path: Path) -> None:
    folder = unpacked(built, CACHELESS, tmp_path)
    model = open_model(folder / "libg2p.so", folder / "weights.safetensors", None, EMBEDDED, shared=False)
    assert model.texts(["talo"], LANG, 1) == ["ˈtɑlo"]
    counts = model.statistics()
    assert counts is not None and (counts.drafted, counts.passes) == (0, counts.ids)


def test_a_table_that_is_always_wrong_is_soon_left_alone(opened: Opener) -> None:
    """Each word fails twice at most, and after some words nothing is guessed in that language."""
    model = opened(TABLES["always wrong"])
    results = [model.results([word], LANG, 1, scores=False)[0] for word in WORDS * 20]
    assert all(result.drafted <= 30 and not result.accepted for result in results)
    late = results[len(results) // 2 :]
    assert sum(result.drafted for result in late) < 0.25 * sum(result.passes for result in late)
