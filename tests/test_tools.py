"""`doit ir`, `doit profile` and `doit tune` on a small odd shape."""

import json
from pathlib import Path

import pytest
from conftest import Tree, copy_tree
from test_compile import SMALL

KERNEL = "matmul_24"
CALL = "matmul_24 63"  # of queries, keys and values: d_model 24, three times three heads of 7


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree with the small shape built for this machine."""
    folder = tmp_path_factory.mktemp("tools")
    tree = copy_tree(folder / "tree", folder / "cache")
    tree.compiled(*SMALL)
    return tree


def said(tree: Tree, *words: str) -> str:
    result = tree.doit(*words, *SMALL)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refusal(tree: Tree, *words: str) -> str:
    result = tree.doit(*words, *(() if any(word.startswith("checkpoint=") for word in words) else SMALL))
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    [line] = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
    return line


def test_a_kernel_is_printed(small: Tree) -> None:
    assert "T.alloc_buffer" in said(small, "ir", f"--function={KERNEL}")


def test_modules_are_written_to_a_folder_for_every_variant(small: Tree, tmp_path: Path) -> None:
    paths = said(small, "ir", "target=host,iphone", "--phase=asm", f"--out={tmp_path}").splitlines()
    assert {Path(path) for path in paths} == set(tmp_path.iterdir()) and len(paths) == 2
    assert all(f"g2p_kernel_{KERNEL}:" in Path(path).read_text(encoding="utf-8") for path in paths)


def test_an_unknown_phase_is_one_line(small: Tree) -> None:
    assert "no phase is named 'lwer'; did you mean lower" in refusal(small, "ir", "--phase=lwer")


def test_a_profile_accounts_for_the_time_of_a_word(small: Tree, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    for _ in range(5):  # other work on the machine can spoil a run, or make an empty call longer than a kernel
        lines = said(small, "profile", "--json", f"--trace={trace}").splitlines()
        *rows, rest, whole = [json.loads(line) for line in lines]
        matmuls = [row for row in rows if row["kernel"] == CALL]
        if abs(rest["share"]) < 0.3 and all(row["us"] > 0 for row in matmuls):
            break
    assert (rest["kernel"], whole["kernel"], whole["share"]) == ("not accounted", "whole", 1.0)
    assert abs(rest["share"]) < 0.3
    assert abs(sum(row["us"] for row in rows) + rest["us"] - whole["us"]) < 1
    assert {row["role"] for row in rows} == {"encode", "prefill", "step"}
    assert {(row["role"], row["calls"]) for row in matmuls} == {("encode", 1), ("step", 16)}
    assert all(row["GFLOP/s"] > 0 and row["GB/s"] > 0 and row["of_peak"] > 0 for row in matmuls)

    slices = [event for event in json.loads(trace.read_text())["traceEvents"] if event["ph"] == "X"]
    assert [event["name"] for event in slices if event["tid"] == 0] == [
        "encode",
        "prefill",
        *(f"step {position}" for position in range(16)),
    ]
    assert sum(event["name"] == CALL for event in slices) == 17


def test_a_profile_is_a_table_for_people(small: Tree) -> None:
    text = said(small, "profile", "batch=2")
    assert "peaks:" in text and "batch 2" in text and "between kernels" in text


def test_what_cannot_be_profiled_is_one_line(small: Tree) -> None:
    assert "does not run here" in refusal(small, "profile", "target=iphone")


@pytest.mark.long
def test_tuning_writes_the_row_of_this_machine_and_a_dry_run_nothing(small: Tree, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree", small.cache)
    table = tree.root / "g2p_build" / "compiler" / "kernels" / "tiles.py"
    before = table.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in said(tree, "tune", "--json", "--dry-run").splitlines()]
    assert [row["table"] for row in rows] == ["old", "new"] and rows[0]["speed_up"] == 1
    assert table.read_text(encoding="utf-8") == before
    [row] = [json.loads(line) for line in said(tree, "tune", "--json").splitlines()][1:]
    after = table.read_text(encoding="utf-8")
    changed = [line for old, line in zip(before.splitlines(), after.splitlines(), strict=True) if old != line]
    assert len(changed) <= 1
    tiles = ", ".join(f"{size}: {vectors}" for size, vectors in (tile.split("x") for tile in row["tiles"].split(", ")))
    assert f'"chunk": {row["chunk"]}, "tiles": {{{tiles}}}' in after


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8"])
def test_matmuls_of_any_weights_can_be_tuned(small: Tree, dtype: str) -> None:
    rows = [json.loads(line) for line in said(small, "tune", "--json", "--dry-run", f"dtype={dtype}").splitlines()]
    assert [row["table"] for row in rows] == ["old", "new"]


def test_what_cannot_be_tuned_is_one_line(small: Tree) -> None:
    assert "does not run here" in refusal(small, "tune", "target=iphone")
    assert "for one variant, not for 2" in refusal(small, "tune", "batch=1,2")
