"""Sizes and ages as people write them."""

import pytest

from g2p_build.errors import BuildError
from g2p_build.store.quantities import age, size


@pytest.mark.parametrize(
    ("text", "value"), [("90m", 5400), ("12h", 43200), ("7d", 604800), ("0d", 0), ("1.5w", 907200)]
)
def test_ages(text: str, value: float) -> None:
    assert age(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("2GB", 2 * 10**9), ("1.5MiB", 1_572_864), ("10kB", 10_000), ("10KB", 10_000), ("0B", 0)]
)
def test_sizes(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 d", "7D", "7days", "1e3d", "٧d", "infd"])
def test_a_text_that_is_not_an_age_is_refused(text: str) -> None:
    with pytest.raises(BuildError, match=r"^'.*' is not an age: .*7d$"):
        age(text)


@pytest.mark.parametrize("text", ["", "2", "GB", "-2GB", "2 GB", "2gb", "2Gb", "kiB", "1_0B", "٢GB"])
def test_a_text_that_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(BuildError, match=r"^'.*' is not a size: "):
        size(text)
