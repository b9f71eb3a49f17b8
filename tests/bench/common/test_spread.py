"""Medians, quartiles, and ratios round by round."""

import pytest

from bench.common.spread import Spread, ratios, spread


def test_a_spread_is_the_median_between_the_quartiles() -> None:
    assert spread([5.0, 1.0, 4.0, 2.0, 3.0]) == Spread(3.0, 2.0, 4.0)


def test_one_value_is_its_own_spread() -> None:
    assert spread([2.5]) == Spread(2.5, 2.5, 2.5)


def test_what_slows_a_whole_round_changes_no_ratio() -> None:
    ours, theirs = [1.0, 10.0, 1.0], [2.0, 20.0, 2.0]
    assert ratios(theirs, ours) == Spread(2.0, 2.0, 2.0)
    assert spread(theirs).high > 2.0


def test_fewer_rounds_are_compared_with_the_first_ones() -> None:
    assert ratios([6.0], [2.0, 100.0]).median == pytest.approx(3.0)
