"""The config of lexicons: what a command line means, names, and mistakes."""

from pathlib import Path

import pytest

from g2p_build.config.compose import CONF, ConfigError, Variant, variants
from g2p_build.graph import nodes
from g2p_build.lexicon.table import write_table

DEFAULT = "embedded-host-b1-i64-o128-float32-kv"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the user stands: a list, a table, a folder of dictionaries, one of frequencies, an empty one."""
    for folder in ("my", "names", "use", "empty"):
        (tmp_path / folder).mkdir()
    for file in ("my/eng-us.tsv", "names/fin.tsv", "names/tha.tsv", "use/fin.tsv", "my/notes.txt", "xx.tsv"):
        (tmp_path / file).write_text("a\t1\n", encoding="utf-8")
    (tmp_path / "my" / "table.g2plex").write_bytes(write_table({"fin": {"a": ["b"]}}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one(*overrides: str) -> Variant:
    (variant,) = variants(overrides)
    return variant


# What a command line means


def test_by_default_the_embedded_checkpoint_has_its_own_and_others_have_none() -> None:
    assert one().lexicon.files == ("embedded",)
    assert one("checkpoint=random").lexicon.is_off
    assert one("lexicon=auto") == one("lexicon=embedded") == one()
    assert one("lexicon=off", "checkpoint=random") == one("checkpoint=random")


def test_a_value_of_lexicon_is_that_of_its_files() -> None:
    for value in ("off", "embedded", "my/eng-us.tsv", "[my/eng-us.tsv,names,embedded]", "my/table.g2plex"):
        assert one(f"lexicon={value}") == one(f"lexicon.files={value}")
    assert one("lexicon=[my/eng-us.tsv,names,embedded]").lexicon.files == ("my/eng-us.tsv", "names", "embedded")
    assert one("lexicon=off").lexicon.is_off


def test_a_comma_outside_of_brackets_is_a_sweep() -> None:
    assert [variant.lexicon.files for variant in variants(["lexicon=off,embedded,names"])] == [
        (),
        ("embedded",),
        ("names",),
    ]


def test_exceptions_come_after_the_files() -> None:
    found = one("lexicon.exceptions=names", "lexicon.use=use", "lexicon.max_bytes=5000").lexicon
    assert (found.files, found.exceptions, found.use, found.max_bytes) == (("embedded",), "names", "use", 5000)
    alone = one("lexicon=off", "lexicon.exceptions=names").lexicon
    assert (alone.files, alone.exceptions, alone.max_bytes, alone.is_off) == ((), "names", 600_000, False)


# Names


def test_what_is_not_the_checkpoints_own_is_in_the_name() -> None:
    names = {
        "lexicon=auto": DEFAULT,
        "lexicon=off": f"{DEFAULT}-nolexicon",
        "lexicon=my/eng-us.tsv": f"{DEFAULT}-lexicon.eng_us",
        "lexicon=[names,embedded]": f"{DEFAULT}-lexicon.names.embedded",
        "lexicon.exceptions=names": f"{DEFAULT}-lexicon.embedded.exceptions.names",
    }
    assert {line: one(line).name for line in names} == names
    more = ["lexicon=off", "lexicon.exceptions=names", "lexicon.use=use", "lexicon.max_bytes=5000"]
    assert one(*more).name == f"{DEFAULT}-lexicon.exceptions.names.use.5000"


def test_variants_that_differ_only_in_the_lexicon_share_all_but_what_holds_it() -> None:
    own, off, mine = (nodes(variant) for variant in variants(["lexicon=auto,off,names"]))
    assert "lexicon" not in off
    for other in (off, mine):
        different = {role for role in own if role in other and own[role] != other[role]}
        # A library archive has the variant's name, and its content is the same: it is not made again.
        assert different - {"lexicon"} == {"library_archive", "weights_archive", "manifest"}
        assert other["library_archive"].inputs == own["library_archive"].inputs
    assert len({graph["weights_archive"].name for graph in (own, off, mine)}) == 3


def test_exceptions_are_made_on_this_machine_once_for_all_targets() -> None:
    phone, web = (nodes(v) for v in variants(["target=iphone,wasm", "lexicon.exceptions=names", "batch=8"]))
    assert phone["exceptions"] == web["exceptions"] and phone["lexicon"] == web["lexicon"]
    assert phone["exceptions_library"].label == "embedded-host-b64-i64-o128-float32-kv"
    assert phone["exceptions"].inputs["library"][0] == phone["exceptions_library"]
    assert nodes(one("lexicon.exceptions=names", "batch=64"))["library"] == phone["exceptions_library"]


def test_a_lexicon_of_files_depends_on_neither_dtype_nor_lengths() -> None:
    sweep = variants(["lexicon=names", "dtype=float16,float32", "max_lens=short,long", "kv_cache=true,false"])
    assert len({nodes(variant)["lexicon"].name for variant in sweep}) == 1


# Mistakes

MISTAKES = [
    ("lexicon=of", "lexicon=of: give off, embedded, a file LANG.tsv or *.g2plex, or a folder of files LANG.tsv"),
    ("lexicon=my/none.tsv", "or a folder of files LANG.tsv; there is no such file"),
    ("lexicon=empty", "this folder has no LANG.tsv"),
    ("lexicon=my/notes.txt", "lexicon=my/notes.txt: give off, embedded"),
    ("lexicon=[embedded,off]", "lexicon=off: give off, embedded"),
    ("lexicon=[]", "lexicon=[]: give off"),
    ("lexicon=null", "lexicon=None: give off, embedded"),
    ("lexicon=5", "lexicon=5: give off, embedded"),
    ("lexicon={a: b}", "lexicon={'a': 'b'}: give off, embedded"),
    ("lexicon.file=off", "unknown key 'lexicon.file': did you mean 'lexicon.files'?"),
    ("lexicon.exceptions=my/eng-us.tsv", "lexicon.exceptions=my/eng-us.tsv is no folder of files LANG.tsv"),
    ("lexicon.exceptions=empty", "lexicon.exceptions=empty is no folder of files LANG.tsv"),
    ("lexicon.exceptions=names lexicon.use=nowhere", "lexicon.use=nowhere is no folder of files LANG.tsv"),
    ("lexicon.use=use", "lexicon.use=use is for exceptions: name dictionaries too, lexicon.exceptions=FOLDER"),
    ("lexicon.max_bytes=5000", "lexicon.max_bytes=5000 is for exceptions"),
    ("lexicon.exceptions=names lexicon.max_bytes=10", "lexicon.max_bytes=10 is too small: give at least 1024"),
    ("lexicon.exceptions=names lexicon.max_bytes=1.5", "lexicon.max_bytes=1.5"),
    ("lexicon=xx.tsv", "unknown language of lexicon=xx.tsv: 'xx': it is one of eng-us, fin"),
    ("lexicon=my/eng-us.tsv,my/../my/eng-us.tsv", "two lexicons are called 'lexicon.eng_us'"),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_one_line(line: str, said: str) -> None:
    overrides = [line] if "{" in line else line.split(" ")
    with pytest.raises(ConfigError) as caught:
        variants(overrides)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_the_packages_own_lexicon_is_there() -> None:
    assert (CONF.parent / "g2p_build" / "checkpoints" / "embedded" / "lexicon.g2plex").is_file()
