"""The module and the code between the compiler's phases."""

from __future__ import annotations

from typing import Any

import pytest
import tvm
from compiled_library import host
from t5_reference import random_checkpoint

from g2p_build.compiler.export import export
from g2p_build.compiler.ir import names, text
from g2p_build.compiler.pipeline import phases, target_of
from g2p_build.errors import BuildError
from g2p_build.models.programs import programs

KERNEL = "matmul_24"


Program = tuple[tvm.IRModule, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def program() -> Program:
    architecture = random_checkpoint(0, d_model=24, d_kv=7, d_ff=40, num_heads=3, num_layers=1).architecture
    return export(programs(architecture, [1], [16], 8, "float32", True))


def target(engine: str) -> dict[str, str]:
    return host() | {"engine": engine}


def test_every_phase_can_be_looked_at() -> None:
    here, code = target_of(host()), ["llvm", "asm"]
    assert names(here, "standalone") == ["program", *phases(here, "standalone"), "c", *code]
    assert names(here, "vm") == ["program", *phases(here, "vm"), *code]


@pytest.mark.parametrize(
    ("engine", "phase", "shows"),
    [
        ("standalone", "program", 'R.call_dps_packed("g2p.linear"'),
        ("standalone", "lower", "R.call_tir("),
        ("standalone", "plan", "R.builtin.alloc_tensor("),
        ("vm", "lower_vm", "R.vm.alloc_tensor("),
        ("vm", "lower_intrinsics", "R.vm.alloc_tensor("),
    ],
)
def test_a_function_after_a_phase(program: Program, engine: str, phase: str, shows: str) -> None:
    found = text(*program, target(engine), phase, "step_b1_k1")
    assert "def step_b1_k1(" in found and shows in found
    assert "def encode" not in found
    everything = text(*program, target(engine), phase)
    assert "def encode_b1_i16(" in everything and shows in everything
    assert text(*program, target(engine), phase) == everything


def test_the_c_that_calls_the_kernels(program: Program) -> None:
    assert f"  g2p_kernel_{KERNEL}(" in text(*program, target("standalone"), "c")


@pytest.mark.parametrize("engine", ["standalone", "vm"])
def test_a_kernel_as_loops_as_llvm_and_as_assembly(program: Program, engine: str) -> None:
    assert "T.alloc_buffer" in text(*program, target(engine), "plan", KERNEL)
    code = text(*program, target(engine), "llvm", KERNEL)
    assert code.startswith("define ") and code.endswith("}\n") and code.count("define ") == 1
    code = text(*program, target(engine), "asm", KERNEL)
    assert KERNEL in code.splitlines()[0] and "\tret" in code


def test_code_for_a_mach_o_target(program: Program) -> None:
    iphone = {"kind": "llvm", "triple": "arm64-apple-ios", "cpu": "apple-a14", "engine": "standalone"}
    code = text(*program, iphone, "asm", KERNEL)
    assert KERNEL in code.splitlines()[0] and "fmla" in code


@pytest.mark.parametrize(
    ("phase", "function", "says"),
    [
        ("lwer", "", "no phase is named 'lwer'; did you mean lower?"),
        ("plan", "matmul_2", f"nothing is named 'matmul_2' in phase plan; did you mean {KERNEL}"),
        ("program", "zzz", '"step_b1_k1"'),
        ("asm", "step_b1_k1", "nothing is named 'step_b1_k1' in phase asm"),
    ],
)
def test_unknown_names_are_one_line_with_the_near_ones(program: Program, phase: str, function: str, says: str) -> None:
    with pytest.raises(BuildError) as refused:
        text(*program, target("standalone"), phase, function)
    assert says in str(refused.value) and "\n" not in str(refused.value)
