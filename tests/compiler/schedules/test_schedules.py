"""Scheduled kernels compute what plain loops compute, for every extent."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from compiled_library import host
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import s_tir, te, topi

from g2p_build.compiler.passes import lower_matmuls, lower_norms, lower_softmax
from g2p_build.compiler.passes.schedule_kernels import ScheduleKernels
from g2p_build.compiler.pipeline import target_of
from g2p_build.compiler.schedules.cpu import AVX2, AVX512, NEON, OTHER, Cpu, cpu_of, divisor, vector_width
from g2p_build.compiler.schedules.matmul import schedule_matmul

extents = st.integers(1, 70)


@pytest.mark.parametrize(
    ("extent", "most", "multiple", "expected"),
    [
        (512, 8, 1, 8),
        (37, 8, 1, 1),
        (12, 8, 1, 6),
        (192, 64, 16, 64),
        (192, 100, 16, 96),
        (7, 64, 16, 7),
        (1, 8, 4, 1),
    ],
)
def test_divisors(extent: int, most: int, multiple: int, expected: int) -> None:
    assert divisor(extent, most, multiple) == expected


@given(extent=st.integers(1, 2000), cpu=st.sampled_from([AVX2, AVX512, NEON, OTHER]))
def test_vectors_divide_their_axis(extent: int, cpu: Cpu) -> None:
    width = vector_width(extent, cpu)
    assert extent % width == 0
    assert width == cpu.lanes or extent % cpu.lanes != 0


@pytest.mark.parametrize(
    ("triple", "cpu", "expected"),
    [
        ("x86_64-linux-gnu", "x86-64-v4", AVX512),
        ("x86_64-linux-gnu", "x86-64-v3", AVX2),
        ("x86_64-linux-gnu", "x86-64", OTHER),
        ("arm64-apple-ios", "apple-a14", NEON),
        ("aarch64-linux-android", "generic", NEON),
    ],
)
def test_the_vector_unit_follows_the_target(triple: str, cpu: str, expected: Cpu) -> None:
    assert cpu_of(target_of({"kind": "llvm", "triple": triple, "cpu": cpu})) == expected


@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 3), rows=extents, inner=extents, columns=extents, half=st.booleans(), relu=st.booleans())
def test_matmul(batch: int, rows: int, inner: int, columns: int, half: bool, relu: bool) -> None:
    left = te.placeholder((batch, rows, inner), name="left")
    dtype = "float16" if half else "float32"
    right = te.placeholder((batch, inner, columns), dtype, name="right")
    product = lower_matmuls._matmul(left, right)
    kernel = te.create_prim_func([left, right, topi.nn.relu(product) if relu else product])
    a, b = _random(batch, rows, inner), _random(batch, inner, columns).astype(dtype)
    expected = a @ b.astype("float32")
    _check(kernel, [a, b], np.maximum(expected, 0) if relu else expected)


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(1, 4), inner=extents, columns=extents, add=st.booleans())
def test_dot(rows: int, inner: int, columns: int, add: bool) -> None:
    left, right = te.placeholder((2, rows, inner), name="left"), te.placeholder((2, columns, inner), name="right")
    product = lower_matmuls._dot(left, right)
    kernel = te.create_prim_func([left, right, topi.add(product, te.const(3.0, "float32")) if add else product])
    a, b = _random(2, rows, inner), _random(2, columns, inner)
    _check(kernel, [a, b], a @ b.transpose(0, 2, 1) + (3 if add else 0))


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 140), masked=st.integers(0, 9))
def test_softmax(rows: int, columns: int, masked: int) -> None:
    scores = te.placeholder((rows, columns), name="scores")
    kernel = te.create_prim_func([scores, lower_softmax._softmax(scores)])
    values = _random(rows, columns) * 30
    values[:, :masked] = np.finfo("float32").min
    powers = np.exp((values - values.max(axis=1, keepdims=True)).astype("float64"))
    _check(kernel, [values], powers / powers.sum(axis=1, keepdims=True), tolerance=1e-6)


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 140), half=st.booleans())
def test_norm(rows: int, columns: int, half: bool) -> None:
    x = te.placeholder((rows, columns), name="x")
    dtype = "float16" if half else "float32"
    weight = te.placeholder((columns,), dtype, name="weight")
    kernel = te.create_prim_func([x, weight, lower_norms._rms_norm(x, weight, 1e-6)])
    a, w = _random(rows, columns), _random(columns).astype(dtype)
    _check(kernel, [a, w], w.astype("float32") * a / np.sqrt((a * a).mean(axis=1, keepdims=True) + 1e-6))


def test_a_matmuls_tile_fills_its_registers() -> None:
    left, right = te.placeholder((64, 48), name="left"), te.placeholder((48, 512), name="right")
    sch = s_tir.Schedule(te.create_prim_func([left, right, lower_matmuls._matmul(left, right)]))
    schedule_matmul(sch, AVX512)
    *_, rows, vectors, lanes = [int(sch.get(loop).extent) for loop in sch.get_loops(sch.get_sblock("matmul_update"))]
    assert (rows, vectors, lanes) == (8, 2, 16)


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")


def _check(kernel: tvm.tirx.PrimFunc, inputs: list[np.ndarray], expected: np.ndarray, tolerance: float = 1e-4) -> None:
    target = target_of(host())
    with target:
        module = ScheduleKernels()(tvm.IRModule({"main": kernel}))
        function = tvm.compile(module, target=target)["main"]
    output = tvm.runtime.tensor(np.full(expected.shape, np.nan, "float32"))
    function(*[tvm.runtime.tensor(value) for value in inputs], output)
    np.testing.assert_allclose(output.numpy(), expected, rtol=tolerance, atol=tolerance)
