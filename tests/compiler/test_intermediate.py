"""What can be seen between the compiler's phases."""

from __future__ import annotations

import pytest
import tvm
from compiled_library import host
from t5_reference import random_checkpoint

from g2p_build.compiler.export import export
from g2p_build.compiler.intermediate import names, text
from g2p_build.compiler.pipeline import phases
from g2p_build.errors import BuildError
from g2p_build.models.programs import programs

KERNEL = "norm_matmul_24_63"  # queries, keys and values: d_model 24, three times three heads of 7


@pytest.fixture(scope="module")
def module() -> tvm.IRModule:
    architecture = random_checkpoint(0, d_model=24, d_kv=7, d_ff=40, num_heads=3, num_layers=1).architecture
    return export(programs(architecture, [1], 16, 8, "float32", True))[0]


def test_every_phase_can_be_looked_at() -> None:
    assert names() == ["program", *phases(), "llvm", "asm"]


@pytest.mark.parametrize(
    ("phase", "shows"),
    [
        ("program", 'R.call_dps_packed("g2p.linear"'),
        ("lower", "R.call_tir("),
        ("plan", "R.memory.alloc_storage("),
        ("lower_vm", "R.vm.alloc_tensor("),
    ],
)
def test_a_function_after_a_phase(module: tvm.IRModule, phase: str, shows: str) -> None:
    found = text(module, host(), phase, "step_b1_k1")
    assert "def step_b1_k1(" in found and shows in found
    assert "def encode" not in found
    everything = text(module, host(), phase)
    assert "def encode_b1_i16(" in everything and shows in everything
    assert text(module, host(), phase) == everything


def test_a_kernel_as_loops_as_llvm_and_as_assembly(module: tvm.IRModule) -> None:
    assert "T.alloc_buffer" in text(module, host(), "plan", KERNEL)
    code = text(module, host(), "llvm", KERNEL)
    assert code.startswith("define ") and code.endswith("}\n") and code.count("define ") == 1
    code = text(module, host(), "asm", KERNEL)
    assert KERNEL in code.splitlines()[0] and "\tret" in code


def test_code_for_a_mach_o_target(module: tvm.IRModule) -> None:
    target = {"kind": "llvm", "triple": "arm64-apple-ios", "cpu": "apple-a14"}
    code = text(module, target, "asm", KERNEL)
    assert KERNEL in code.splitlines()[0] and "fmla" in code


@pytest.mark.parametrize(
    ("phase", "function", "says"),
    [
        ("lwer", "", "no phase is named 'lwer'; did you mean lower or lower_vm?"),
        ("plan", "norm_matmul_24_6", f"nothing is named 'norm_matmul_24_6' in phase plan; did you mean {KERNEL}"),
        ("program", "zzz", '"step_b1_k1"'),
        ("asm", "step_b1_k1", "nothing is named 'step_b1_k1' in phase asm"),
    ],
)
def test_unknown_names_are_one_line_with_the_near_ones(
    module: tvm.IRModule, phase: str, function: str, says: str
) -> None:
    with pytest.raises(BuildError) as refused:
        text(module, host(), phase, function)
    assert says in str(refused.value) and "\n" not in str(refused.value)
