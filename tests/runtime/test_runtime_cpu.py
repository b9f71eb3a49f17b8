import itertools
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from g2p_build.runtime import cpu

X86 = """processor\t: 0
flags\t\t: fpu sse sse2 pni ssse3 cx16 avx avx2
bugs\t\t: spectre_v1
processor\t: 1
flags\t\t: fpu sse sse2 pni ssse3 cx16 avx
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU part\t: 0xd0c\n"


def test_only_features_of_every_processor_count() -> None:
    assert cpu.parse_cpuinfo(X86) == {"fpu", "sse", "sse2", "pni", "ssse3", "cx16", "avx"}
    assert cpu.parse_cpuinfo(ARM) == {"fp", "asimd", "asimddp"}
    assert cpu.parse_cpuinfo("") == frozenset()


def test_levels_contain_each_other() -> None:
    levels = [set(cpu.CPU_FEATURES[f"x86-64{suffix}"]) for suffix in ("", "-v2", "-v3", "-v4")]
    assert all(low < high for low, high in itertools.pairwise(levels))
    assert all(list(features) == sorted(features) for features in cpu.CPU_FEATURES.values())


def test_this_machine_has_what_its_level_needs() -> None:
    assert cpu.host_cpu() in cpu.CPU_FEATURES
    assert cpu.missing_features(cpu.CPU_FEATURES[cpu.host_cpu()]) == ()
    assert cpu.missing_features(["zz-no-such", "aa-no-such"]) == ("aa-no-such", "zz-no-such")


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="not Linux")
def test_the_features_of_this_machine_are_named_as_in_linux() -> None:
    words = set(re.split(r"\s+", Path("/proc/cpuinfo").read_text(encoding="utf-8")))
    assert cpu.cpu_features() <= words and len(cpu.cpu_features()) >= 3


def test_llvm_knows_this_machines_triple_and_cpu() -> None:
    code = "import sys, tvm; tvm.target.Target({'kind': 'llvm', 'mtriple': sys.argv[1], 'mcpu': sys.argv[2]})"
    made = subprocess.run(
        [sys.executable, "-c", code, cpu.host_triple(), cpu.host_cpu()], capture_output=True, text=True
    )
    assert made.returncode == 0 and "not recognized" not in made.stderr, made.stderr
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    assert cpu.same_platform(cpu.host_triple().replace("arm64", "aarch64"), cpu.host_triple())
    assert cpu.host_triple().split("-")[0].replace("arm64", "aarch64") == machine


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("x86_64-linux-gnu", "x86_64-unknown-linux-gnu", True),
        ("x86_64-linux-gnu", "x86_64-pc-linux-gnu", True),
        ("arm64-apple-macosx", "aarch64-apple-darwin23.1.0", True),
        ("arm64-apple-macosx11.0", "arm64-apple-macosx14.2", True),
        ("x86_64-linux-gnu", "aarch64-linux-gnu", False),
        ("x86_64-linux-gnu", "x86_64-linux-musl", False),
        ("aarch64-linux-gnu", "aarch64-linux-android", False),
        ("arm64-apple-macosx", "arm64-apple-ios", False),
    ],
)
def test_triples_that_mean_the_same(one: str, other: str, same: bool) -> None:
    assert cpu.same_platform(one, other) == same
