"""Planned functions as C. The functions here have a few lines; test_golden.py compares whole models."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
import tvm
from compiled_library import host
from t5_reference import random_checkpoint
from torch import Tensor, nn
from tvm import ir, relax, tirx

from g2p_build.compiler.emit_c import Extension, _check_outside, emit
from g2p_build.compiler.export import export
from g2p_build.compiler.linear import Linear
from g2p_build.compiler.pipeline import kernels_object, lowered, target_of, workspace_bytes
from g2p_build.compiler.planned import PACKED, Place
from g2p_build.compiler.planned import Tensor as PlannedTensor
from g2p_build.errors import BuildError
from g2p_build.models import ops
from g2p_build.models.extents import Extent
from g2p_build.models.kokoro import ops as speech
from g2p_build.models.layout import NO_NORM, pack_columns
from g2p_build.models.program import Program, TensorSpec
from g2p_build.models.programs import programs
from g2p_build.native.files import CORE

BATCH, WIDTH = 4, 40


def entry(name: str, kind: str, shape: list[int], dtype: str = "float32") -> dict[str, Any]:
    return {"name": name, "kind": kind, "shape": shape, "dtype": dtype}


def linear(rows: relax.Expr, weight: relax.Expr, columns: int) -> relax.Expr:
    """relu(rows [M, K] times weight)."""
    others = [tirx.const(columns, "int64"), tirx.const(NO_NORM, "float64"), ir.StringImm("relu")]
    out = relax.TensorType((BATCH, columns), "float32")
    return relax.op.call_dps_packed("g2p.linear", relax.Tuple([rows, weight, *others]), out_ty=out)


def two_layers() -> tuple[tvm.IRModule, list[dict[str, Any]]]:
    """hidden [B, W] = relu(relu(embedding of input_ids) times a weight), which no model is."""
    builder = relax.BlockBuilder()
    shapes = {"input_ids": ((BATCH,), "int32"), "table": ((9, 8), "float32"), "weight": ((2, 8, 32), "float32")}
    params = [relax.Var(name, relax.TensorType(*of)) for name, of in shapes.items()]
    with builder.function("encode_b4_i1", params, attrs={PACKED: ["input_ids"]}):
        with builder.dataflow():
            out = relax.TensorType((BATCH, 8), "float32")
            looked_up = relax.op.call_dps_packed("g2p.embed", relax.Tuple([params[0], params[1]]), out_ty=out)
            first = builder.emit(looked_up)
            second = builder.emit(linear(first, params[2], WIDTH))
            result = builder.emit_output(relax.op.reshape(second, (BATCH, WIDTH)))
        builder.emit_func_output(result)
    description = {
        "name": "encode_b4_i1", "role": "encode", "batch": BATCH, "input_len": 1, "output_len": None, "tokens": None,
        "inputs": [entry("input_ids", "argument", [BATCH], "int32"), entry("table", "weight", [9, 8]),
                   entry("weight", "weight", [2, 8, 32])],
        "outputs": [{"name": "hidden", "shape": [BATCH, WIDTH], "dtype": "float32"}],
    }  # fmt: skip
    return builder.get(), [description]


def planned(module: tvm.IRModule) -> tvm.IRModule:
    return lowered(module, target_of(host()), "standalone", "plan")


MAIN = """
#include <stdio.h>
#include "program.c"
int main(void) {
  static _Alignas(64) char arena[1 << 12];
  static _Alignas(64) float table[9 * 8], weight[2 * 8 * 32], hidden[4 * 40];
  static _Alignas(64) int32_t ids[4];
  int rows;
  if (scanf("%d", &rows) != 1) return 1;
  for (int i = 0; i < rows; i++) if (scanf("%d", &ids[i]) != 1) return 1;
  for (int i = 0; i < 9 * 8; i++) if (scanf("%f", &table[i]) != 1) return 1;
  for (int i = 0; i < 2 * 8 * 32; i++) if (scanf("%f", &weight[i]) != 1) return 1;
  for (int i = 0; i < 4 * 40; i++) hidden[i] = -1;
  const void *weights[] = {table, weight};
  struct g2p_run run = {.rows = 1, .positions = rows, .arena = arena, .weights = weights};
  void *arguments[] = {ids, hidden};
  run.arguments = arguments;
  encode(&run);
  for (int i = 0; i < 4 * 40; i++) printf("%.9g\\n", hidden[i]);
  return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two layers as a program that reads numbers and prints them."""
    folder = tmp_path_factory.mktemp("emitted")
    module, functions = two_layers()
    module = planned(module)
    source = emit(module, functions)
    (folder / "program.c").write_text(source)
    (folder / "main.c").write_text(MAIN)
    kernels_object(module, target_of(host()), folder / "kernels.o")
    command = [
        "gcc",
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused",
        f"-I{CORE}",
        "main.c",
        "kernels.o",
        "-lm",
    ]
    subprocess.run([*command, "-o", "program"], cwd=folder, check=True)
    return folder / "program"


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_only_the_given_positions_are_computed(program: Path, rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    ids = torch.randint(0, 9, (rows,), generator=generator, dtype=torch.int32)
    table, weight = torch.randn(9, 8, generator=generator), torch.randn(8, WIDTH, generator=generator)
    packed = pack_columns(weight)
    numbers = [rows, *ids.tolist(), *table.ravel().tolist(), *packed.ravel().tolist()]
    said = subprocess.run(
        [str(program)], input=" ".join(map(repr, numbers)), capture_output=True, text=True, check=True
    )
    found: Tensor = torch.tensor([float(line) for line in said.stdout.split()]).reshape(BATCH, WIDTH)
    expected = ops.linear(table[ids.long()], packed, WIDTH, NO_NORM, "relu")
    torch.testing.assert_close(found[:rows], expected)
    assert (found[rows:] == -1).all()


def test_a_function_says_how_much_memory_it_works_in() -> None:
    module, functions = two_layers()
    module = planned(module)
    # The embeddings; everything else is an argument.
    assert workspace_bytes(module, "encode_b4_i1") == Linear(4 * BATCH * 8)
    assert '{"encode", 0, 128, 0, encode},' in emit(module, functions)


def test_a_step_takes_any_number_of_tokens_up_to_its_own() -> None:
    arch = random_checkpoint(0, d_model=32, num_heads=2, d_kv=16, d_ff=48, num_layers=1, num_decoder_layers=1)
    module, functions = export(programs(arch.architecture, [3], [8], 6, "float32", True, tokens=[5]))
    *_, step = emit(planned(module), functions).split("static void ")
    body = step.partition("}")[0]
    assert step.startswith("step_5(") and ", run->rows * run->tokens);" in body and ", run->rows, " in body
    assert "run->rows * 5" not in body and '{"step", 5, ' in step


def test_the_same_program_is_the_same_c() -> None:
    texts = {emit(planned(module), functions) for module, functions in (two_layers(), two_layers())}
    assert len(texts) == 1


def test_a_kernel_is_called_in_the_best_form_that_the_cpu_has() -> None:
    module, functions = two_layers()
    linear = "matmul_8"
    extensions = [Extension(("a",), "one_", frozenset({linear})), Extension(("a", "b"), "two_", frozenset({linear}))]
    text = emit(planned(module), functions, "base_", extensions)
    assert f"(run->extension >= 2 ? two_{linear} : (run->extension >= 1 ? one_{linear} : base_{linear}))(" in text
    assert '{{"a"}},' in text and '{{"a", "b"}},' in text and ".extensions_count = 2," in text
    # What the second one has no form of is called as the first one has it; and what neither has, as it is.
    text = emit(planned(module), functions, "base_", [extensions[0], Extension(("a", "b"), "two_", frozenset())])
    assert f"  (run->extension >= 1 ? one_{linear} : base_{linear})(" in text and "two_" not in text
    assert "  base_embed_" in text
    # A form for many rows leaves calls with fewer to the one before it.
    many = Extension(("a", "b"), "two_", frozenset({linear}), {linear: 5})
    text = emit(planned(module), functions, "base_", [extensions[0], many])
    before = f"(run->extension >= 1 ? one_{linear} : base_{linear})"
    assert f"(run->extension >= 2 && rows_count >= 5 ? two_{linear} : {before})(" in text
    assert f"static void {linear}(const struct g2p_run *run, " in text and f"  {linear}(run, t" in text


def test_an_operation_that_cannot_be_written_in_c_is_named_with_its_function() -> None:
    module, functions = two_layers()
    with pytest.raises(BuildError, match=r"function encode_b4_i1: the operation relax\.call_dps_packed cannot"):
        emit(module, functions)


FRAMES = """
#include <stdio.h>
#include <stdlib.h>
#include "program.c"
int main(int count, char **given) {
  const int32_t frames = atoi(given[1]);
  static _Alignas(64) float table[9 * 32], first[2 * 32 * 32], second[32 * 32], out[2 * 100 * 32];
  static _Alignas(64) int32_t ids[100];
  (void)count;
  for (int i = 0; i < 9 * 32; i++) table[i] = (float)(i % 7) - 3;
  for (int i = 0; i < 2 * 32 * 32; i++) first[i] = (float)(i % 5) - 2;
  for (int i = 0; i < 32 * 32; i++) second[i] = (float)(i % 3) - 1;
  for (int i = 0; i < frames; i++) ids[i] = i % 9;
  const struct g2p_function *function = &program.functions[0];
  /* Not a byte more: the address sanitizer looks. */
  char *arena = aligned_alloc(64, function->arena_bytes + function->arena_each[0] * (size_t)frames);
  const void *weights[] = {table, first, second};
  void *arguments[] = {ids, out};
  struct g2p_run run = {.rows = 1, .arena = arena, .weights = weights, .arguments = arguments, .extents = &frames};
  function->run(&run);
  for (int i = 0; i < 2 * frames * 32; i++) printf("%.9g\\n", out[i]);
  printf("%s %zu\\n", program.extents[0], program.extents_count);
  free(arena);
  return 0;
}
"""


class Doubling(nn.Module):
    """Four layers. The second sees each row as two."""

    def forward(self, ids: Tensor, weights: dict[str, Tensor]) -> Tensor:
        rows = ops.linear(ops.embed(ids, weights["table"]), weights["first"], 64, NO_NORM, "relu").view(-1, 32)
        rows = ops.linear(rows, weights["second"], 32, NO_NORM, "relu")
        rows = ops.linear(rows, weights["second"], 32, NO_NORM, "relu")
        return ops.linear(rows, weights["second"], 32, NO_NORM, "")


def doubling() -> tuple[tvm.IRModule, list[dict[str, Any]]]:
    inputs = (
        ("argument", TensorSpec("ids", (Extent("frames"),), "int32")),
        ("weight", TensorSpec("table", (9, 32), "float32")),
        ("weight", TensorSpec("first", (2, 32, 32), "float32")),
        ("weight", TensorSpec("second", (1, 32, 32), "float32")),
    )
    outputs = (TensorSpec("out", (Extent("frames", 2), 32), "float32"),)
    return export([Program("speak", "speak", 1, None, None, None, Doubling(), inputs, outputs)])


def test_one_function_takes_any_number_of_frames_in_memory_that_grows_with_them(tmp_path: Path) -> None:
    module, functions = doubling()
    assert functions[0]["outputs"][0]["shape"] == ["2*frames", 32]
    module = planned(module)
    # What the first layer gives, and then the third; and embeddings, in whose place the second layer's result grows.
    assert workspace_bytes(module, "speak") == Linear(0, (("frames", 4 * (64 + 64)),))
    (tmp_path / "program.c").write_text(emit(module, functions))
    (tmp_path / "main.c").write_text(FRAMES)
    kernels_object(module, target_of(host()), tmp_path / "kernels.o")
    command = [
        "gcc",
        "-std=c11",
        "-g",
        "-fsanitize=address",
        f"-I{CORE}",
        "main.c",
        "kernels.o",
        "-lm",
        "-o",
        "program",
    ]
    subprocess.run(command, cwd=tmp_path, check=True)

    def numbers(count: int, modulus: int, less: int, *shape: int) -> Tensor:
        return ((torch.arange(count) % modulus) - less).to(torch.float32).view(shape)

    weights = {"table": numbers(9 * 32, 7, 3, 9, 32), "first": numbers(2 * 32 * 32, 5, 2, 2, 32, 32),
               "second": numbers(32 * 32, 3, 1, 1, 32, 32)}  # fmt: skip
    for frames in (1, 2, 37, 100):
        said = subprocess.run([tmp_path / "program", str(frames)], capture_output=True, text=True, check=True)
        *lines, last = said.stdout.splitlines()
        expected = Doubling()(torch.arange(frames, dtype=torch.int32) % 9, weights)
        torch.testing.assert_close(torch.tensor([float(line) for line in lines]).view(-1, 32), expected)
        assert last == "frames 1"


class Remembering(nn.Module):
    """An LSTM at the end: the second result of its kernel is scratch memory, and no result of the function."""

    def forward(self, ids: Tensor, weights: dict[str, Tensor]) -> Tensor:
        return speech.lstm(ops.embed(ids, weights["table"]), weights["recurrent"])


def test_scratch_memory_beside_a_functions_result_is_in_its_arena() -> None:
    inputs = (
        ("argument", TensorSpec("ids", (Extent("tokens"),), "int32")),
        ("weight", TensorSpec("table", (9, 128), "float32")),
        ("weight", TensorSpec("recurrent", (2, 1, 16, 64), "float32")),
    )
    outputs = (TensorSpec("out", (Extent("tokens"), 32), "float32"),)
    module, functions = export([Program("hear", "hear", 1, None, None, None, Remembering(), inputs, outputs)])
    module = planned(module)
    # The embeddings, and the cells of both directions.
    assert workspace_bytes(module, "hear") == Linear(4 * 2 * 16, (("tokens", 4 * 128),))
    assert ", ," not in emit(module, functions)


def test_a_step_keeps_nothing_for_each_row() -> None:
    """So that one of fewer tokens a row takes more rows, as searches want; building whole models shows theirs."""
    position, scores = (PlannedTensor((BATCH,), "int32", Place(text)) for text in ("run->arguments[4]", "t3"))
    _check_outside("step", "attention", [position])
    with pytest.raises(
        BuildError, match="function step: attention keeps something for each row: keep it for each token"
    ):
        _check_outside("step", "attention", [position, scores])
