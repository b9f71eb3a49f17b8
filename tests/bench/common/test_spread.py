"""Medians, quartiles, and ratios round by round."""

import pytest

from bench.common.spread import Spread, digits, ratios, spread


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


def test_numbers_have_three_digits_that_count() -> None:
    numbers = [0.00002, 0.00243, 0.5, 0.9996, 9.996, 12.34, 99.96, 1499.4]
    written = ["0.00002", "0.00243", "0.500", "1.00", "10.0", "12.3", "100", "1499"]
    assert [digits(number) for number in numbers] == written


def test_a_spread_is_written_with_its_quartiles_in_brackets() -> None:
    assert str(Spread(0.5, 0.25, 123.4)) == "0.500 (0.250-123)"
    assert Spread(1 / 3, 0.0, 2e6 / 3).as_json() == {"median": 0.333333, "low": 0.0, "high": 666667.0}
