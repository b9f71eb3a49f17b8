"""Kernels compute what `g2p_build.models.ops` says, for every extent and every entry of the table of CPUs."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import pytest
import torch
import tvm_ffi
from amx_machine import EMULATED, FLAGS, amx_here, needs_vnni
from compiled_library import host
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from tvm import tirx
from tvm.target import Target

from g2p_build.compiler.kernels.argmax import argmax
from g2p_build.compiler.kernels.cached_attention import cross_attention, self_attention, write_cross
from g2p_build.compiler.kernels.code import LEAST_ROWS, Code, ramp, segments, stored, tensor
from g2p_build.compiler.kernels.cpu import Cpu, cpu_named, cpu_of
from g2p_build.compiler.kernels.embedding import embed, spread_bias
from g2p_build.compiler.kernels.encoder_attention import encoder_attention, queries
from g2p_build.compiler.kernels.functions import widened
from g2p_build.compiler.kernels.matmul import Matmul, matmul
from g2p_build.compiler.kernels.norm import norm
from g2p_build.compiler.kernels.tiles import TILES
from g2p_build.compiler.pipeline import packed_kernels, target_of
from g2p_build.compiler.targets import extended, relaxed
from g2p_build.models import ops
from g2p_build.models.layout import NARROW, NO_NORM, POSITIONS, WIDE, pack_columns, pack_gated, padded, quantise_panels
from g2p_build.runtime.cpu import CPU_FEATURES, missing_features

cpus = st.sampled_from([cpu_named(name) for name in TILES])
some = settings(max_examples=15, deadline=None)


@cache
def compiled(kernel: tirx.PrimFunc) -> Any:
    return packed_kernels({"main": kernel}, target_of(host()))["main"]


def run(kernel: tirx.PrimFunc, *tensors: Tensor) -> None:
    """Runs a kernel on tensors, including those that it writes. Floats that it does not write stay NaN."""
    compiled(kernel)(*[tvm_ffi.from_dlpack(tensor) for tensor in tensors])


@cache
def compiled_matmul(dtype: str, of_rows: int, cpu: Cpu, target: Target | None) -> Any:
    return packed_kernels({"main": matmul(dtype, of_rows, cpu)}, target or target_of(host()))["main"]


def multiplied(
    spec: Matmul, cpu: Cpu, rows: Tensor, weight: Tensor, added: Tensor, target: Target | None = None
) -> Tensor:
    """What the kernel gives for a matmul."""
    residual, told = added if spec.residual else rows, torch.tensor(spec.numbers(cpu), dtype=torch.int32)
    result = empty(len(rows), spec.columns)
    compiled_matmul(*spec.made_for(cpu), cpu, target)(
        *[tvm_ffi.from_dlpack(tensor) for tensor in (rows, weight, residual, told, result)]
    )
    return result


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def blocked(batch: int, heads: int, width: int, length: int) -> tuple[int, ...]:
    return batch, heads, padded(length) // POSITIONS, width, POSITIONS


def empty(*shape: int) -> Tensor:
    return torch.full(shape, torch.nan)


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * (1 + float(expected.abs().max())))


@pytest.mark.parametrize(
    ("extent", "lanes", "expected"),
    [
        (64, 16, [(0, 16), (16, 16), (32, 16), (48, 16)]),
        (7, 16, [(0, 4), (4, 2), (6, 1)]),
        (37, 16, [(0, 16), (16, 16), (32, 4), (36, 1)]),
    ],
)
def test_segments(extent: int, lanes: int, expected: list[tuple[int, int]]) -> None:
    assert segments(extent, lanes) == expected


@pytest.mark.parametrize(
    ("triple", "cpu", "expected"),
    [
        ("x86_64-linux-gnu", "x86-64-v4", "avx512"),
        ("x86_64-linux-gnu", "x86-64-v3", "avx2"),
        ("x86_64-linux-gnu", "x86-64", "other"),
        ("arm64-apple-ios", "apple-a14", "neon"),
        ("aarch64-linux-android", "generic", "neon"),
        ("wasm32-unknown-wasi", "generic", "other"),
    ],
)
def test_the_vector_unit_follows_the_target(triple: str, cpu: str, expected: str) -> None:
    target = {"kind": "llvm", "triple": triple, "cpu": cpu, "features": ["simd128"] * triple.startswith("wasm")}
    assert cpu_of(target_of(target)).name == expected


def test_webassemblys_two_modules_multiply_bytes_each_in_its_way() -> None:
    described = {"kind": "llvm", "triple": "wasm32-unknown-wasi", "cpu": "generic", "features": ["simd128"]}
    plain = target_of(described)
    assert [cpu_of(target).dot for target in (plain, relaxed(plain))] == ["wasm", "relaxed"]
    assert cpu_of(plain).tiles == cpu_of(relaxed(plain)).tiles  # so one program calls either's kernels


def test_tiles_that_leave_rows_out_are_refused() -> None:
    with pytest.raises(AssertionError, match="tiles of x do not fit"):
        Cpu("x", 16, 24, 64, ((8, 2), (4, 2), (1, 2)))


@some
@given(
    cpu=cpus,
    inner=st.integers(1, 70),
    columns=st.integers(1, 150),
    half=st.booleans(),
    others=st.sampled_from([*product([NO_NORM, 1e-6], ["", "relu", "gated-gelu"], [False]), (NO_NORM, "", True)]),
)
def test_matmul(cpu: Cpu, inner: int, columns: int, half: bool, others: tuple[float, str, bool]) -> None:
    dtype = "float16" if half else "float32"
    spec = Matmul(inner, columns, dtype, *others)
    epsilon, activation, residual = others
    gate, up = random(inner, columns, seed=1), random(inner, columns, seed=2)
    weight = (pack_gated(gate, up) if spec.gated else pack_columns(up)).to(getattr(torch, dtype))
    many = random(cpu.chunk + 11, inner)
    added = random(len(many), columns, seed=3)
    whole = multiplied(spec, cpu, many, weight, added)
    expected = ops.linear(many, weight, columns, epsilon, activation, added if residual else None)
    assert_close(whole, expected)
    # A row has the same bits, whichever other rows there are.
    for start, count in ((0, 1), (1, 2), (3, 3), (2, 7), (5, 13)):
        rows, more = (tensor[start : start + count].clone() for tensor in (many, added))
        assert torch.equal(multiplied(spec, cpu, rows, weight, more), whole[start : start + count])


LEVEL_4 = {"kind": "llvm", "triple": "x86_64-linux-gnu", "cpu": "x86-64-v4"}

WAYS = {  # to add up products of bytes on this architecture: CPU, LLVM's feature, the flag of /proc/cpuinfo
    "sse2": ("x86-64", (), ()),
    "avx2": ("x86-64-v3", (), CPU_FEATURES["x86-64-v3"]),
    "avx512bw": ("x86-64-v4", (), CPU_FEATURES["x86-64-v4"]),
    "avxvnni": ("x86-64-v3", ("+avxvnni",), (*CPU_FEATURES["x86-64-v3"], "avx_vnni")),
    "avx512vnni": ("x86-64-v4", ("+avx512vnni",), (*CPU_FEATURES["x86-64-v4"], "avx512_vnni")),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Target:
    """A target with its own way to add up products of bytes."""
    cpu, features, flags = WAYS[request.param]
    if host()["triple"].split("-")[0] != "x86_64" or missing_features(flags):
        pytest.skip(f"this CPU does not run {request.param}")
    return Target({"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": cpu, "mattr": list(features)})


@pytest.mark.parametrize(
    "spec",
    [
        Matmul(192, 96, "int8", 1e-6),
        Matmul(192, 48, "int8", 1e-6, "gated-gelu"),
        Matmul(256, 64, "int8", residual=True),
        Matmul(20, 37, "int8", 1e-6, "relu"),
        Matmul(100, 33, "int8"),
    ],
    ids=str,
)
def test_int8_matmul(way: Target, spec: Matmul) -> None:
    cpu = cpu_of(way)
    gate, up = random(spec.inner, spec.columns, seed=1), random(spec.inner, spec.columns, seed=2)
    weight = quantise_panels(pack_gated(gate, up) if spec.gated else pack_columns(up))
    many, added = random(cpu.chunk + 11, spec.inner), random(cpu.chunk + 11, spec.columns, seed=3)
    many[5] = 0
    whole = multiplied(spec, cpu, many, weight, added, way)
    given = (spec.columns, spec.epsilon, spec.activation, added if spec.residual else None)
    assert_close(whole, ops.linear(many, weight, *given))
    for start, count in ((0, 1), (1, 2), (3, 3), (2, 7), (5, 13)):
        rows, more = (tensor[start : start + count].clone() for tensor in (many, added))
        assert torch.equal(multiplied(spec, cpu, rows, weight, more, way), whole[start : start + count])


@pytest.mark.parametrize("wide", [False, True])
def test_products_of_bytes_are_added_up_exactly(way: Target, wide: bool) -> None:
    """Rows and weights with scales of 1 have integers as results, and the greatest integers overflow nowhere."""
    most, generator = WIDE if wide else NARROW, torch.Generator().manual_seed(0)
    rows = torch.randint(-most, most + 1, (9, 64), generator=generator).float()
    matrix = torch.randint(-127, 128, (64, 40), generator=generator).float()
    rows[:, 0], matrix[0] = most, 127  # of each group and column the greatest is there
    rows[1], rows[2], matrix[:, 3], matrix[:, 4] = most, -most, 127, -127
    matrix[1::2, 5], rows[3, 1::2] = -127, -most
    rows[4, 1:] = torch.where(torch.arange(63) % 2 == 0, 128.0, -128.0) if wide else rows[4, 1:]
    epsilon = NO_NORM if wide else 1e-30
    spec = Matmul(64, 40, "int8", epsilon)
    found = multiplied(spec, cpu_of(way), rows, quantise_panels(pack_columns(matrix)), rows, way)
    expected = rows.double() @ matrix.double()
    if not wide:
        expected = expected / rows.double().square().mean(1, keepdim=True).sqrt()
    # A sum is an int32, and what follows are three roundings to float32.
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "spec",
    [
        Matmul(192, 48, "int8", 1e-6, "gated-gelu"),
        Matmul(100, 33, "int8"),  # of 16 bits; groups and panels are not whole
        Matmul(2048, 64, "int8", residual=True),  # so long that there is more room for them
    ],
    ids=str,
)
def test_tiles_of_amx_give_the_bits_of_vectors(tmp_path_factory: pytest.TempPathFactory, spec: Matmul) -> None:
    needs_vnni()
    emulator = amx_here(tmp_path_factory.mktemp("amx"))
    targets = dict(extended(target_of(LEVEL_4)))
    vectors, tiles = (matmul(*spec.made_for(cpu_of(target)), cpu_of(target)) for target in targets.values())
    assert list(targets) == [FLAGS[:1], FLAGS] and tiles.attrs[LEAST_ROWS] == 5 and LEAST_ROWS not in vectors.attrs
    gate, up = random(spec.inner, spec.columns, seed=1), random(spec.inner, spec.columns, seed=2)
    up[:, 3], up[::2, 4], up[1::2, 4] = 4, 4, -4  # the greatest integers
    weight = quantise_panels(pack_gated(gate, up) if spec.gated else pack_columns(up))
    for count in (1, 5, 16, 17, 75):
        rows, added = random(count, spec.inner), random(count, spec.columns, seed=3)
        rows[0], rows[count // 2] = 4, 0
        found = []
        for target in targets.values():
            found.append(multiplied(spec, cpu_of(target), rows, weight, added, target))
            assert emulator.amx_released()
        assert torch.equal(*found)
        assert bool(found[0].isfinite().all())
    assert emulator.amx_executed() or not EMULATED


@pytest.mark.parametrize("others", [{"epsilon": 1e-6}, {"activation": "relu"}, {"activation": "gated-gelu"}], ids=str)
def test_a_residual_after_a_norm_or_an_activation_is_refused(others: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Matmul\(inner=8.*\) has a residual after a norm or an activation; add it"):
        Matmul(8, 40, residual=True, **others)


def test_every_finite_half_is_widened_exactly() -> None:
    halves = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(torch.float16)
    halves = halves[halves.isfinite()]
    code, count = Code(), len(halves)
    given_, result = tensor("given", (count,), "float16"), tensor("result", (count,))
    with code.loop(count // 4, "i") as i:
        code.store(result, widened(code, stored(given_, ramp(i * 4, 4)), 4), ramp(i * 4, 4))
    found = empty(count)
    run(code.kernel("widen", [given_, result]), halves, found)
    assert torch.equal(found.view(torch.int32), halves.float().view(torch.int32))


@some
@given(cpu=cpus, rows=st.integers(1, 9), columns=st.integers(1, 90), repeat=st.booleans())
def test_argmax_is_the_first_greatest(cpu: Cpu, rows: int, columns: int, repeat: bool) -> None:
    values = random(rows, columns).round() if repeat else random(rows, columns)
    ids = torch.full((rows,), -1, dtype=torch.int32)
    run(argmax(cpu), values, ids)
    greatest = values.max(1, keepdim=True).values
    assert ids.tolist() == [int((row == top).nonzero()[0]) for row, top in zip(values, greatest, strict=True)]


@some
@given(cpu=cpus, rows=st.integers(1, 5), columns=st.integers(1, 140), half=st.booleans())
def test_norm(cpu: Cpu, rows: int, columns: int, half: bool) -> None:
    x, weight = random(rows, columns), random(columns, seed=4).to(torch.float16 if half else torch.float32)
    result = empty(rows, columns)
    run(norm(columns, "float16" if half else "float32", 1e-6, cpu), x, weight, result)
    assert_close(result, ops.norm(x, weight, 1e-6))


@some
@given(cpu=cpus, width=st.integers(1, 70), half=st.booleans())
def test_embeddings(cpu: Cpu, width: int, half: bool) -> None:
    table = random(11, width).to(torch.float16 if half else torch.float32)
    ids = torch.tensor([0, 3, 10, -5, 11, 2**30], dtype=torch.int32)
    result = empty(6, width)
    run(embed(11, width, "float16" if half else "float32", cpu), ids, table, result)
    assert torch.equal(result, ops.embed(ids, table))
    assert torch.equal(result[3:], table[[0, 10, 10]].float())


def test_spread_bias() -> None:
    buckets, table, result = torch.tensor([2, 0, 0, 1], dtype=torch.int32), random(3, 5), empty(5, 4)
    run(spread_bias(3, 5, "float32"), buckets, table, result)
    assert torch.equal(result, ops.spread_bias(buckets, table))


lengths = st.lists(st.integers(0, 40), min_size=1, max_size=3)


@some
@given(cpu=cpus, heads=st.integers(1, 3), width=st.integers(1, 40), lengths=lengths, longer=st.integers(0, 20))
def test_encoder_attention(cpu: Cpu, heads: int, width: int, lengths: list[int], longer: int) -> None:
    positions, length = max(*lengths, 1) + longer, torch.tensor(lengths, dtype=torch.int32)
    used = int(length.clamp(min=1).sum())
    packed, bias = random(used + longer, 3 * heads * width), random(heads, 2 * positions + 15)
    kernel = encoder_attention(heads, width, cpu)

    def attended(packed: Tensor, bias: Tensor, length: Tensor) -> Tensor:
        extent = padded((bias.shape[1] - 15) // 2)
        result = empty(len(packed), heads * width)
        run(kernel, packed, bias, length, result, empty(width, extent), empty(queries(width, cpu), extent))
        return result

    together = attended(packed, bias, length)
    assert_close(together[:used], ops.attend_encoder(packed, bias, length)[:used])
    # A row has the same bits alone, without a longer input beside it.
    for row, place in enumerate(ops.unpacked(length, used)):
        mine = place.stop - place.start
        nearer = bias[:, positions - mine : positions + mine + 15].clone()
        assert torch.equal(attended(packed[place].clone(), nearer, length[row : row + 1].clone()), together[place])


def test_lengths_beyond_the_input_are_cut() -> None:
    cpu = cpu_of(target_of(host()))
    packed, bias = random(7, 3 * 4), random(1, 2 * 5 + 15)
    length = torch.tensor([3, 2**31 - 1, -5, 2], dtype=torch.int32)  # the second is cut to the longest possible
    result = torch.full((7, 4), -1.0)
    run(encoder_attention(1, 4, cpu), packed, bias, length, result, empty(4, 16), empty(queries(4, cpu), 16))
    assert_close(result, ops.attend_encoder(packed, bias, torch.tensor([3, 4], dtype=torch.int32)))


@some
@given(
    cpu=cpus,
    heads=st.integers(1, 3),
    width=st.integers(1, 40),
    length=st.integers(1, 40),
    tokens=st.integers(1, 5),
    positions=st.lists(st.integers(-2, 41), min_size=1, max_size=3),
)
def test_self_attention(cpu: Cpu, heads: int, width: int, length: int, tokens: int, positions: list[int]) -> None:
    batch = len(positions)
    packed, position = random(batch * tokens, 3 * heads * width), torch.tensor(positions, dtype=torch.int32)
    buckets, table = torch.arange(length, dtype=torch.int32) % 4, random(4, heads)
    key, value = random(*blocked(batch, heads, width, length)), random(batch, heads, length, width)
    expected = ops.attend_self(packed, position, buckets, table, key, value)
    result = empty(batch * tokens, heads * width)
    kernel = self_attention(heads, width, length, 4, "float32", cpu)
    run(kernel, packed, position, buckets, table, key, value, result, empty(2, padded(length)))
    assert_close(result, expected[0])
    assert torch.equal(key, expected[1]) and torch.equal(value, expected[2])


@some
@given(cpu=cpus, heads=st.integers(1, 3), width=st.integers(1, 40), lengths=lengths, tokens=st.integers(1, 3))
def test_cross_attention(cpu: Cpu, heads: int, width: int, lengths: list[int], tokens: int) -> None:
    batch, positions = len(lengths), max(*lengths, 1) + 3
    packed, length = random(batch * positions, 2 * heads * width), torch.tensor(lengths, dtype=torch.int32)
    key, value = random(*blocked(batch, heads, width, positions)), random(batch, heads, positions, width)
    expected = ops.write_cross(packed, length, heads, key, value)
    run(write_cross(heads, width, cpu), packed, length, key, value)
    assert torch.equal(key, expected[0]) and torch.equal(value, expected[1])
    query, result = random(batch * tokens, heads * width), empty(batch * tokens, heads * width)
    run(cross_attention(heads, width, cpu), query, length, key, value, result, empty(1, padded(positions)))
    assert_close(result, ops.attend_cross(query, length, *expected))


def test_half_precision_weights_are_converted_by_vector_instructions() -> None:
    kernel = matmul("float16", 64, cpu_named("avx512"))
    target = target_of({"kind": "llvm", "triple": "x86_64-linux-gnu", "cpu": "x86-64-v4"})
    text = packed_kernels({"main": kernel}, target).inspect_source("asm")
    assert "vcvtph2ps\t(" in text and "%zmm" in text
    assert "callq\t__extendhfsf2" not in text
