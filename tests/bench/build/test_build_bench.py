"""Every build tool gets the same graph, what ran is checked, and the figures mean what the page says."""

import dataclasses
import json
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from conftest import DEFAULT, Tree

from bench.build import contenders, plot
from bench.build.__main__ import TOOLS
from bench.build.graphs import LEAF, WRITERS, Step, steps
from bench.build.measure import SCENARIOS, measure
from bench.build.report import Cell, markdown
from g2p_build import graph
from g2p_build.config import compose
from g2p_build.config.variant import Variant

LEAVES = ["w000", "w001", "w002"]

Edges = set[tuple[frozenset[str], frozenset[str]]]  # a node's inputs and its outputs


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).touch()
    [found] = compose.variants(["checkpoint=path", f"checkpoint.path={tmp_path}"])
    return found


@pytest.fixture
def plan(variant: Variant) -> list[Step]:
    return steps(variant)


def expected(plan: list[Step]) -> Edges:
    def over(paths: list[str], leaf: str) -> frozenset[str]:
        return frozenset(path.replace(LEAF, leaf) for path in paths)

    return {(over(step.inputs, leaf), over(step.outputs, leaf)) for step in plan for leaf in LEAVES}


def test_the_steps_are_the_stages_of_the_graph_and_a_publication(variant: Variant, plan: list[Step]) -> None:
    nodes = graph.nodes(variant)
    assert [step.name for step in plan] == [*nodes, "publish"]
    roles = {node.name: role for role, node in nodes.items()}
    made_by = {path: step.name for step in plan for path in step.outputs}
    for step in plan[:-1]:
        upstream = {made_by[path] for path in step.inputs if path in made_by}
        assert upstream == {roles[node.name] for node, _ in nodes[step.name].inputs.values()}


def test_every_input_is_a_leaf_or_was_made_before(plan: list[Step]) -> None:
    known = {f"leaves/{LEAF}/config.json", f"leaves/{LEAF}/model.safetensors"}
    for step in plan:
        assert set(step.inputs) <= known
        assert not set(step.outputs) & known
        known |= set(step.outputs)


def in_ninja(text: str) -> Edges:
    assert set(re.findall(r"^build .*: (\w+) ", text, re.M)) == set(re.findall(r"^rule (\w+)$", text, re.M))
    builds = re.findall(r"^build (.*): \w+ (.*)\n  leaf = (.*)$", text, re.M)
    return {(frozenset(needed.split()), frozenset(made.split())) for made, needed, _ in builds}


def in_snakemake(text: str) -> Edges:
    rules = re.findall(r"^rule \w+:\n    input: (.*)\n    output: (.*)\n    shell: (.*)$", text, re.M)
    assert all("wildcards.leaf" in json.loads(shell) for _, _, shell in rules)

    def listed(paths: str, leaf: str) -> frozenset[str]:
        return frozenset(json.loads(f"[{paths}]".replace("{leaf}", leaf)))

    return {(listed(needed, leaf), listed(made, leaf)) for needed, made, _ in rules for leaf in LEAVES}


def in_dvc(text: str) -> Edges:
    stages: list[Any] = list(json.loads(text)["stages"].values())

    def listed(paths: Iterable[str], leaf: str) -> frozenset[str]:
        return frozenset(path.replace("${item}", leaf) for path in paths)

    return {
        (listed(stage["do"]["deps"], leaf), listed(chain(*stage["do"]["outs"]), leaf))
        for stage in stages
        for leaf in stage["foreach"]
    }


def in_doit(text: str) -> Edges:
    tasks: dict[str, Any] = {}
    exec(text, tasks)
    found = [task for name, create in tasks.items() if name.startswith("task_") for task in create()]
    return {(frozenset(task["file_dep"]), frozenset(task["targets"])) for task in found}


@pytest.mark.parametrize(
    ("tool", "read"), [("ninja", in_ninja), ("snakemake", in_snakemake), ("dvc", in_dvc), ("doit", in_doit)]
)
def test_every_tool_is_given_the_same_nodes_and_edges(tool: str, read: Any, plan: list[Step]) -> None:
    _, write = WRITERS[tool]
    edges = read(write(plan, LEAVES))
    assert len(edges) == len(plan) * len(LEAVES)
    assert edges == expected(plan)


def test_every_tool_but_doit_has_a_list_that_pins_it() -> None:
    pins = {path.stem: path.read_text(encoding="utf-8").strip() for path in TOOLS.glob("*.txt")}
    assert set(pins) == set(contenders.PEERS) - {"doit"}
    assert all(re.fullmatch(rf"{tool}==[\d.]+", pin) for tool, pin in pins.items())


def test_snakemake_is_asked_for_every_product(plan: list[Step]) -> None:
    _, write = WRITERS["snakemake"]
    [wanted] = re.findall(r"^rule all:\n    input: expand\((\[.*\]), leaf=LEAVES\)$", write(plan, LEAVES), re.M)
    assert json.loads(wanted) == [path.replace(LEAF, "{leaf}") for path in plan[-1].outputs]


def test_a_tool_is_measured_doing_exactly_what_each_change_needs(tmp_path: Path, plan: list[Step]) -> None:
    doit = contenders.make("doit", tmp_path / "doit", plan, LEAVES, tmp_path)
    found = measure([doit], LEAVES, 2, lambda what: None)
    assert {scenario: len(seconds) for (_, scenario), seconds in found.items()} == {
        scenario.name: 2 for scenario in SCENARIOS
    }
    pretender = dataclasses.replace(doit, name="snakemake")  # of which more is expected
    with pytest.raises(RuntimeError, match=r"snakemake ran .* after weights, not .*'library'"):
        measure([pretender], LEAVES[2:], 1, lambda what: None)


def test_what_our_reporter_says_is_understood(built: Tree) -> None:
    assert contenders.said(built.compiled()) == []
    manifest = json.loads((built.root / "manifests" / f"{DEFAULT}.json").read_bytes())
    (built.root / "dist" / manifest["archives"]["weights"]["file"]).unlink()
    assert contenders.said(built.compiled()) == ["publish"]


def page(cells: list[Cell], missing: dict[str, str], drawn: bool = True) -> list[str]:
    machine = {"processor": "a CPU", "machine": "x86_64", "vectors": None, "cores": 2, "memory_gib": 8}
    machine |= {"system": "Linux", "python": "3.11", "load": [0.1, 0.2]}
    facts = {"command": "python -m bench.build", "machine": machine, "versions": {"dvc": "3"}, "missing": missing}
    return markdown(facts | {"cells": [cell.as_json() for cell in cells]}, drawn)


CELLS = [Cell("g2p-build", 20, 180, "nothing", 0, (0.5, 0.4, 0.6)), Cell("dvc", 20, 180, "nothing", 0, (2.0, 2.0))]


def test_the_page_has_a_row_for_each_cell_and_for_each_tool_that_is_missing() -> None:
    lines = page(CELLS, {"ninja": "no wheel"})
    assert "| 20 | 180 | g2p-build | 0.500 (0.450-0.550) | 2.78 | 1 | 0 | 3 |" in lines
    assert "| 20 | 180 | dvc | 2.00 (2.00-2.00) | 11.1 | 4.50 (4.25-4.75) | 0 | 2 |" in lines
    assert "|  |  | ninja | not measured: no wheel |  |  |  |  |" in lines
    assert "- dvc 3" in lines


def test_the_page_shows_the_picture_or_says_what_it_needs() -> None:
    assert "![seconds over nodes](build.svg)" in page(CELLS, {})
    [line] = [line for line in page(CELLS, {}, drawn=False) if "picture" in line]
    assert "matplotlib" in line


def test_the_picture_has_a_line_for_each_tool_in_each_scenario() -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    plot.draw(figure, [dataclasses.replace(cell, scenario=s.name).as_json() for cell in CELLS for s in SCENARIOS])
    assert [len(panel.containers) for panel in figure.axes] == [2] * len(SCENARIOS)
