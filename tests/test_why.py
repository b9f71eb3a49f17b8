"""`doit why …` says what would run, and which input changed, by names that people know."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkouts import Checkout, flip_a_bit
from conftest import SMALL, Tree, products

from g2p_build import graph
from g2p_build.config import compose
from g2p_build.products.why import Reason, _field, _flat
from g2p_build.store import trees
from g2p_build.store.workspace import Workspace

PROGRAM = "program:small-b1-i32-o64-float32-kv"
CODE = "code:small-android-b1-i32-o64-float32-kv"


@pytest.fixture
def mine(checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of a tree with one variant built. The cache knows trees by their path, so it gets a record of the copy."""
    copy = checkout.copy(tmp_path)
    theirs, mine = (Workspace(each.tree.cache, each.tree.root) for each in (checkout, copy))
    trees.note_keys(mine, trees.keys(theirs))
    return copy


def why(checkout: Checkout, *words: str) -> dict[str, dict[str, Any]]:
    """The lines of `doit why --json` by the stage's name. The two archives are named by what they hold."""
    found = {}
    for line in checkout.json("why", "--json", *words):
        stage, _, label = line["name"].partition(":")
        found[f"{label.split('-')[0]} archive" if stage == "archive" else stage] = line
    return found


def reasons(line: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(reason["name"], reason["old"], reason["new"]) for reason in line["reasons"]]


def table(checkout: Checkout, *words: str) -> str:
    """What `doit why` prints for people, with single spaces."""
    result = checkout.doit("why", *words)
    assert result.returncode == 0 and not result.stderr, result.stderr
    return " ".join(result.stdout.split())


def test_of_a_tree_that_is_up_to_date_it_says_so_in_two_lines(mine: Checkout) -> None:
    assert {line["state"] for line in why(mine).values()} == {"current"}
    assert mine.doit("why").stdout.splitlines() == [
        "current: 1 checkpoint, 1 tokenizer, 1 weights, 1 program, 1 code, 1 library, 1 lexicon, 1 drafts, 2 archive, "
        "1 manifest, 1 publish",
        "nothing would run",
    ]


def edit_cpu(checkout: Checkout) -> None:
    checkout.edit("conf/target/android.yaml", "cpu: generic", "cpu: apple-a14")


def test_a_changed_field_has_its_name_in_the_config_and_both_values(mine: Checkout) -> None:
    edit_cpu(mine)
    code = why(mine)["code"]
    assert code["state"] == "stale"
    assert ("target.cpu", "generic", "apple-a14") in reasons(code)
    assert f"{CODE} stale target.cpu: generic → apple-a14" in table(mine)


def test_text_whose_spaces_matter_is_in_quotes(mine: Checkout) -> None:
    mine.edit("conf/checkpoint/path.yaml", "space_after_colon: false", "space_after_colon: true")
    assert reasons(why(mine)["tokenizer"]) == [("checkpoint.prompt", "<{lang}>:{word}", "<{lang}>: {word}")]
    assert 'checkpoint.prompt: "<{lang}>:{word}" → "<{lang}>: {word}"' in table(mine)


@pytest.mark.parametrize(
    ("change", "stage", "expected"),
    [
        (
            lambda c: c.append("g2p_build/compiler/kernels/matmul.py", "UNUSED = 1\n"),
            "code",
            ["compiler/kernels/matmul.py changed"],
        ),
        (
            lambda c: [
                c.append("g2p_build/checkpoints/extra.py", "DEPTH = 1\n"),
                c.append("g2p_build/stages/tokenizer.py", "from g2p_build.checkpoints import extra\n"),
            ],
            "tokenizer",
            ["checkpoints/__init__.py added", "checkpoints/extra.py added", "stages/tokenizer.py changed"],
        ),
        (
            lambda c: c.edit(
                "g2p_build/stages/program.py", "from g2p_build.store.files import", "from json import dumps as"
            ),
            "program",
            ["stages/program.py changed", "store/__init__.py removed", "store/files.py removed"],
        ),
        (lambda c: c.append("../small/config.json", "\n"), "checkpoint", ["config.json changed"]),
    ],
    ids=["changed", "added", "removed", "checkpoint"],
)
def test_changed_files_have_their_names(
    mine: Checkout, change: Callable[[Checkout], object], stage: str, expected: list[str]
) -> None:
    change(mine)
    assert [str(Reason(**reason)) for reason in why(mine)[stage]["reasons"]] == expected
    said = table(mine)
    assert all(phrase in said for phrase in expected)


def test_a_tool_has_both_versions(mine: Checkout) -> None:
    mine.pretend("ziglang", "9.9")
    [(name, old, new)] = reasons(why(mine)["library"])
    assert (name, new) == ("ziglang", "9.9") and old[0].isdigit()
    assert f"ziglang: {old} → 9.9" in table(mine)


def test_a_file_of_another_stage_is_named_with_it(mine: Checkout) -> None:
    mine.edit("g2p_build/stages/tokenizer.py", '"vocab_size": vocabulary', '"vocab_size": vocabulary + 1')
    mine.json("tokenizer")
    assert why(mine)["tokenizer"]["state"] == "current"
    assert why(mine)["library"]["state"] == "stale"
    assert "tokenizer.json of tokenizer:small-i32-o64 changed" in table(mine)


def test_what_takes_from_a_stale_stage_waits_and_says_what_else_is_new(mine: Checkout) -> None:
    mine.append("g2p_build/models/layers.py", "UNUSED = 1\n")
    edit_cpu(mine)
    found = why(mine)
    assert found["program"]["state"] == "stale"
    assert (found["code"]["state"], found["code"]["waits_for"]) == ("waits", [PROGRAM])
    assert ("target.cpu", "generic", "apple-a14") in reasons(found["code"])
    assert (found["publish"]["state"], found["checkpoint"]["state"]) == ("waits", "current")
    said = table(mine)
    assert f"{CODE} waits for program target.cpu: generic → apple-a14" in said
    assert (
        "then, unless what they wait for comes out as it was: 1 code, 1 library, 2 archive, 1 manifest, 1 publish ("
        in said
    )


def test_what_this_tree_never_had_is_never_built_here(mine: Checkout) -> None:
    found = why(mine, "batch=2")
    assert found["program"]["state"] == "never built"
    assert found["program"]["seconds"] is None
    assert found["tokenizer"]["state"] == "current"
    assert "program:small-b2-i32-o64-float32-kv never built here" in table(mine, "batch=2")


def test_what_another_tree_has_built_is_current_here_and_only_published(mine: Checkout) -> None:
    mine.tree.root.rename(mine.tree.root.with_name("other"))
    other = Checkout(
        type(mine.tree)(mine.tree.root.with_name("other"), mine.tree.cache), mine.checkpoint, mine.lexicon, mine.draft
    )
    for path in (other.tree.root / "manifests").glob("*.json"):
        path.unlink()
    found = why(other)
    assert {stage for stage, line in found.items() if line["state"] != "current"} == {"publish"}
    assert found["publish"]["reasons"][0]["name"].startswith("manifests/small-android-")


def entry(stage: str, output: str, which: int) -> Callable[[Checkout], Path]:
    return lambda checkout: checkout.entry(stage, output)[which]


@pytest.mark.parametrize(
    ("path", "damage", "stage", "state", "phrase"),
    [
        (entry("code", "kernels.o", 1), Path.unlink, "code", "blob gone", "kernels.o is gone from the cache"),
        (entry("code", "kernels.o", 1), flip_a_bit, "code", "blob gone", "kernels.o is damaged in the cache"),
        (entry("code", "kernels.o", 0), flip_a_bit, "code", "stale", "its entry in the cache is damaged"),
        (lambda c: c.product("dist/*android*"), Path.unlink, "publish", "stale", ".tar is missing"),
        (lambda c: c.product("dist/*android*"), flip_a_bit, "publish", "stale", ".tar is damaged"),
        (
            lambda c: c.product("manifests/small-*"),
            Path.unlink,
            "publish",
            "stale",
            "-kv-lexicon.xx-draft.xx.json is missing",
        ),
        (
            lambda c: c.product("manifests/small-*"),
            flip_a_bit,
            "publish",
            "stale",
            "-kv-lexicon.xx-draft.xx.json is damaged",
        ),
        (
            lambda c: c.product("manifests/index.json"),
            Path.unlink,
            "publish",
            "stale",
            "manifests/index.json is not the index of what is there",
        ),
    ],
)
def test_what_is_gone_or_damaged_is_named(
    mine: Checkout,
    path: Callable[[Checkout], Path],
    damage: Callable[[Path], None],
    stage: str,
    state: str,
    phrase: str,
) -> None:
    damage(path(mine))
    line = why(mine)[stage]
    assert line["state"] == state
    assert line["reasons"][0]["name"].endswith(phrase)
    assert phrase in table(mine)


def test_a_manifest_of_an_earlier_build_is_named(mine: Checkout) -> None:
    path = mine.product("manifests/small-*")
    earlier = path.read_bytes()
    mine.edit("g2p_build/stages/tokenizer.py", '"vocab_size": vocabulary', '"vocab_size": vocabulary + 1')
    mine.json("compile", "--json")
    path.write_bytes(earlier)
    [first, *_] = reasons(why(mine)["publish"])
    assert first[0] == f"manifests/{path.name} is of an earlier build"


def test_what_cannot_run_says_why(mine: Checkout) -> None:
    (mine.checkpoint / "config.json").unlink()
    found = why(mine)
    assert found["checkpoint"]["state"] == "refused"
    assert "has no config.json" in found["checkpoint"]["error"]
    assert {line["state"] for stage, line in found.items() if stage not in ("checkpoint", "lexicon", "drafts")} == {
        "waits"
    }
    said = table(mine)
    assert "has no config.json" in said and "cannot run: 1 checkpoint" in said


def test_the_time_is_what_the_stage_took_last(mine: Checkout) -> None:
    before = why(mine)["code"]["seconds"]
    edit_cpu(mine)
    assert before > 0
    assert why(mine)["code"]["seconds"] == before
    assert f"would run: 1 code ({before:.1f} s last time)" in table(mine)


def test_without_records_it_is_less_precise_and_no_error(mine: Checkout) -> None:
    mine.append("g2p_build/compiler/kernels/matmul.py", "UNUSED = 1\n")
    for path in (mine.tree.cache / "sources").iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    assert f"{CODE} stale its source changed" in table(mine)
    for path in (mine.tree.cache / "trees").iterdir():
        flip_a_bit(path)
    assert why(mine)["code"]["state"] in ("never built", "stale")
    for path in (mine.tree.cache / "trees").iterdir():
        path.unlink()
    assert why(mine)["code"]["state"] == "never built"


def test_it_runs_nothing_and_writes_nothing_into_the_tree(mine: Checkout) -> None:
    mine.append("g2p_build/models/layers.py", "UNUSED = 1\n")
    mine.product("dist/*android*").unlink()
    before = products(mine.tree), sorted((mine.tree.cache / "actions").glob("*/*"))
    table(mine, "batch=1,2")
    assert (products(mine.tree), sorted((mine.tree.cache / "actions").glob("*/*"))) == before


def test_a_hydra_multirun_is_remembered_too(mine: Checkout) -> None:
    for path in (mine.tree.cache / "trees").iterdir():
        path.unlink()
    settings = ["checkpoint=path", f"checkpoint.path={mine.checkpoint}", "target=android", "max_lens=short"]
    result = mine.tree.run(sys.executable, "-m", "g2p_build", *settings)
    assert result.returncode == 0, result.stderr
    edit_cpu(mine)
    assert why(mine)["code"]["state"] == "stale"


def test_every_parameter_of_every_stage_has_a_name_that_the_command_line_knows() -> None:
    known = compose._keys() - {"checkpoint", "target", "max_lens"}
    chosen = tuple(f"{key}." for key in compose._mappings())  # the user chooses the keys of these fields
    [embedded] = compose.variants()
    [random] = compose.variants(SMALL)
    for variant in (embedded, random):
        for node in graph.nodes(variant).values():
            names = {_field(node.stage, name) for name in _flat(node.params)}
            # The names of the variant, of its weights and of its files follow from the other fields.
            names = {name for name in names if not name.startswith(("files.", *chosen))}
            # No command line has a say in what the family gives.
            names = {name for name in names if not name.startswith("family.")}
            assert names - {"name", "weights_name"} <= known


def test_what_the_family_gives_is_not_called_the_targets() -> None:
    [variant] = compose.variants(["target=wasm"])
    library = graph.nodes(variant)["library"]
    names = {_field(library.stage, name) for name in _flat(library.params)}
    assert {name for name in names if name.startswith("family.")} == {
        "family.description",
        "family.library",
        "family.loaders",
    }
    assert "target.name" not in names and "target.package" in names


def test_another_machines_keys_are_compared_and_what_differs_is_named(tree: Tree, tmp_path: Path) -> None:
    """What users of shared caches ask: why was this not a hit there? The other machine is played by an edited file."""
    tree.compiled(*SMALL)
    rows = [json.loads(line) for line in tree.doit("why", "--json", *SMALL).stdout.splitlines()]
    there = tmp_path / "there.json"
    there.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    same = tree.doit("why", "--against", str(there), *SMALL).stdout
    assert same.startswith("same key, or nothing that differs: 1 checkpoint") and len(same.splitlines()) == 1
    for row in rows:
        if row["stage"] == "code":
            row["key"], row["components"]["tools"]["apache-tvm"] = "0" * 64, "0.1"
            row["components"]["params"]["cpu"] = "elsewhere"
            row["components"]["sources"]["g2p_build/stages/code.py"] = "0" * 64
    there.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = [
        json.loads(line) for line in tree.doit("why", "--json", "--against", str(there), *SMALL).stdout.splitlines()
    ]
    [code] = [row for row in found if row["state"] == "differs"]
    assert code["stage"] == "code"
    named = {(reason["kind"], reason["name"]) for reason in code["reasons"]}
    assert {("config", "target.cpu"), ("source", "g2p_build/stages/code.py"), ("tool", "apache-tvm")} == named
    assert tree.doit("why", "--against", "dodo.py").stderr.count("is not what `doit why --json` printed") == 1


def test_the_identity_of_every_tool_is_in_the_keys_of_the_stages_that_use_it(tree: Tree) -> None:
    tree.compiled(*SMALL)
    rows = [json.loads(line) for line in tree.doit("why", "--json", *SMALL).stdout.splitlines()]
    tools = {row["stage"]: set(row["components"]["tools"]) for row in rows if "components" in row}
    assert {"torch", "safetensors"} <= tools["checkpoint"] | tools["weights"]
    assert {"torch", "apache-tvm"} <= tools["program"] | tools["code"] and "apache-tvm" in tools["code"]
    assert "ziglang" in tools["library"]
    assert all(row["key"] for row in rows if "components" in row)
