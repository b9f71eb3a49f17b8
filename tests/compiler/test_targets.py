"""What kernels may use beyond what a target asks for."""

import pytest

from g2p_build.compiler.kernels.dots import dot_of
from g2p_build.compiler.targets import extended, llvm_target

QUADS, EIGHTS = ("asimddp",), ("asimddp", "i8mm")
VNNI, AMX = ("avx512_vnni",), ("amx_tile", "amx_int8")


@pytest.mark.parametrize(
    ("triple", "cpu", "own", "expected"),
    [
        ("aarch64-linux-gnu", "generic", "neon", {QUADS: "dotprod", EIGHTS: "i8mm"}),
        ("aarch64-linux-android", "generic", "neon", {QUADS: "dotprod", EIGHTS: "i8mm"}),
        ("aarch64-linux-gnu", "neoverse-n1", "dotprod", {("i8mm",): "i8mm"}),
        # It has them all. One row is multiplied by the first form still, and several by the other one.
        ("aarch64-linux-gnu", "neoverse-v1", "dotprod", {("i8mm",): "i8mm"}),
        ("arm64-apple-ios", "apple-a14", "dotprod", {}),
        ("arm64-apple-macosx", "apple-m4", "dotprod", {}),
        ("x86_64-linux-gnu", "x86-64", "sse2", {}),
        ("x86_64-linux-gnu", "x86-64-v3", "avx2", {("avx_vnni",): "vnni"}),
        ("x86_64-linux-gnu", "x86-64-v4", "avx512bw", {VNNI: "vnni", (*VNNI, *AMX): "vnni"}),
        ("x86_64-linux-gnu", "cascadelake", "vnni", {AMX: "vnni"}),
        ("wasm32-unknown-wasi", "generic", "wasm", {}),
    ],
)
def test_what_many_cpus_of_a_target_have_more(
    triple: str, cpu: str, own: str, expected: dict[tuple[str, ...], str]
) -> None:
    target = llvm_target({"triple": triple, "cpu": cpu, "features": ["simd128"] if "wasm" in triple else []})
    assert dot_of(target) == own
    found = [(features, dot_of(other)) for features, other in extended(target)]
    assert found == list(expected.items())
