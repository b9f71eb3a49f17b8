"""The compiler's code for 64-bit Arm, run under emulation on the golden words."""

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Tree, copy_tree
from safetensors import safe_open

from g2p_build.compiler.link import LINKABLE, link_shared
from g2p_build.runtime import manifest as contract
from g2p_build.runtime import tokenizer

TRIPLE = "aarch64-linux-gnu"
SYSTEM = Path("/usr") / TRIPLE  # Debian's packages libc6-arm64-cross and libstdc++6-arm64-cross

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="qemu-aarch64 is not installed (qemu-user)"),
    pytest.mark.skipif(
        not SYSTEM.is_dir(), reason=f"{SYSTEM} is not there (libc6-arm64-cross, libstdc++6-arm64-cross)"
    ),
]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the TVM libraries of the aarch64 wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    wanted = [f"{name}=={version(name)}" for name in ("apache-tvm", "apache-tvm-ffi")]
    platforms = [word for name in ("28", "27", "24") for word in ("--platform", f"manylinux_2_{name}_aarch64")]
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    got = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, *platforms, *wanted], capture_output=True, text=True
    )
    if got.returncode != 0:
        pytest.skip(f"the aarch64 wheels cannot be had: {got.stderr.strip().splitlines()[-1]}")
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as members:
            for name in members.namelist():
                if Path(name).name in ("libtvm_ffi.so", "libtvm_runtime.so"):
                    (folder / Path(name).name).write_bytes(members.read(name))
    return folder


@pytest.fixture(scope="module")
def loader(wheels: Path) -> Path:
    """The C++ loader, built for aarch64."""
    import tvm_ffi

    output, headers = wheels / "loader", Path(tvm_ffi.__file__).parent / "include"
    command = [sys.executable, "-m", "ziglang", "c++", "-target", LINKABLE[TRIPLE], "-std=c++17", "-O1"]
    command += ["-I", str(headers), str(ROOT / "tests" / "aarch64_loader.cpp"), str(wheels / "libtvm_ffi.so")]
    built = subprocess.run([*command, "-o", str(output)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return output


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    folder = tmp_path_factory.mktemp("arm")
    tree = copy_tree(folder / "tree", folder / "cache")
    tree.compiled("target=linux_arm64", "dtype=float32,float16")
    return tree


def plan(functions: list[dict[str, Any]], weights: Path, bound: int) -> str:
    """What the loader reads: tensors, functions and the greatest number of ids."""
    with safe_open(weights, "numpy") as stored:
        names = set(stored.keys())
    head = int.from_bytes(weights.read_bytes()[:8], "little")
    entries = json.loads(weights.read_bytes()[8 : 8 + head])
    lines, numbers = [f"bound {bound}"], dict[tuple[Any, ...], int]()

    def number(entry: dict[str, Any]) -> int:
        key = (entry["name"], *entry["shape"])
        if entry["name"] == "hidden":
            return -1
        if key not in numbers:
            offset = 8 + head + entries[entry["name"]]["data_offsets"][0] if entry["name"] in names else -1
            kind, bits = ("1", entry["dtype"][5:]) if entry["dtype"].startswith("float") else ("0", "32")
            shape = " ".join(map(str, [len(entry["shape"]), *entry["shape"]]))
            numbers[key] = len(numbers)
            lines.append(f"tensor {kind} {bits} {offset} {shape}")
        return numbers[key]

    for function in sorted(functions, key=lambda function: function["input_len"]):
        if function["tokens"] in (None, 1):
            passed = [number(entry) for entry in function["inputs"]]
            words = [function["role"], function["name"], function["input_len"], len(passed), *passed]
            lines.append("function " + " ".join(map(str, words)))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_golden_words_are_the_same_on_arm(arm: Tree, loader: Path, tmp_path: Path, dtype: str) -> None:
    data = contract.read(arm.root / "manifests" / f"embedded-linux_arm64-b1-i64-o128-{dtype}-kv.json")
    for entry in data["archives"].values():
        with tarfile.open(arm.root / "dist" / entry["file"]) as archive:
            archive.extractall(tmp_path, filter="data")
    link_shared([tmp_path / name for name in data["files"]["library"]], TRIPLE, tmp_path / "model.so")
    weights = tmp_path / data["files"]["weights"]
    bound = data["model"]["max_output_len"]
    (tmp_path / "plan").write_text(plan(data["functions"], weights, bound), encoding="ascii")

    golden = json.loads((ROOT / "g2p_build" / "golden" / "embedded.json").read_bytes())["words"]
    prompts = [tokenizer.encode(data["model"], row["word"], row["lang"]) for row in golden]
    libraries = f"LD_LIBRARY_PATH={loader.parent}"
    files = [loader.parent / "libtvm_runtime.so", tmp_path / "model.so", weights, tmp_path / "plan"]
    ran = subprocess.run(
        ["qemu-aarch64", "-L", str(SYSTEM), "-E", libraries, str(loader), *map(str, files)],
        input="".join(" ".join(map(str, prompt)) + "\n" for prompt in prompts),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    found = [[int(word) for word in line.split()] for line in ran.stdout.splitlines()]
    assert len(found) == len(golden) == 60
    equal = sum(ids == row["ids"] for ids, row in zip(found, golden, strict=True))
    assert equal == 60 if dtype == "float32" else equal >= 54
