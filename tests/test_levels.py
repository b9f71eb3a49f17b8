"""Libraries for other levels of this machine's architecture, on the golden words."""

import json
from pathlib import Path

import pytest
from conftest import Tree, copy_tree

from g2p_build.runtime import cpu


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    folder = tmp_path_factory.mktemp("levels")
    return copy_tree(folder / "tree", folder / "cache")


@pytest.mark.long
@pytest.mark.parametrize("level", ["x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8"])
def test_the_golden_words_are_the_same_at_every_level(levels: Tree, level: str, dtype: str) -> None:
    if missing := cpu.missing_features(cpu.CPU_FEATURES[level]):
        pytest.skip(f"this CPU lacks {', '.join(missing)}")
    name = level.replace("-", "_")
    target = ["target.triple=x86_64-linux-gnu", f"target.cpu={level}", f"target.name={name}"]
    result = levels.doit("verify", "--json", f"dtype={dtype}", *target)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert sum(row["words"] for row in rows) == 60
    assert sum(row["equal"] for row in rows) >= (60 if dtype == "float32" else 54)
    [manifest] = Path(levels.root, "manifests").glob(f"embedded-{name}-*-{dtype}-kv.json")
    assert json.loads(manifest.read_bytes())["target"]["cpu"] == level
