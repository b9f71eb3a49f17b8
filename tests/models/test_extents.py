"""Sizes that are known when a program runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g2p_build.models.extents import Extent, Size, marked, marks, names, unmarked

CHOSEN = marks(["tokens", "frames"])
extents = st.builds(Extent, st.sampled_from(["tokens", "frames"]), st.integers(1, 1000), st.integers(-500, 500))


@given(st.one_of(st.integers(0, 500_000), extents))
def test_a_size_is_read_back_from_its_number(size: Size) -> None:
    assert unmarked(marked(size, CHOSEN), CHOSEN) == size


def test_sizes_are_computed_as_always() -> None:
    frames = marked(Extent("frames", 120, 1), CHOSEN)
    assert unmarked((frames + 2 * 3 - 12) // 6 + 1, CHOSEN) == Extent("frames", 20)  # a convolution's, of stride 6


@pytest.mark.parametrize(
    "size", [CHOSEN["tokens"] * CHOSEN["frames"], CHOSEN["tokens"] + CHOSEN["frames"], CHOSEN["tokens"] // 2]
)
def test_a_size_that_varies_otherwise_is_refused(size: int) -> None:
    with pytest.raises(AssertionError, match=r"a size varies with more than|a size is no whole multiple"):
        unmarked(size, CHOSEN)


def test_more_extents_than_marks_are_refused() -> None:
    with pytest.raises(AssertionError, match="at most 2 extents that vary"):
        marks(["a", "b", "c"])


def test_names_are_in_the_order_of_their_first_use() -> None:
    assert names([(2, Extent("frames")), (Extent("tokens", 2), 3), (Extent("frames", 2),)]) == ("frames", "tokens")


@pytest.mark.parametrize(
    ("extent", "text"),
    [(Extent("frames"), "frames"), (Extent("frames", 120, 1), "120*frames+1"), (Extent("frames", 2, -3), "2*frames-3")],
)
def test_an_extent_as_text(extent: Extent, text: str) -> None:
    assert str(extent) == text
