"""`python -m g2p_build` builds the same variants as `doit compile`, as a Hydra application."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from g2p_build.config.compose import CONF, variants


def python(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"PYTHONPATH": str(CONF.parent)}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_variants_need_neither_torch_nor_tvm(tmp_path: Path) -> None:
    code = (
        "import sys; from g2p_build.config.compose import variants; variants(['matrix=smoke']);"
        "print(sorted({'torch', 'tvm', 'tvm_ffi', 'transformers', 'numpy', 'doit'} & set(sys.modules)))"
    )
    assert python("-c", code, cwd=tmp_path).stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["targt=host"], "error: unknown key 'targt'"),
        (["-m", "target=iphon"], "error: unknown target 'iphon'"),
        (["batch=1,8"], "error: this is a sweep over 2 variants: add -m"),
        (["matrix=smoke"], "error: this is a sweep over 4 variants: add -m"),
        (["-m", "batch=1,8", "hydra/launcher=ry"], "error: In 'hydra/config'"),
        (["hydra.foo=1"], "error: Could not override 'hydra.foo'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_hydra_app_refuses_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = python("-m", "g2p_build", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


# Replaces the build: it only prints what would be published. Other tests really build.
ASKED = """
import runpy, sys
from g2p_build.engine import build
from g2p_build.store import trees
from g2p_build.products import publish
from g2p_build.errors import BuildError
def ensure(self, nodes):
    if "FAIL" in str(list(nodes)): raise BuildError("the stage failed")
build.Build.ensure = ensure
build.Build.keys = lambda self, nodes: ()
publish.publish = lambda build, nodes, default: nodes["manifest"].label
trees.note_published = lambda *arguments: None
sys.argv = ["g2p_build", *sys.argv[1:]]
runpy.run_module("g2p_build", run_name="__main__")
"""


@pytest.mark.parametrize(
    "overrides",
    [
        ["matrix=smoke"],
        ["matrix=batches", "batch=2", "dtype=float16,float32"],
        ["target=glob(*)", "kv_cache=false"],
        ["checkpoint=random", "checkpoint/shape=embedded,small", "checkpoint.seed=3"],
    ],
    ids=" ".join,
)
def test_a_hydra_multirun_builds_the_same_variants(tmp_path: Path, overrides: list[str]) -> None:
    done = python("-c", ASKED, "-m", *overrides, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.split() == [variant.name for variant in variants(overrides)]
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == [
        "build/multirun/multirun.yaml"
    ]


def test_a_single_run_leaves_nothing_behind_and_a_failed_one_exits_with_2(tmp_path: Path) -> None:
    done = python("-c", ASKED, "target=iphone", cwd=tmp_path)
    assert (done.stdout.split(), done.stderr) == ([variants(["target=iphone"])[0].name], "")
    failed = python("-c", ASKED, "checkpoint.name=FAIL", cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1] == "error: the stage failed"
    assert "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())
