"""What a build runs after a change, and what it keeps. The table below is the specification.

Each row makes its change in a copy of a tree with one built variant. It asks `doit why`, then builds again. R: the
stage runs. A dot: its outputs are kept. If a stage runs and writes the same bytes as before, the stages after it keep
their keys and do not run (early cutoff).
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from checkouts import Checkout, flip_a_bit
from conftest import Tree
from safetensors.torch import load_file, save_file

TABLE = """
                                              checkpoint                             library weights
                                              | tokenizer          program           archive archive
                                              | | weights          |   code              |   |   manifest
                                              | | |   lexicon      |   |   library       |   |   |   publish
                                              | | |   |  drafts    |   |   |             |   |   |   |
nothing                                       . . .   .  .         .   .   .             .   .   .   .
one weight's value                            R . R   .  .         .   .   .             .   R   R   R
the checkpoint's config.json reformatted      R . .   .  .         .   .   .             .   .   .   .
the prompt template                           . R .   .  .         .   .   R             R   .   R   R
max_lens                                      . R .   .  .         R   R   R             R   .   R   R
batch                                         . . .   .  .         R   R   R             R   .   R   R
dtype                                         . . R   .  .         R   R   R             R   R   R   R
kv_cache                                      . . .   .  .         R   R   R             R   .   R   R
the target's cpu                              . . .   .  .         .   R   R             R   .   R   R
the target's name only                        . . .   .  .         .   .   .             .   .   R   R
a comment in a schedule                       . . .   .  .         .   .   .             .   .   .   .
a docstring in a stage                        . . .   .  .         .   .   .             .   .   .   .
a line of a stage, to another effect          . R .   .  .         .   .   R             R   .   R   R
a line of a stage, to the same effect         . R .   .  .         .   .   .             .   .   .   .
a line of what a stage imports                . . R   .  .         R   .   .             .   .   .   .
a line of a schedule, to the same effect      . . .   .  .         .   R   .             .   .   .   .
a line of the core                            . . .   .  .         .   .   R             R   .   R   R
a line of a file that no stage imports        . . .   .  .         .   .   .             .   .   .   .
README                                        . . .   .  .         .   .   .             .   .   .   .
a word of the lexicon                         . . .   R  .         .   .   .             .   R   R   R
the lexicon, to the same words                . . .   R  .         .   .   .             .   .   .   .
a lexicon more                                . . .   R  .         .   .   .             .   R   R   R
a word of the draft table                     . . .   .  R         .   .   .             .   R   R   R
the draft table's words, in another order     . . .   .  R         .   .   .             .   .   .   .
another version of TVM                        . . .   .  .         R   R   .             .   .   R   R
another version of torch                      R . R   .  .         R   .   .             .   .   R   R
the manifest deleted                          . . .   .  .         .   .   .             .   .   .   R
an archive deleted                            . . .   .  .         .   .   .             .   .   .   R
the index deleted                             . . .   .  .         .   .   .             .   .   .   R
the code's blob deleted                       . . .   .  .         .   R   .             .   .   .   .
an archive's blob deleted                     . . .   .  .         .   .   .             R   .   .   .
the code's action entry deleted               . . .   .  .         .   R   .             .   .   .   .
a bit flipped in the manifest                 . . .   .  .         .   .   .             .   .   .   R
a bit flipped in an archive                   . . .   .  .         .   .   .             .   .   .   R
a bit flipped in the code's blob              . . .   .  .         .   R   .             .   .   .   .
every file touched                            . . .   .  .         .   .   .             .   .   .   .
the checkout renamed                          . . .   .  .         .   .   .             .   .   .   .
the checkpoint moved to another folder        . . .   .  .         .   .   .             .   .   .   .
the clock set back                            . . .   .  .         .   .   .             .   .   .   .
a stage changed, its times put back           . R .   .  .         .   .   R             R   .   R   R
"""

STAGES = (
    "checkpoint",
    "tokenizer",
    "weights",
    "lexicon",
    "drafts",
    "program",
    "code",
    "library",
    "library archive",
    "weights archive",
    "manifest",
    "publish",
)

ROWS = {line[:46].strip(): line[46:].split() for line in TABLE.splitlines() if set(line[46:].split()) <= {"R", "."}}
del ROWS[""]


def set_times(paths: list[Path], seconds: float) -> None:
    """Changes the times of files. Their bytes stay."""
    for path in paths:
        status = path.stat()
        os.utime(path, (status.st_atime + seconds, status.st_mtime + seconds))


def a_weight(checkout: Checkout) -> None:
    path = checkout.checkpoint / "model.safetensors"
    tensors = load_file(path)
    tensors["shared.weight"][3, 2] += 1
    save_file(tensors, path, metadata={"format": "pt"})


def config_reformatted(checkout: Checkout) -> None:
    path = checkout.checkpoint / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4, sort_keys=True) + "\n")


def renamed(checkout: Checkout) -> None:
    checkout.tree.root.rename(checkout.tree.root.with_name("renamed"))
    checkout.tree = Tree(checkout.tree.root.with_name("renamed"), checkout.tree.cache)


def moved(checkout: Checkout) -> None:
    elsewhere = checkout.checkpoint.parent / "elsewhere" / checkout.checkpoint.name
    elsewhere.parent.mkdir()
    checkout.checkpoint = checkout.checkpoint.rename(elsewhere)


def another_lexicon(checkout: Checkout) -> None:
    other = checkout.lexicon.parent / "others" / "xx.tsv"
    other.parent.mkdir()
    other.write_text("c\tz\n", encoding="utf-8")
    checkout.overrides.append(f"lexicon=[{checkout.lexicon},{other.parent}]")


def times_put_back(checkout: Checkout) -> None:
    """Other bytes, of the same number and with the same time: a clock that was set back could cause this."""
    path = checkout.tree.root / "g2p_build/stages/tokenizer.py"
    before = path.stat()
    checkout.edit("g2p_build/stages/tokenizer.py", 'b"\\n"', 'b"  "')
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


CHANGES: dict[str, Callable[[Checkout], object]] = {
    "nothing": lambda _: None,
    "one weight's value": a_weight,
    "the checkpoint's config.json reformatted": config_reformatted,
    "the prompt template": lambda c: c.edit("conf/checkpoint/path.yaml", "<{lang}>", "{lang}"),
    "max_lens": lambda c: c.overrides.append("max_lens.input=40"),
    "batch": lambda c: c.overrides.append("batch=2"),
    "dtype": lambda c: c.overrides.append("dtype=float16"),
    "kv_cache": lambda c: c.overrides.append("kv_cache=false"),
    "the target's cpu": lambda c: c.edit("conf/target/android.yaml", "cpu: generic", "cpu: apple-a14"),
    "the target's name only": lambda c: c.overrides.append("target.name=board"),
    "a comment in a schedule": lambda c: c.append("g2p_build/compiler/kernels/matmul.py", "# more of it\n"),
    "a docstring in a stage": lambda c: c.edit("g2p_build/stages/tokenizer.py", "Writes `tok", "Makes `tok"),
    "a line of a stage, to another effect": lambda c: c.edit(
        "g2p_build/stages/tokenizer.py", '"vocab_size": vocabulary', '"vocab_size": vocabulary + 1'
    ),
    "a line of a stage, to the same effect": lambda c: c.append("g2p_build/stages/tokenizer.py", "UNUSED = 1\n"),
    "a line of what a stage imports": lambda c: c.append("g2p_build/models/layers.py", "UNUSED = 1\n"),
    "a line of a schedule, to the same effect": lambda c: c.append(
        "g2p_build/compiler/kernels/matmul.py", "UNUSED = 1\n"
    ),
    "a line of the core": lambda c: c.append("g2p_build/native/g2p/decode.c", "/* more of it */\n"),
    "a line of a file that no stage imports": lambda c: c.append("g2p_build/reference/verify.py", "UNUSED = 1\n"),
    "README": lambda c: c.append("README.md", "More to read.\n"),
    "a word of the lexicon": lambda c: c.lexicon.write_text("a\tx\nb\tz\n", encoding="utf-8"),
    "the lexicon, to the same words": lambda c: c.lexicon.write_text("b\ty\n\na\tx\na\tq\n", encoding="utf-8"),
    "a lexicon more": another_lexicon,
    "a word of the draft table": lambda c: c.draft.write_text("a\tx\nb\tz\n", encoding="utf-8"),
    "the draft table's words, in another order": lambda c: c.draft.write_text("b\ty\na\tx\n", encoding="utf-8"),
    "another version of TVM": lambda c: c.pretend("apache-tvm", "9.9"),
    "another version of torch": lambda c: c.pretend("torch", "9.9"),
    "the manifest deleted": lambda c: c.product("manifests/small-*.json").unlink(),
    "an archive deleted": lambda c: c.product("dist/*-weights-*.tar").unlink(),
    "the index deleted": lambda c: c.product("manifests/index.json").unlink(),
    "the code's blob deleted": lambda c: c.entry("code", "kernels.o")[1].unlink(),
    "an archive's blob deleted": lambda c: c.entry("archive", "archive.tar")[1].unlink(),
    "the code's action entry deleted": lambda c: c.entry("code", "kernels.o")[0].unlink(),
    "a bit flipped in the manifest": lambda c: flip_a_bit(c.product("manifests/small-*.json")),
    "a bit flipped in an archive": lambda c: flip_a_bit(c.product("dist/*android*.tar")),
    "a bit flipped in the code's blob": lambda c: flip_a_bit(c.entry("code", "kernels.o")[1]),
    "every file touched": lambda c: set_times(c.files(), 1),
    "the checkout renamed": renamed,
    "the checkpoint moved to another folder": moved,
    "the clock set back": lambda c: set_times(c.files(), 1_000_000),
    "a stage changed, its times put back": times_put_back,
}


def built(checkout: Checkout) -> tuple[set[str], dict[str, str]]:
    """Asks why, then builds. Returns the stages that ran, and the state that `doit why` gave for each."""
    ran, said = set(), {}
    for line in checkout.json("why", "--json", "compile", "--json"):
        if "state" in line:
            said[column(*str(line["name"]).split(":"))] = str(line["state"])
        elif line["outcome"] == "built":
            ran.add(column(str(line["stage"]), str(line["label"])))
    return ran, said


def column(stage: str, label: str) -> str:
    return f"{label.split('-')[0]} archive" if stage == "archive" else stage


def test_every_change_has_a_row() -> None:
    assert list(ROWS) == list(CHANGES)


@pytest.mark.parametrize("name", ROWS)
def test_a_build_runs_exactly_what_a_change_makes_stale(checkout: Checkout, name: str, tmp_path: Path) -> None:
    checkout = checkout.copy(tmp_path)
    CHANGES[name](checkout)
    expected = {stage for stage, cell in zip(STAGES, ROWS[name], strict=True) if cell == "R"}
    ran, said = built(checkout)
    assert ran == expected
    # What `doit why` said before the build was right. Only "waits" leaves open whether a stage runs.
    assert set(said) == set(STAGES)
    assert {stage for stage, state in said.items() if state not in ("current", "waits")} <= ran
    assert {stage for stage, state in said.items() if state == "current"}.isdisjoint(ran)
