"""What programs take at the least, counted in their graphs, beside what was counted in upstream's code."""

import pytest

from bench.speak.work import Operation, counted, least_seconds
from g2p_build.models.kokoro.architecture import KOKORO_82M

TOKENS, FRAMES = 74, 177

ATTENTION = 4 * TOKENS**2 * 768 * 12 / 1e9

# GFLOP: torch's own counter in upstream's modules, which leaves out the attention on CPUs; and LSTMs by their sizes.
UPSTREAM = {"bert": 9.85 + ATTENTION, "duration": 1.1, "text_encoder": 0.8, "f0n": 3.3, "source": 0, "decoder": 229.8}


def test_products_are_those_of_upstreams_code() -> None:
    found = counted(KOKORO_82M, "float32", TOKENS, FRAMES)
    gflop = {role: sum(each.flops + each.spared for each in found[role]) / 1e9 for role in found}
    assert list(gflop) == list(UPSTREAM)
    for role, wanted in UPSTREAM.items():
        assert gflop[role] == pytest.approx(wanted, rel=0.06 if wanted < 5 else 0.002), role


def test_fast_convolutions_spare_two_thirds_of_the_decoders_products_and_none_of_the_others() -> None:
    found = counted(KOKORO_82M, "float32", TOKENS, FRAMES)
    assert [role for role in found if any(each.spared for each in found[role])] == ["decoder"]
    assert 0.64 < sum(each.spared for each in found["decoder"]) / 229.8e9 < 0.68


def test_half_of_a_filter_is_half_of_its_bytes_and_as_many_products() -> None:
    whole, half = (counted(KOKORO_82M, dtype, 20, 50)["text_encoder"] for dtype in ("float32", "float16"))
    assert sum(each.flops for each in whole) == sum(each.flops for each in half)
    assert 1.5 < sum(each.bytes for each in whole) / sum(each.bytes for each in half) < 2


def test_an_operation_takes_as_long_as_its_products_or_its_memory() -> None:
    products, moves = Operation(10**9, 8), Operation(8, 10**9)
    assert least_seconds([products], 100, lambda size: 10) == pytest.approx(0.01)
    assert least_seconds([moves], 100, lambda size: 10) == pytest.approx(0.1)
    assert least_seconds([products, moves], 100, lambda size: 10) == pytest.approx(0.11)


def test_a_matrix_that_every_step_reads_is_read_as_often_and_as_fast_as_its_size_allows() -> None:
    steps = Operation(0, 0, again=10**6, times=100)
    assert least_seconds([steps], 100, lambda size: 50 if size == 10**6 else 5) == pytest.approx(0.002)
