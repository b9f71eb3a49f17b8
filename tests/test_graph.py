"""The graph: variants that agree on a stage's fields share the stage."""

import itertools
from collections import Counter

import pytest

from g2p_build.config.compose import variants
from g2p_build.graph import nodes, order


def stages(*overrides: str) -> Counter[str]:
    """How many nodes each stage has in the graph of a sweep."""
    return Counter(node.stage for node in order(variants(overrides)))


ONE = dict.fromkeys(
    ["checkpoint", "tokenizer", "weights", "program", "code", "library", "lexicon", "drafts", "manifest"], 1
) | {"archive": 2}


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ([], ONE),
        (["target=host,linux_arm64,iphone,android"], ONE | {"code": 4, "library": 4, "archive": 5, "manifest": 4}),
        (
            ["dtype=float32,float16"],
            ONE | {"weights": 2, "program": 2, "code": 2, "library": 2, "archive": 4, "manifest": 2},
        ),
        (
            ["max_lens=short,long"],
            ONE | {"tokenizer": 2, "program": 2, "code": 2, "library": 2, "archive": 3, "manifest": 2},
        ),
        (
            ["target=host,iphone,android", "batch=1,8", "kv_cache=true,false", "dtype=float32,float16"],
            ONE | {"weights": 2, "program": 8, "code": 24, "library": 24, "archive": 26, "manifest": 24},
        ),
    ],
)
def test_a_sweep_has_each_stage_once(sweep: list[str], expected: dict[str, int]) -> None:
    assert stages(*sweep) == expected


def test_both_engines_have_the_same_stages() -> None:
    assert stages("target.engine=vm") == stages("target.engine=standalone") == ONE


def test_a_standalone_library_is_compiled_for_its_greatest_batch() -> None:
    several, one = variants(["batch=[1,8]"])[0], variants(["batch=8"])[0]
    assert nodes(several)["library"] == nodes(one)["library"]
    assert nodes(several)["manifest"] != nodes(one)["manifest"]
    by_machine = variants(["batch=[1,8]", "target.engine=vm"])[0]
    assert nodes(by_machine)["program"].params["batch"] == [1, 8]


def test_a_node_comes_after_its_inputs() -> None:
    seen: set[str] = set()
    for node in order(variants(["target=host,iphone", "batch=1,8"])):
        assert {upstream.name for upstream, _ in node.inputs.values()} <= seen
        seen.add(node.name)


def test_one_name_is_one_node() -> None:
    by_name: dict[str, object] = {}
    sweep = variants(["target=host,iphone", "batch=1,8", "max_lens.input=48,64", "checkpoint=embedded,random"])
    for node in itertools.chain.from_iterable(nodes(variant).values() for variant in sweep):
        assert by_name.setdefault(node.name, node) == node


def test_the_prompt_is_no_part_of_where_a_checkpoint_comes_from() -> None:
    [plain], [ended] = variants(["checkpoint.append_eos=false"]), variants(["checkpoint.append_eos=true"])
    assert nodes(plain)["checkpoint"].params == nodes(ended)["checkpoint"].params
    assert nodes(plain)["tokenizer"].params != nodes(ended)["tokenizer"].params


def test_a_folder_is_known_by_its_contents() -> None:
    [variant] = variants([])
    checkpoint = nodes(variant)["checkpoint"]
    [folder] = checkpoint.folders
    assert folder not in str(checkpoint.params)
