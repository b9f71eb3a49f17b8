"""A contender's files are made again when the code that makes them changes, in whichever package it is."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT

from bench.common.named import chosen
from bench.common.process import Failed
from bench.pronounce.contenders import PEERS
from bench.pronounce.prepare import FROM_THE_PACKAGE, prepared
from bench.speak import contenders, measure
from g2p_build.config import compose
from g2p_build.store.sources import source_files

ENGINES = [
    *(("pronounce", peer.engine) for peer in PEERS if peer.made_for is not None),
    *(("speak", peer.engine) for peer in contenders.PEERS if peer.made_for is not None),
]


@pytest.mark.parametrize(("bench", "engine"), sorted(set(ENGINES)))
def test_all_that_an_engine_takes_from_the_package_is_part_of_its_files_key(
    bench: str, engine: str, tmp_path: Path
) -> None:
    modules = FROM_THE_PACKAGE if bench == "pronounce" else measure.FROM_THE_PACKAGE
    covered = {name for module in modules for name in source_files(tmp_path, module)}
    taken = set()
    for name in source_files(tmp_path, f"bench.{bench}.engines.{engine}", ROOT / "bench"):
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        nodes = ast.walk(ast.parse(path.read_bytes()))
        taken |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    ours = {name for name in taken if name.startswith("g2p_build")}
    assert ours
    assert ours <= covered


def test_what_cannot_be_made_is_said_in_the_same_words_each_time(tmp_path: Path) -> None:
    [peer], [variant] = chosen(["ctranslate2-float32"], PEERS), compose.variants([])
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    setup = peer.setup(variant, threads=1, folder=checkpoint, batches=(1,))
    (tmp_path / "bench").mkdir()
    for _ in range(2):
        with pytest.raises(Failed, match="its files cannot be made"):
            prepared(tmp_path, peer, setup, checkpoint, Path("/bin/false"), lambda _: None)
