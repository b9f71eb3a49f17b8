"""`doit ir`, `doit profile` and `doit tune` on a small odd shape."""

from pathlib import Path

import pytest
from conftest import Tree, copy_tree
from test_compile import SMALL

KERNEL = "norm_matmul_24_63"  # queries, keys and values: d_model 24, three times three heads of 7


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
    assert all(f"__tvm_ffi_{KERNEL}:" in Path(path).read_text(encoding="utf-8") for path in paths)


def test_an_unknown_phase_is_one_line(small: Tree) -> None:
    assert "no phase is named 'lwer'; did you mean lower" in refusal(small, "ir", "--phase=lwer")
