"""Kernels compute what `g2p_build.models.kokoro.ops` says, for every extent and every entry of the table of CPUs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels import assert_close, empty, random, run
from torch import Tensor

from g2p_build.compiler.kernels import column_norm, functions, rows, sines, spectrum
from g2p_build.compiler.kernels.code import Code, load, ramp, tensor
from g2p_build.compiler.kernels.convolution import Convolution, convolution
from g2p_build.compiler.kernels.cpu import Cpu, cpu_named
from g2p_build.compiler.kernels.encoder_attention import queries
from g2p_build.compiler.kernels.fast_convolution import FastConvolution, fast_convolution, fast_filter, fits
from g2p_build.compiler.kernels.lstm import lstm
from g2p_build.compiler.kernels.tiles import TILES
from g2p_build.compiler.kernels.toom_cook import SCHEMES, Matrix, Scheme
from g2p_build.compiler.kernels.whole_attention import whole_attention
from g2p_build.models.kokoro import ops
from g2p_build.models.layout import PANEL, pack_columns, quantise_columns

cpus = st.sampled_from([cpu_named(name) for name in TILES])
ALL = torch.tensor([0, 2**31 - 1], dtype=torch.int32)
some = settings(max_examples=12, deadline=None)


kernel_of, norm_kernel = cache(convolution), cache(lambda cpu: column_norm.channel_norm(1e-5, cpu))
fast_kernel, filter_kernel = cache(fast_convolution), cache(fast_filter)


@dataclass(frozen=True)
class Given:
    """Random tensors for a convolution, and what the operation makes of them."""

    rows: Tensor
    weight: Tensor
    bias: Tensor
    norm: Tensor
    alpha: Tensor
    residual: Tensor
    expected: Tensor
    scale: Tensor | None  # of an int8 weight

    @property
    def weights(self) -> list[Tensor]:
        return [self.bias] if self.scale is None else [self.bias, self.scale]


def convolved(spec: Convolution, columns: int, count: int, after: int, dtype: str = "float32") -> Given:
    rows = random(count, spec.inner)
    weight, scale = pack_columns(random(spec.taps * spec.inner, columns, seed=1)), None
    if dtype == "int8":
        weight, scales = quantise_columns(weight)
        scale = scales[:columns]
    weight = weight.to(getattr(torch, dtype))
    bias, norm, steep = random(columns, seed=2), random(2, spec.inner, seed=3), random(spec.inner, seed=4).abs() + 0.3
    alpha = torch.stack([steep, 1 / steep])
    made = (count + spec.before + after - spec.reach - 1) // spec.stride + 1
    residual = random(-(-made // spec.repeat), columns, seed=5)
    expected = ops.convolve(
        rows, weight.float(), bias, columns, spec.taps, spec.dilation, spec.stride, spec.before, after,
        spec.read, spec.slope, spec.activation, 1, spec.factor,
        norm if spec.normed else None,
        alpha,
        residual.repeat_interleave(spec.repeat, 0)[:made] if spec.added else None,
        scale,
    )  # fmt: skip
    return Given(rows, weight, bias, norm, alpha, residual, expected, scale)


def found_by_kernel(spec: Convolution, cpu: Cpu, given: Given, dtype: str = "float32") -> Tensor:
    result = given.residual.clone() if spec.added == "in place" else empty(*given.expected.shape)
    told, scratch = torch.tensor(spec.numbers(cpu), dtype=torch.int32), empty(spec.scratch_rows(cpu), spec.inner)
    matrices = (given.norm, given.alpha, given.residual)
    run(kernel_of(dtype, cpu), given.rows, given.weight, *given.weights, *matrices, ALL, told, result, scratch)
    return result


def assert_convolves(spec: Convolution, cpu: Cpu, columns: int, count: int, after: int, dtype: str = "float32") -> None:
    given = convolved(spec, columns, count, after, dtype)
    assert_close(found_by_kernel(spec, cpu, given, dtype), given.expected)


@settings(max_examples=40, deadline=None)
@given(
    cpu=cpus,
    count=st.integers(13, 150),
    inner=st.integers(1, 40),
    columns=st.integers(1, 170),
    taps=st.integers(1, 5),
    dilation=st.integers(1, 3),
    stride=st.integers(1, 3),
    before=st.integers(0, 4),
    after=st.integers(0, 4),
    kind=st.sampled_from([("", False), ("leaky", True), ("snake", True)]),
)
def test_convolutions(
    cpu: Cpu,
    count: int,
    inner: int,
    columns: int,
    taps: int,
    dilation: int,
    stride: int,
    before: int,
    after: int,
    kind: tuple[str, bool],
) -> None:
    read, normed = kind
    spec = Convolution(inner, taps, dilation, stride, before, read, normed, slope=0.1)
    assert_convolves(spec, cpu, columns, count, after)


@pytest.mark.parametrize("name", TILES)
@pytest.mark.parametrize(
    ("spec", "dtype"),
    [
        (Convolution(24, activation="gelu"), "float32"),
        (Convolution(24, stride=2), "float16"),
        (Convolution(24, 3, before=1, added="apart", factor=0.7), "float32"),
        (Convolution(24, 3, before=1, added="in place"), "float32"),
        (Convolution(24, added="in place"), "float16"),
        (Convolution(24, 3, before=1, added="apart"), "int8"),
        (Convolution(24, 3, 1, 1, 1, "leaky", True, 0.2, "", "apart", 2), "float32"),
    ],
)
def test_what_stands_behind_a_convolution(name: str, spec: Convolution, dtype: str) -> None:
    cpu = cpu_named(name)
    assert_convolves(spec, cpu, 40, (2 * spec.chunk(cpu) + 77) * spec.stride, spec.before, dtype)


@settings(max_examples=40, deadline=None)
@given(cpu=cpus, count=st.integers(1, 1500), columns=st.integers(1, 140))
def test_parts_are_as_many_as_the_library_counts_and_equal(cpu: Cpu, count: int, columns: int) -> None:
    """So that two threads have the same to do, as C's `g2p_parts` says it."""
    spec = Convolution(8, 3, before=1)
    given = convolved(spec, columns, count, 1)
    told, scratch = torch.tensor(spec.numbers(cpu), dtype=torch.int32), empty(spec.scratch_rows(cpu), spec.inner)
    matrices, result = (given.norm, given.alpha, given.residual), torch.full_like(given.expected, torch.nan)
    needed, sizes = -(-count // spec.chunk(cpu)), []
    for part in range(needed + needed % 2):
        before = int(result.isnan().sum())
        here = torch.tensor([part, part + 1], dtype=torch.int32)
        run(kernel_of("float32", cpu), given.rows, given.weight, *given.weights, *matrices, here, told, result, scratch)
        sizes.append(before - int(result.isnan().sum()))
    assert_close(result, given.expected)
    step = 2 * PANEL * count if needed == 1 else 2 * cpu.tiles[0][0] * columns
    assert max(sizes) - min(sizes) <= step and max(sizes) <= spec.chunk(cpu) * columns


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=[f"{taps} taps" for taps in SCHEMES])
def test_schemes_are_convolutions_in_exact_arithmetic(scheme: Scheme) -> None:
    """With numbers that float64 adds and multiplies exactly."""
    generator = np.random.default_rng(0)
    taps, made = scheme.taps, scheme.made
    rows, factors = (generator.integers(-9, 9, size).astype(float) for size in (made + taps - 1, taps))

    def both(outer: Matrix, inner: Matrix) -> np.ndarray:
        return np.kron(np.array(outer), np.array(inner))

    # The rows of neighbouring blocks overlap: each block has those of its results and of the taps behind them.
    step, size = scheme.inner.taps, scheme.inner.products
    blocks = [rows[step * block : step * block + size] for block in range(scheme.outer.products)]
    sums = both(scheme.outer.rows, scheme.inner.rows) @ np.concatenate(blocks)
    found = both(scheme.outer.results, scheme.inner.results) @ (
        both(scheme.outer.filter, scheme.inner.filter) @ factors * sums
    )
    np.testing.assert_allclose(found, np.correlate(rows, factors, "valid"), rtol=0, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    cpu=cpus,
    count=st.integers(1, 1500),
    inner=st.sampled_from([32, 64]),
    columns=st.sampled_from([32, 96, 128]),
    taps=st.sampled_from(sorted(SCHEMES)),
    dilation=st.sampled_from([1, 2, 3, 5]),
    added=st.sampled_from(["", "apart", "in place"]),
    dtype=st.sampled_from(["float32", "float16", "int8"]),
    cut=st.integers(0, 4),
)
def test_fast_convolutions(
    cpu: Cpu, count: int, inner: int, columns: int, taps: int, dilation: int, added: str, dtype: str, cut: int
) -> None:
    assert_convolves_fast(FastConvolution(inner, columns, taps, dilation, added), cpu, count, dtype, cut)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("added", ["", "apart", "in place"])
def test_large_filters_are_done_in_shares(dtype: str, added: str) -> None:
    spec = FastConvolution(256, 256, 11, 3, added)
    assert spec.shares == 2
    assert_convolves_fast(
        spec, cpu_named("avx512" if torch.backends.cpu.get_cpu_capability() == "AVX512" else "avx2"), 300, dtype, 1
    )


def assert_convolves_fast(spec: FastConvolution, cpu: Cpu, count: int, dtype: str, cut: int) -> None:
    around = spec.dilation * (spec.taps - 1) // 2
    direct = Convolution(spec.inner, spec.taps, spec.dilation, 1, around, "snake", True, added=spec.added)
    assert fits(direct, spec.columns, around)
    given = convolved(direct, spec.columns, count, around, dtype)
    result = given.residual.clone() if spec.added == "in place" else empty(count, spec.columns)
    filters = [given.weight] if given.scale is None else [given.weight, given.scale]
    matrices = (given.norm, given.alpha, given.residual)
    for share in range(spec.shares):
        sums = empty(spec.columns // PANEL // spec.shares, spec.scheme.products * spec.inner, PANEL)
        told = torch.tensor(spec.filter_numbers(share), dtype=torch.int32)
        run(filter_kernel(spec.taps, dtype, cpu), *filters, ALL, told, sums)
        told, scratch = torch.tensor(spec.numbers(cpu, share), dtype=torch.int32), empty(spec.scratch(cpu))
        for part in ([0, cut], [cut, 2**31 - 1]):
            shared = torch.tensor(part, dtype=torch.int32)
            run(fast_kernel(cpu), given.rows, sums, given.bias, *matrices, shared, told, result, scratch)
    torch.testing.assert_close(result, given.expected, rtol=1e-4, atol=2e-5 * float(given.expected.abs().max()))


def test_long_sums_lose_no_more_digits_than_short_ones() -> None:
    spec = Convolution(2048)
    given = convolved(spec, 32, 16, 0)
    found = found_by_kernel(spec, cpu_named("avx2"), given)
    truth = given.rows.double() @ random(2048, 32, seed=1).double() + given.bias
    assert float((found - truth).square().mean() / truth.square().mean()) < 3e-7**2


def test_a_transposed_convolution_is_one_that_gives_several_rows() -> None:
    rate, taps, count = 5, 10, 9
    weight, given_rows = random(6, 4, taps), random(count, 6)
    by_row = weight.view(6, 4, taps // rate, rate).flip(2).permute(2, 0, 3, 1).reshape(12, rate * 4)
    grown = ops.convolve(
        given_rows, pack_columns(by_row), torch.zeros(rate * 4), rate * 4, 2, 1, 1, 1, 1, "", 0.0, "", 1, 1.0
    )
    expected = torch.nn.functional.conv_transpose1d(given_rows.T[None], weight, stride=rate)[0].T
    assert_close(grown.view(-1, 4)[: len(expected)], expected)


@some
@given(cpu=cpus, count=st.integers(4, 200), width=st.integers(1, 70), far=st.sampled_from([0.0, 10.0, 300.0]))
def test_norms_of_columns(cpu: Cpu, count: int, width: int, far: float) -> None:
    given_rows, affine, result = random(count, width) + far, random(2, width, seed=1), empty(2, width)
    together = torch.tensor([column_norm.columns_at_once(cpu)], dtype=torch.int32)
    run(norm_kernel(cpu), given_rows, affine, ALL, together, result)
    expected = ops.channel_norm(given_rows.double(), affine.double(), 1e-5)
    # An error of these is one of all rows, and phases are sums of those: only the last place may be another.
    torch.testing.assert_close(result[0], expected[0].float(), rtol=1.2e-7, atol=0)
    torch.testing.assert_close(result[1], (affine[1].double() - given_rows.double().mean(0) * result[0]).float())


@some
@given(cpu=cpus, width=st.integers(1, 150), added=st.booleans(), slope=st.sampled_from([1.0, 0.2]))
def test_norms_of_rows(cpu: Cpu, width: int, added: bool, slope: float) -> None:
    given_rows, affine, result = random(7, width), random(2, width, seed=1), empty(7, width)
    residual = random(7, width, seed=2) if added else None
    tensors = [each for each in (given_rows, affine, residual, result) if each is not None]
    run(column_norm.affine_norm(width, 1e-5, slope, added, cpu), *tensors)
    assert_close(result, ops.affine_norm(given_rows, affine, 1e-5, slope, residual))


@some
@given(cpu=cpus, width=st.integers(1, 70))
def test_sums_of_sigmoids(cpu: Cpu, width: int) -> None:
    given_rows, result = random(5, width), empty(5)
    run(column_norm.sigmoid_sum(width, cpu), given_rows, result)
    assert_close(result, ops.sigmoid_sum(given_rows))


@some
@given(cpu=cpus, count=st.integers(1, 30), blocks=st.integers(1, 5))
def test_lstm(cpu: Cpu, count: int, blocks: int) -> None:
    units = 16 * blocks
    gates, recurrent = random(count, 8 * units), random(2, blocks, units, 64, seed=1) / units**0.5
    result = empty(count, 2 * units)
    run(lstm(units, cpu), gates, recurrent, ALL, result, empty(2, units))
    assert_close(result, ops.lstm(gates, recurrent))


def test_an_lstm_is_torchs() -> None:
    """The order of gates and units that `weights` makes, too."""
    from g2p_build.models.kokoro.weights import _lstm

    torch.manual_seed(0)
    module = torch.nn.LSTM(5, 32, bidirectional=True, batch_first=True)
    given_rows = random(9, 5)
    state = {f"x.{name}": parameter.detach() for name, parameter in module.named_parameters()}
    packed = _lstm(state, "x")
    gates = ops.convolve(given_rows, packed["x.filter"], packed["x.bias"], 256, 1, 1, 1, 0, 0, "", 0.0, "", 1, 1.0)
    assert_close(ops.lstm(gates, packed["x.recurrent"]), module(given_rows[None])[0][0].detach())


@some
@given(cpu=cpus, count=st.integers(1, 60), heads=st.integers(1, 3), width=st.sampled_from([8, 16, 40]))
def test_attention_over_all_rows(cpu: Cpu, count: int, heads: int, width: int) -> None:
    packed, result = random(count, 3 * heads * width), empty(count, heads * width)
    scratch = [empty(heads * width, count + 15), empty(heads * queries(width, cpu), count + 15)]
    scratch[0][:] = 0.0
    run(whole_attention(heads, width, cpu), packed, ALL, result, *scratch)
    assert_close(result, ops.attend(packed, heads))


@some
@given(cpu=cpus, width=st.integers(1, 50), count=st.integers(2, 20))
def test_moved_rows(cpu: Cpu, width: int, count: int) -> None:
    given_rows, others = random(count, width), random(count, width, seed=1)
    places = torch.tensor([0, count - 1, -3, count + 5, 1], dtype=torch.int32)
    result = empty(5, width)
    run(rows.gather(width, cpu), given_rows, places, result)
    assert torch.equal(result, ops.gather(given_rows, places))

    result = empty(5, width)
    run(rows.embed_places(count, width, 5, cpu), places, given_rows, random(5, width, seed=4), result)
    assert torch.equal(result, ops.embed_places(places, given_rows, random(5, width, seed=4)))

    one = random(1, 3, seed=2)
    result = empty(count, 2 * width + 3)
    run(rows.join([width, 3, width], [False, True, False], cpu), given_rows, one, others, result)
    assert torch.equal(result, ops.join(given_rows, one, others))

    result = empty(count, width)
    run(rows.add(width, 0.5, False, cpu), given_rows, others, result)
    assert_close(result, ops.add(given_rows, others, 0.5))
    result = given_rows.clone()
    run(rows.add(width, 0.5, True, cpu), result, others)
    assert_close(result, ops.add(given_rows, others, 0.5))

    norm, weight, bias = random(2, width, seed=5), random(3, width, seed=6), random(width, seed=7)
    result = empty(2 * count, width)
    run(rows.pool(width, 0.2, cpu), given_rows, norm, weight, bias, result)
    assert_close(result, ops.pool(given_rows, norm, weight, bias, 0.2))


@pytest.mark.parametrize("reflected", [0, 1])
def test_a_crop_with_a_sum(reflected: int) -> None:
    given_rows, added, result = random(20, 9), random(11 + reflected, 9, seed=1), empty(11 + reflected, 9)
    run(rows.crop_add(9, 4, reflected, False, cpu_named("avx2")), given_rows, added, result)
    expected = ops.crop_add(given_rows, added, 4, reflected)
    assert torch.equal(result, expected)
    run(rows.crop_add(9, 4, reflected, True, cpu_named("avx2")), given_rows, added)
    assert torch.equal(added, expected)


def test_a_pool_is_torchs_transposed_convolution() -> None:
    module = torch.nn.ConvTranspose1d(6, 6, 3, stride=2, groups=6, padding=1, output_padding=1)
    given_rows = random(9, 6).abs()
    norm = torch.stack([torch.ones(6), torch.zeros(6)])
    assert module.bias is not None
    found = ops.pool(given_rows, norm, module.weight.detach()[:, 0].T, module.bias.detach(), 0.2)
    assert_close(found, module(given_rows.T[None])[0].T.detach())


@some
@given(cpu=cpus, frames=st.integers(1, 12), harmonics=st.integers(1, 4))
def test_the_source(cpu: Cpu, frames: int, harmonics: int) -> None:
    f0 = random(frames, 1) * 60 + 100
    f0[::3] = -4.0  # of no voice
    noise, weight, result = random(harmonics, frames * 100), random(harmonics + 1, seed=1), empty(frames * 100)
    run(sines.sine_source(harmonics, 100, 24000, cpu), f0, noise, weight, result)
    torch.testing.assert_close(result, ops.sine_source(f0, noise, weight, 24000), rtol=0, atol=3e-6)


@pytest.mark.parametrize("hops", [4, 7, 200])
def test_spectra_and_back(hops: int) -> None:
    samples, found = random(hops * 5), empty(hops + 1, 22)
    run(spectrum.stft(20, 5), samples, found)
    expected = ops.stft(samples, 20, 5)
    torch.testing.assert_close(found[:, :11], expected[:, :11], rtol=1e-5, atol=1e-5)
    # Angles of what is nearly nothing are anything, and one of pi may be -pi.
    turned = torch.polar(found[:, :11], found[:, 11:]) - torch.polar(expected[:, :11], expected[:, 11:])
    assert turned.abs().max() < 2e-5
    assert set((found[:, 11] % math.pi).abs().lt(1e-6).tolist()) == {True}
    logarithms = torch.cat([random(hops + 1, 11) * 0.3, random(hops + 1, 11, seed=1)], 1)
    sound = empty(hops * 5)
    run(spectrum.istft(20, 5), logarithms, sound)
    torch.testing.assert_close(sound, ops.istft(logarithms, 20, 5), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("function", "truth", "most", "within"),
    [
        (functions.sine, torch.sin, 1000.0, 2e-7),
        (functions.sin_squared, lambda x: torch.sin(x) ** 2, 1000.0, 4e-7),
        (functions.tanh, torch.tanh, 20.0, 2e-7),
        (functions.sigmoid, torch.sigmoid, 80.0, 2e-7),
    ],
)
def test_functions(function: object, truth: object, most: float, within: float) -> None:
    code, numbers, results = Code(), tensor("numbers", (16,)), tensor("results", (16,))
    code.store(results, function(code, load(numbers, ramp(0, 16)), 16), ramp(0, 16))  # type: ignore[operator]
    kernel = code.kernel("main", [numbers, results])
    worst = 0.0
    for seed in range(40):
        given_numbers, found = random(16, seed=seed).clamp(-3, 3) * (most / 3), empty(16)
        run(kernel, given_numbers, found)
        worst = max(worst, float((found.double() - truth(given_numbers.double())).abs().max()))  # type: ignore[operator]
    assert worst < within


def test_angles() -> None:
    code = Code()
    across, up, results = (tensor(name, (16,)) for name in ("across", "up", "results"))
    found = functions.angle(code, load(across, ramp(0, 16)), load(up, ramp(0, 16)), 16)
    code.store(results, found, ramp(0, 16))
    kernel = code.kernel("main", [across, up, results])
    x, y = random(16), random(16, seed=1)
    x[:4], y[:4] = torch.tensor([0.0, -1.0, 0.0, 1e-30]), torch.tensor([0.0, 0.0, -2.0, 1e-30])
    result = empty(16)
    run(kernel, x, y, result)
    torch.testing.assert_close(result, torch.atan2(y, x), rtol=0, atol=4e-7)
