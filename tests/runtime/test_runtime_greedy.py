import pytest
from hypothesis import given
from hypothesis import strategies as st

from g2p_build.runtime.vm.greedy import plan

sizes = st.lists(st.integers(1, 64), min_size=1, max_size=4, unique=True)


@given(st.integers(0, 500), sizes)
def test_every_word_has_a_row_and_no_batch_is_empty(words: int, sizes: list[int]) -> None:
    batches = plan(words, sizes)
    assert set(batches) <= set(sizes)
    assert sum(batches) >= words
    assert not batches or sum(batches[:-1]) < words
    assert batches == sorted(batches, reverse=True)


@given(sizes)
def test_as_many_words_as_a_batch_holds_are_one_batch(sizes: list[int]) -> None:
    for size in sizes:
        assert plan(size, sizes) == [size]


@pytest.mark.parametrize(
    ("words", "sizes", "batches"),
    [
        (0, [1, 8], []),
        (1, [8], [8]),
        (2, [1, 8], [1, 1]),
        (5, [1, 8], [8]),
        (9, [1, 8, 32], [8, 1]),
        (1500, [1, 8, 32], [32] * 46 + [32]),
        (65, [1, 8, 32], [32, 32, 1]),
    ],
)
def test_the_cheapest_batches_that_fit(words: int, sizes: list[int], batches: list[int]) -> None:
    assert plan(words, sizes) == batches
