"""The search for tiles."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from compiled_library import host
from t5_reference import random_checkpoint

from g2p_build.compiler import tune as tuning
from g2p_build.compiler.export import export
from g2p_build.compiler.kernels import tiles
from g2p_build.compiler.kernels.cpu import Cpu, cpu_of
from g2p_build.compiler.kernels.matmul import Matmul, matmul
from g2p_build.compiler.pipeline import packed_kernels, target_of
from g2p_build.compiler.tune import render, shapes, tune
from g2p_build.models.programs import programs


def here() -> Cpu:
    return cpu_of(target_of(host()))


def poor() -> Cpu:
    """This machine's vector unit, with the smallest possible tiles."""
    cpu = here()
    return replace(cpu, chunk=32, tiles=((2, max(1, 32 // cpu.lanes)), (1, max(1, 32 // cpu.lanes))))


def test_the_committed_table_is_in_the_form_that_tuning_writes() -> None:
    source = tiles.__file__
    assert source is not None
    assert render(tiles.TILES) == Path(source).read_text(encoding="utf-8")


def test_only_one_row_of_the_table_changes() -> None:
    entry = {**tiles.TILES["neon"], "chunk": 96, "tiles": {1: 8, 2: 4}}
    changed = render({**tiles.TILES, "neon": entry}).splitlines()
    before = render(tiles.TILES).splitlines()
    [(old, new)] = [(old, new) for old, new in zip(before, changed, strict=True) if old != new]
    assert '"neon"' in old and '"chunk": 96, "tiles": {2: 4, 1: 8}' in new
    scope: dict[str, object] = {}
    exec("\n".join(changed), scope)
    assert scope["TILES"] == {**tiles.TILES, "neon": entry}


def test_tuning_uses_the_shapes_of_the_programs() -> None:
    arch = random_checkpoint(0, d_model=24, d_kv=7, d_ff=40, num_heads=3, num_layers=1, num_decoder_layers=1)
    found = shapes(export(programs(arch.architecture, [2], [16], 8, "float32", True))[0])
    by_rows = {(spec.inner, spec.columns, rows): count for (spec, rows), count in found.items()}
    # Queries, keys and values, in the encoder over 16 positions and in steps of 1, 4, 8 and 16 tokens.
    assert by_rows[24, 63, 32] == 1 + 16 and by_rows[24, 63, 2] == 16
    assert all(rows in (2, 8, 16, 32) for _, _, rows in by_rows)


def test_a_poor_table_gets_better() -> None:
    found = {(Matmul(256, 512), 64): 1}
    tuned = tune(found, poor(), target_of(host()))
    assert tuned != poor() and tuned.tiles[0] > poor().tiles[0]
    assert (tuned.name, tuned.lanes, tuned.accumulators) == (poor().name, poor().lanes, poor().accumulators)


@pytest.mark.parametrize(
    "spec",
    [
        Matmul(40, 70),
        Matmul(40, 70, "float16", 1e-6, "relu"),
        Matmul(33, 50, epsilon=1e-6, activation="gated-gelu"),
        Matmul(33, 64, residual=True),
    ],
    ids=str,
)
def test_no_table_changes_a_bit_of_a_result(spec: Matmul) -> None:
    target = target_of(host())
    start = here()
    groups = [*tuning._tops(start), *tuning._smaller(start), *tuning._chunks(start)]
    every = [tuning._with(start, **change) for group in groups for change in group]
    tried = {cpu.tiles[0]: cpu for cpu in every} | {cpu.tiles[-1]: cpu for cpu in every} | {0: every[-1], 1: poor()}
    cpus = [start, *tried.values()]
    kernels = {f"k{number}": matmul(*spec.made_for(cpu), cpu) for number, cpu in enumerate(cpus)}
    built = packed_kernels(kernels, target)

    def result(number: int, rows: int) -> bytes:
        arguments = tuning._arguments(spec, rows, cpus[number])
        built[f"k{number}"](*arguments)
        found = arguments[-1].numpy()
        assert np.any(found != 0)
        return found.tobytes()

    for rows, number in product((1, 3, 13, 70), range(1, len(cpus))):
        assert result(number, rows) == result(0, rows)
