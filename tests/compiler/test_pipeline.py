"""The compiler's outputs: formats, symbols, bytes."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import tvm
from compiled_library import host, objects
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from t5_reference import random_checkpoint
from tvm import relax, tirx
from tvm.target import Target

from g2p_build.compiler.export import export
from g2p_build.compiler.kernels.code import Code, load, tensor
from g2p_build.compiler.kernels.cpu import cpu_of
from g2p_build.compiler.link import link_shared
from g2p_build.compiler.pipeline import KINDS, OBJECTS, Kind, Phases, cpu_phases, lowered, phases, target_of
from g2p_build.compiler.rewrites.calls import Kernels, Rewrite
from g2p_build.compiler.rewrites.cpu import CPU
from g2p_build.compiler.targets import extended
from g2p_build.errors import BuildError
from g2p_build.models import ops
from g2p_build.models.kokoro import ops as kokoro_ops
from g2p_build.models.programs import programs

SHAPE = {"d_model": 48, "d_kv": 8, "d_ff": 80, "num_heads": 3, "num_layers": 1, "feed_forward_proj": "gated-gelu"}
LIBC = {"memcpy", "memset", "sqrtf", "floorf"}
ELF = [
    ("x86_64-linux-gnu", "x86-64-v3", "float32", "EM_X86_64"),
    ("x86_64-linux-gnu", "x86-64-v4", "float16", "EM_X86_64"),
    ("aarch64-linux-gnu", "generic", "float16", "EM_AARCH64"),
    ("aarch64-linux-android", "generic", "float32", "EM_AARCH64"),
]


def compiled(folder: Path, triple: str, cpu: str, dtype: str = "float32", seed: int = 0) -> list[Path]:
    """Compiles a small model's programs for a target."""
    return objects(module(dtype, seed), {"kind": "llvm", "triple": triple, "cpu": cpu}, folder)


@cache
def module(dtype: str, seed: int) -> tvm.IRModule:
    """All programs of a small model with random weights."""
    architecture = random_checkpoint(seed, **SHAPE).architecture
    cached, cacheless = (programs(architecture, [2], [8], 6, dtype, kv_cache) for kv_cache in (True, False))
    return export([*cached, cacheless[-1]])[0]


@pytest.mark.parametrize(("triple", "cpu", "dtype", "machine"), ELF)
def test_elf_objects_need_the_c_library_and_one_error_hook(
    tmp_path: Path, triple: str, cpu: str, dtype: str, machine: str
) -> None:
    paths = compiled(tmp_path, triple, cpu, dtype)
    assert [path.name for path in paths] == list(OBJECTS)
    for path in paths:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            assert elf["e_machine"] == machine
            symbols = elf.get_section_by_name(".symtab")
            undefined = {
                symbol.name for symbol in symbols.iter_symbols() if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name
            }
            assert undefined <= LIBC | {"TVMFFIErrorSetRaisedFromCStrParts"}
            # Every object declares the runtime's hooks, but no code may use one.
            used = {
                symbols.get_symbol(relocation["r_info_sym"]).name
                for section in elf.iter_sections()
                if isinstance(section, RelocationSection)
                for relocation in section.iter_relocations()
            }
            assert not {name for name in used if name.startswith("__TVMBackend")}


def test_iphone_objects_are_mach_o_for_arm64(tmp_path: Path) -> None:
    for path in compiled(tmp_path, "arm64-apple-ios", "apple-a14", "float16"):
        magic, cpu_type = struct.unpack("<II", path.read_bytes()[:8])
        assert (magic, cpu_type) == (0xFEEDFACF, 0x0100000C)


VNNI, TILES = ("avx512_vnni",), ("amx_tile", "amx_int8")


@pytest.mark.parametrize(
    ("triple", "cpu", "expected"),
    [
        ("x86_64-linux-gnu", "x86-64", []),
        ("x86_64-linux-gnu", "x86-64-v3", [("avx_vnni",)]),
        ("x86_64-linux-gnu", "x86-64-v4", [VNNI, VNNI + TILES]),
        ("x86_64-linux-musl", "cascadelake", [TILES]),
        # This CPU has tiles, but its system may refuse them.
        ("x86_64-linux-gnu", "sapphirerapids", [TILES]),
        ("x86_64-linux-android", "x86-64-v4", [VNNI]),
        ("arm64-apple-macosx", "apple-a14", []),
    ],
)
def test_cpus_with_more_than_a_target_asks_for(triple: str, cpu: str, expected: list[tuple[str, ...]]) -> None:
    target = target_of({"kind": "llvm", "triple": triple, "cpu": cpu})
    found = extended(target)
    assert [flags for flags, _ in found] == expected
    assert [cpu_of(each).amx for each in (target, *(other for _, other in found))] == [
        False,
        *(TILES[0] in flags for flags in expected),
    ]


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from test_pipeline import digests
print(*digests(2))
"""


def test_bytes_depend_on_neither_weights_nor_process_nor_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Path(__file__).parent, tmp_path / "another folder"
    there.mkdir()
    script = SCRIPT.format(paths=[str(here), str(here.parent), str(here.parents[1])])
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=there,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    monkeypatch.chdir(tmp_path)
    assert result.stdout.split() == digests(1)


def digests(seed: int) -> list[str]:
    """SHA-256 of the objects and the library of a checkpoint, made in the working directory."""
    paths = compiled(Path.cwd(), "x86_64-linux-gnu", "x86-64-v3", seed=seed)
    link_shared(paths, "x86_64-linux-gnu", Path("model.so"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in [*paths, Path("model.so")]]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (("llvm", "x86_64-linux-gnu", "x86-64-v9"), "no CPU 'x86-64-v9' for x86_64-linux-gnu; did you mean x86-64-v"),
        (("llvm", "arm64-apple-ios", "aple-a14"), "no CPU 'aple-a14' for arm64-apple-ios; did you mean apple-a14"),
        (("llvm", "aarch64-linux-gnu", "x86-64-v3"), "no CPU 'x86-64-v3' for aarch64-linux-gnu"),
        (("llvm", "nonsense", "generic"), "target triple 'nonsense' is not supported"),
        (("llvm", "", "generic"), "target triple '' is not supported"),
        (("cuda", "x86_64-linux-gnu", "x86-64-v3"), "target kind 'cuda' is not supported"),
    ],
)
def test_unknown_targets_are_refused(target: tuple[str, str, str], message: str) -> None:
    with pytest.raises(BuildError) as refusal:
        target_of(dict(zip(("kind", "triple", "cpu"), target, strict=True)))
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_pipeline_is_a_list_of_named_phases() -> None:
    here = target_of(host())
    assert list(phases(here, "standalone")) == ["lower", "plan", "plain_calls", "flatten", "lower_intrinsics"]
    assert list(phases(here, "vm")) == ["lower", "plan", "lower_vm", "flatten", "packed_calls", "lower_intrinsics"]


def test_the_table_of_cpus_has_every_operation() -> None:
    assert sorted(CPU) == sorted([*ops.__all__, *kokoro_ops.__all__])


def other_norm(kernels: Kernels, call: relax.Call) -> relax.Expr:
    """A kernel that only copies its rows. No kernel for a CPU does that."""
    rows, weight, _ = call.args[1]
    code, count = Code(), tirx.Var("rows", "int32")
    given, factor, result = tensor("given", (count, 48)), tensor("factor", (48,)), tensor("result", (count, 48))
    with code.loop(count, "i") as i, code.loop(48, "j") as j:
        code.store(result, load(given, i, j), i, j)
    return kernels.call(lambda: code.kernel("other_norm", [given, factor, result]), "norm", [rows, weight], [call.ty])


def other_phases(rewrites: Mapping[str, Rewrite], target: Target, engine: str, symbols: str) -> Phases:
    """Only the first two phases of a CPU's."""
    cpu = cpu_phases(rewrites, target, engine, symbols)
    return {"other_lower": cpu["lower"], "plan": cpu["plan"]}


def test_another_kind_of_target_has_kernels_and_phases_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Kind(lambda target: Target({"kind": target["kind"]}), {**CPU, "norm": other_norm}, other_phases)
    monkeypatch.setitem(KINDS, "c", other)

    def kernels(target: Target) -> set[str]:
        planned = lowered(module("float32", 0), target, "standalone", "plan")
        return {name.name_hint for name, found in planned.functions_items() if isinstance(found, tirx.PrimFunc)}

    cpus, others = target_of(host()), target_of({"kind": "c"})
    assert kernels(cpus) - kernels(others) == {"norm_48"}
    assert kernels(others) - kernels(cpus) == {"other_norm"}
    assert list(phases(others, "standalone")) == ["other_lower", "plan"]
