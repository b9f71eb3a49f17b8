"""A short run of the fuzz target that makes calls. ../core/fuzz_main.c says how to do a long one."""

from pathlib import Path

import pytest
from kits import HERE, INCLUDES, SANITIZERS, SOURCES, gcc, run

SEEDS = sorted((HERE / "seeds" / "abi").iterdir())


@pytest.mark.parametrize("caches", ["", "-DTOY_CACHELESS"])
@pytest.mark.parametrize("mutations", [20_000, pytest.param(3_000_000, marks=pytest.mark.long)])
def test_seeds_and_mutations_of_them_do_no_harm(tmp_path: Path, caches: str, mutations: int) -> None:
    """Most models have a draft table, whole or damaged, whose guesses are wrong: what is said is what is known."""
    sources = [
        HERE.parent / "core" / "fuzz_main.c",
        *(HERE / name for name in ("fuzz_abi.c", "toy.c", "toy_search.c")),
        *SOURCES,
    ]
    options = [*SANITIZERS["address"], *INCLUDES, f"-I{HERE}", *([caches] if caches else [])]
    gcc(*options, *sources, "-o", tmp_path / "fuzz")
    assert run(tmp_path / "fuzz", mutations, 1, *SEEDS) == f"{len(SEEDS)} seeds and {mutations} mutations\n"
