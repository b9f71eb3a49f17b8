"""What is pronounced: whole batches of one language, and static lengths that fit them."""

from pathlib import Path

import pytest

from bench.pronounce import workload
from g2p_build.config import compose
from g2p_build.config.variant import Variant
from g2p_build.errors import BuildError
from g2p_build.reference import golden

[EMBEDDED] = compose.variants([])
[RANDOM] = compose.variants(["checkpoint=random"])
WORDS = {"eng-us": ["a", "knight", "through"], "fin": ["talo"]}


@pytest.mark.parametrize("size", [1, 2, 8])
def test_batches_are_whole_of_one_language_and_hold_every_word(size: int) -> None:
    batches = workload.batches(EMBEDDED, WORDS, size)
    assert {len(batch) for batch in batches} == {size}
    assert all(len({word.language for word in batch}) == 1 for batch in batches)
    assert {(word.language, word.text) for batch in batches for word in batch} == {
        (language, word) for language, listed in WORDS.items() for word in listed
    }


def test_words_of_like_length_share_a_batch() -> None:
    lengths = [len(word.ids) for batch in workload.batches(EMBEDDED, WORDS, 2)[:2] for word in batch]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(("variant", "prompt"), [(EMBEDDED, "<fin>: talo"), (RANDOM, "<fin>:talo")])
def test_words_are_prompted_as_the_checkpoint_says(variant: Variant, prompt: str) -> None:
    [[word]] = workload.batches(variant, {"fin": ["talo"]}, 1)
    assert word.ids == tuple(byte + 3 for byte in prompt.encode())


def test_words_that_the_variant_cannot_take_are_left_out() -> None:
    [batch] = workload.batches(EMBEDDED, {"fin": ["talo", "x" * 64]}, 2)
    assert [word.text for word in batch] == ["talo", "talo"]


def test_a_list_is_of_all_languages_without_words_that_are_too_long() -> None:
    found = workload.listed(EMBEDDED, WORDS | {"swa": ["x" * 64, "dunia"]})
    assert [(word.language, word.text) for word in found] == [
        *(("eng-us", word) for word in WORDS["eng-us"]),
        ("fin", "talo"),
        ("swa", "dunia"),
    ]
    assert found[-1].ids == tuple(byte + 3 for byte in b"<swa>: dunia")


@pytest.mark.parametrize(("size", "count"), [(1, 8), (8, 16), (64, 128)])
def test_made_up_words_fill_two_batches_and_have_one_length(size: int, count: int) -> None:
    words = [word for batch in workload.batches(RANDOM, workload.made_up(RANDOM, size), size) for word in batch]
    assert len(set(words)) == count
    assert {len(word.ids) for word in words} == {workload.PROMPT_BYTES}
    assert workload.made_up(RANDOM, size) == workload.made_up(RANDOM, size)


def test_timed_words_are_spread_over_their_list() -> None:
    listed = {"fin": [str(number) for number in range(100)], "swa": ["a"]}
    assert workload.evenly(listed, 4) == {"fin": ["0", "25", "50", "75"], "swa": ["a"]}


def test_static_lengths_are_the_ones_that_some_batch_needs() -> None:
    batches = workload.batches(EMBEDDED, {"fin": ["talo", "x" * 12, "x" * 20]}, 1)  # prompts of 11, 19 and 27 bytes
    assert workload.buckets(batches) == (16, 24, 32)


def test_real_words_come_from_dictionaries_or_the_golden_set(tmp_path: Path) -> None:
    (tmp_path / "fin.tsv").write_text("talo\tˈtɑlo\nyö\tˈyø\n", encoding="utf-8")
    assert workload.real(str(tmp_path)) == {"fin": ["talo", "yö"]}
    assert workload.real("") == golden.words()
    with pytest.raises(BuildError, match="nowhere"):
        workload.real("nowhere")
