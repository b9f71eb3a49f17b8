"""Counts of a kernel's operations and bytes."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import tirx
from tvm.tirx import stmt as tir

from g2p_build.compiler.kernels.argmax import argmax
from g2p_build.compiler.kernels.cached_attention import cross_attention
from g2p_build.compiler.kernels.code import Code, load, tensor
from g2p_build.compiler.kernels.cpu import cpu_named
from g2p_build.compiler.kernels.encoder_attention import encoder_attention
from g2p_build.compiler.kernels.matmul import Matmul, matmul
from g2p_build.compiler.work import work_of
from g2p_build.models.layout import PANEL, panels


def arguments(spec: Matmul, rows: int, cpu: str) -> list[np.ndarray]:
    """Those of the kernel for a matmul."""
    given, told = np.empty((rows, spec.inner), "float32"), np.array(spec.numbers(cpu_named(cpu)), "int32")
    weight = np.empty((panels(spec.columns, spec.width), spec.inner, PANEL), spec.dtype)
    return [given, weight, given, told, np.empty((rows, spec.columns), "float32")]


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 64, 65])
@pytest.mark.parametrize("cpu", ["avx512", "avx2", "neon"])
def test_a_matmul_does_two_flops_for_each_product_and_moves_each_operand_once(rows: int, cpu: str) -> None:
    found = work_of(matmul("float32", 48, cpu_named(cpu)), arguments(Matmul(48, 128), rows, cpu))
    assert found is not None
    assert found.flops == 2 * rows * 48 * 128 + rows * 128  # each sum is scaled
    assert found.bytes == 4 * (rows * 48 + 48 * 128 + rows * 128 + 5)


def test_half_precision_weights_are_half_the_bytes() -> None:
    found = work_of(matmul("float16", 48, cpu_named("avx512")), arguments(Matmul(48, 128, "float16"), 1, "avx512"))
    assert found is not None and found.bytes == 4 * 48 + 2 * 48 * 128 + 4 * (128 + 5)


def test_attention_is_counted_as_far_as_each_row_goes() -> None:
    heads, width, positions = 2, 16, 32
    kernel = cross_attention(heads, width, cpu_named("neon"))

    def flops(*lengths: int) -> int:
        rows = len(lengths)
        arguments = [
            np.empty((rows, heads * width), "float32"),
            np.array(lengths, "int32"),
            np.empty((rows, heads, positions // 16, width, 16), "float32"),
            np.empty((rows, heads, positions, width), "float32"),
            np.empty((rows, heads * width), "float32"),
            np.empty((1, positions), "float32"),
        ]
        found = work_of(kernel, arguments)
        assert found is not None
        return found.flops

    assert flops(8) < flops(16) < flops(32)
    assert flops(8, 32) == flops(8) + flops(32)
    assert flops(32) >= 2 * 2 * heads * width * 32


def test_packed_inputs_are_counted_as_long_as_they_are() -> None:
    heads, width, longest = 2, 16, 32
    kernel = encoder_attention(heads, width, cpu_named("avx512"))

    def flops(*lengths: int) -> int:
        arguments = [
            np.empty((64, 3 * heads * width), "float32"),
            np.empty((heads, 2 * longest + 15), "float32"),
            np.array(lengths, "int32"),
            np.empty((64, heads * width), "float32"),
            np.empty((width, longest), "float32"),
            np.empty((4, longest), "float32"),
        ]
        found = work_of(kernel, arguments)
        assert found is not None
        return found.flops

    assert flops(8) < flops(16) < flops(32)
    assert flops(8, 32) == flops(32, 8) == flops(8) + flops(32)
    assert flops(32, 32, 32) == 2 * flops(32)  # there are 64 positions


def test_a_matmul_with_a_norm_and_gates_is_counted() -> None:
    given = arguments(Matmul(48, 96, "float32", 1e-6, "gated-gelu"), 2, "avx512")
    found = work_of(matmul("float32", 48, cpu_named("avx512")), given)
    assert found is not None and found.flops > 2 * 2 * 48 * 192


def test_an_argmax_is_counted() -> None:
    found = work_of(argmax(cpu_named("avx512")), [np.empty((2, 96), "float32"), np.empty((2,), "int32")])
    assert found is not None and found.bytes == 4 * (2 * 96 + 2)


def test_a_kernel_that_is_not_understood_has_no_count() -> None:
    code = Code()
    rows = tensor("rows", (4,))
    with code.loop(4, "i") as i:
        code.store(rows, load(rows, i), i)
    kernel = code.kernel("strange", [rows])
    assert work_of(kernel, [np.empty(4, "float32")]) is not None
    body = tir.AttrStmt(rows, "strange", tirx.const(0, "int32"), kernel.body)
    assert work_of(tirx.PrimFunc([rows], body), [np.empty(4, "float32")]) is None
