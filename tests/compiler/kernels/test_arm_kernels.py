"""The ways in which 64-bit Arm adds up products of bytes give the same bits: under an emulator, which has them all."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import tvm
from emulated import Zig
from torch import Tensor

from g2p_build.compiler.kernels.cpu import cpu_named, cpu_of
from g2p_build.compiler.kernels.matmul import Matmul, matmul
from g2p_build.compiler.passes.plain_calls import extents
from g2p_build.compiler.pipeline import kernels_object, target_of
from g2p_build.compiler.targets import extended
from g2p_build.models import ops
from g2p_build.models.layout import NARROW, NO_NORM, WIDE, pack_columns, pack_gated, quantise_panels

pytestmark = pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="qemu-aarch64 is not there (qemu-user)")

WAYS = ("neon", "dotprod", "i8mm")
ROWS = 59  # a chunk of 48 and some more
PARTS = ((0, ROWS), (0, 1), (1, 2), (3, 3), (2, 4), (2, 7), (5, 13), (1, 16))  # first row, and how many

SPECS = [
    Matmul(192, 48, "int8", 1e-6, "gated-gelu"),
    Matmul(256, 64, "int8", residual=True),
    Matmul(20, 37, "int8", 1e-6, "relu"),
    Matmul(100, 33, "int8"),
    Matmul(64, 39, "int8", 1e-6),
    Matmul(64, 40, "int8", 1e-30),
    Matmul(64, 40, "int8"),
]

POINTERS = "const float *, const int8_t *, const float *, const int32_t *, float *"

DRIVER = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
static _Alignas(64) float rows[64 * 256], added[64 * 256], result[64 * 256];
static _Alignas(64) int8_t weight[1 << 17];
static int given(void *data, size_t size) { return fread(data, 1, size, stdin) == size; }
%s
int main(void) {
  int32_t head[6], told[5]; /* which way, inner, columns, bytes of weights, panels, rows */
  while (given(head, sizeof head) && given(told, sizeof told)) {
    int32_t inner = head[1], columns = head[2], panels = head[4], count = head[5];
    if (!given(weight, (size_t)head[3]) || !given(rows, (size_t)count * inner * 4)) return 1;
    if (!given(added, (size_t)count * columns * 4)) return 1;
    switch (head[0]) {
%s
      default: return 1;
    }
    fwrite(result, 4, (size_t)count * columns, stdout);
  }
  return 0;
}
"""


@pytest.fixture(scope="module")
def program(zig: Zig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs the kernel of a way on what it reads."""
    folder = tmp_path_factory.mktemp("arm")
    base = target_of({"kind": "llvm", "triple": "aarch64-linux-musl", "cpu": "generic"})
    declared, cases = [], []
    for way, target in zip(WAYS, [base, *(target for _, target in extended(base))], strict=True):
        assert cpu_of(target).dot == way
        [made_for] = {spec.made_for(cpu_of(target)) for spec in SPECS}
        kernel = matmul(*made_for, cpu_of(target))
        kernels_object(tvm.IRModule({"matmul": kernel}), target, folder / f"{way}.o", f"{way}_")
        names = ", ".join(extent.name for extent in extents(kernel))
        assert names == "rows, inner, panels, depth, residual_rows, residual_columns, columns"
        declared.append(f"void {way}_matmul({POINTERS}, {', '.join(['int32_t'] * 7)});")
        passed = "count, inner, panels, (inner + 63) / 64, count, columns, columns"
        case = f"{way}_matmul(rows, weight, added, told, result, {passed}); break;"
        cases.append(f"      case {len(cases)}: {case}")
    (folder / "main.c").write_text(DRIVER % ("\n".join(declared), "\n".join(cases)))
    objects = [f"{way}.o" for way in WAYS]
    zig.run("cc", "-target", "aarch64-linux-musl", "-static", "main.c", *objects, "-lm", "-o", "program", cwd=folder)
    return folder / "program"


def results(program: Path, spec: Matmul, rows: Tensor, weight: Tensor, added: Tensor) -> Mapping[str, list[Tensor]]:
    """What each way gives for each of `PARTS`."""
    asked = b""
    for number, way in enumerate(WAYS):
        told = spec.numbers(replace(cpu_named("neon"), dot=way))
        for start, count in PARTS:
            head = [number, spec.inner, spec.columns, weight.numel(), len(weight), count, *told]
            parts = (tensor[start : start + count].contiguous() for tensor in (rows, added))
            asked += torch.tensor(head, dtype=torch.int32).numpy().tobytes() + weight.numpy().tobytes()
            asked += b"".join(part.numpy().tobytes() for part in parts)
    ran = subprocess.run(["qemu-aarch64", "-cpu", "max", program], input=asked, stdout=subprocess.PIPE, check=True)
    numbers = torch.frombuffer(bytearray(ran.stdout), dtype=torch.float32)
    found: dict[str, list[Tensor]] = {}
    for way in WAYS:
        for _, count in PARTS:
            taken, numbers = numbers.split([count * spec.columns, len(numbers) - count * spec.columns])
            found.setdefault(way, []).append(taken.view(count, -1))
    assert not len(numbers)
    return found


def assert_the_same(found: Mapping[str, list[Tensor]]) -> None:
    """Whichever way it is, and whichever other rows there are, a row has the same bits."""
    whole = found[WAYS[0]][0].view(torch.int32)
    for way in WAYS:
        for (start, count), part in zip(PARTS, found[way], strict=True):
            assert torch.equal(part.view(torch.int32), whole[start : start + count]), (way, start, count)


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spec", SPECS[:5], ids=str)
def test_every_way_gives_the_same_bits(program: Path, spec: Matmul) -> None:
    gate, up = random(spec.inner, spec.columns, seed=1), random(spec.inner, spec.columns, seed=2)
    weight = quantise_panels(pack_gated(gate, up) if spec.gated else pack_columns(up))
    rows, added = random(ROWS, spec.inner, seed=3), random(ROWS, spec.columns, seed=4)
    rows[5] = 0
    found = results(program, spec, rows, weight, added)
    assert_the_same(found)
    residual = added if spec.residual else None
    expected = ops.linear(rows, weight, spec.columns, spec.epsilon, spec.activation, residual)
    whole = found["i8mm"][0]
    torch.testing.assert_close(whole, expected, rtol=1e-5, atol=1e-5 * (1 + float(expected.abs().max())))


@pytest.mark.parametrize("wide", [False, True])
def test_every_way_adds_up_exactly(program: Path, wide: bool) -> None:
    """Rows and weights with scales of 1 have integers as results, and the greatest integers overflow nowhere."""
    most, generator = WIDE if wide else NARROW, torch.Generator().manual_seed(0)
    rows = torch.randint(-most, most + 1, (ROWS, 64), generator=generator).float()
    matrix = torch.randint(-127, 128, (64, 40), generator=generator).float()
    rows[:, 0], matrix[0] = most, 127  # of each group and column the greatest is there
    rows[1], rows[2], matrix[:, 3], matrix[:, 4] = most, -most, 127, -127
    matrix[1::2, 5], rows[3, 1::2] = -127, -most
    epsilon = NO_NORM if wide else 1e-30
    found = results(
        program, Matmul(64, 40, "int8", epsilon), rows, quantise_panels(pack_columns(matrix)), torch.zeros(ROWS, 40)
    )
    assert_the_same(found)
    expected = rows.double() @ matrix.double()
    if not wide:
        expected = expected / rows.double().square().mean(1, keepdim=True).sqrt()
    # A sum is an int32, and what follows are three roundings to float32.
    torch.testing.assert_close(found["i8mm"][0].double(), expected, rtol=1e-6, atol=0)
