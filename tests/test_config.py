"""conf/ and the override grammar: their meaning, and that Hydra agrees."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from g2p_build.config import compose as conf
from g2p_build.config import resolve
from g2p_build.config.compose import CONF, ConfigError, Variant, as_json, variants
from g2p_build.runtime.cpu import CPU_FEATURES, host_cpu, host_triple

REVISION = "0123456789abcdef" * 2 + "01234567"


def one(*overrides: str) -> Variant:
    (variant,) = variants(overrides)
    return variant


def names(*overrides: str) -> list[str]:
    return [variant.name for variant in variants(overrides)]


# What a variant is


def test_the_default_variant() -> None:
    variant = one()
    assert variant.name == "embedded-host-b1-i64-o128-float32-kv"
    assert variant.checkpoint.source == "embedded"
    assert variant.checkpoint.resolved_prompt == "<{lang}>: {word}"
    assert variant.checkpoint.languages == ("eng-us", "fin", "spa-latin", "swa", "tha", "vie-n")
    assert (variant.batch, variant.dtype, variant.kv_cache) == ((1,), "float32", True)


def test_host_is_made_concrete() -> None:
    target = one().target
    assert (target.triple, target.cpu) == (host_triple(), host_cpu())
    assert target.features == CPU_FEATURES[host_cpu()]
    assert target.package == "shared"


@pytest.mark.parametrize(
    ("name", "triple"),
    [("iphone", "arm64-apple-ios14.0"), ("android", "aarch64-linux-android")],
)
def test_targets_for_an_apps_own_linker(name: str, triple: str) -> None:
    target = one(f"target={name}").target
    assert (target.name, target.kind, target.triple) == (name, "llvm", triple)
    assert (target.engine, target.package) == ("standalone", "objects")


@pytest.mark.parametrize(
    ("name", "triple", "library"),
    [
        ("linux_arm64", "aarch64-linux-gnu", "shared"),
        ("macos_arm64", "arm64-apple-macosx", "shared"),
        ("android_arm64", "aarch64-linux-android", "shared"),
        ("android_x86_64", "x86_64-linux-android", "shared"),
        ("wasm", "wasm32-unknown-wasi", "module"),
    ],
)
def test_targets_that_are_linked_here(name: str, triple: str, library: str) -> None:
    target = one(f"target={name}").target
    assert (target.triple, target.engine, target.package) == (triple, "standalone", library)
    needed = {"wasm": ("simd128",), "macos_arm64": ("asimddp", "asimdhp", "fphp")}
    needed["android_x86_64"] = CPU_FEATURES["x86-64-v2"]  # which Android demands of every such processor
    assert target.features == needed.get(name, ())


@pytest.mark.parametrize(("name", "lens"), [("short", (32, 64)), ("default", (64, 128)), ("long", (96, 160))])
def test_max_lens(name: str, lens: tuple[int, int]) -> None:
    bounds = one(f"max_lens={name}").max_lens
    assert (bounds.input, bounds.output) == lens


@pytest.mark.parametrize("size", ["tiny_8", "tiny_12", "tiny_16", "small"])
def test_charsiu_checkpoints_are_pinned_and_have_no_space(size: str) -> None:
    checkpoint = one(f"checkpoint=charsiu_{size}", f"checkpoint.revision={REVISION}").checkpoint
    assert checkpoint.repo is not None
    assert checkpoint.repo.startswith(f"charsiu/g2p_multilingual_byT5_{size}")
    assert checkpoint.revision == REVISION
    assert checkpoint.resolved_prompt == "<{lang}>:{word}"
    assert checkpoint.languages is None


def test_a_path_and_its_prompt(tmp_path: Path) -> None:
    (tmp_path / "mine.v2").mkdir()
    checkpoint = one(
        "checkpoint=path",
        f"checkpoint.path='{tmp_path}/mine.v2/'",
        "checkpoint.space_after_colon=true",
        "checkpoint.append_eos=true",
        "checkpoint.languages=[fin,swa]",
    ).checkpoint
    assert checkpoint.name.startswith("mine.v2+")
    assert checkpoint.resolved_prompt == "<{lang}>: {word}"
    assert checkpoint.append_eos
    assert checkpoint.languages == ("fin", "swa")


def test_random_has_tiny_8s_shape_unless_told() -> None:
    shape = one("checkpoint=random").checkpoint.shape
    assert shape is not None
    assert (shape.num_layers, shape.num_decoder_layers, shape.d_model, shape.d_ff) == (8, 4, 256, 1024)
    assert (shape.num_heads, shape.d_kv, shape.vocab_size) == (6, 64, 384)
    small = one("checkpoint=random", "checkpoint/shape=small", "checkpoint.shape.d_ff=100").checkpoint.shape
    assert small is not None
    assert (small.d_model, small.d_ff) == (1472, 100)


def test_every_option_in_conf_is_a_variant(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    for checkpoint in (CONF / "checkpoint").glob("*.yaml"):
        text = checkpoint.read_text(encoding="utf-8")
        pin = [f"checkpoint.revision={REVISION}"] if "source: hub" in text else []
        pin = [f"checkpoint.path={tmp_path}"] if "source: path" in text else pin
        assert variants(["target=glob(*)", "max_lens=glob(*)", f"checkpoint={checkpoint.stem}", *pin])
    for matrix in (CONF / "matrix").glob("*.yaml"):
        assert len(variants([f"matrix={matrix.stem}"])) > 1
    assert len(variants(["checkpoint=random", "checkpoint/shape=glob(*)"])) == 5


def test_a_variant_is_json_with_its_eight_fields() -> None:
    data = as_json(one("checkpoint=random", "batch=[8,1]"))
    assert json.loads(json.dumps(data)) == data
    assert list(data) == ["name", "checkpoint", "target", "batch", "max_lens", "dtype", "kv_cache", "lexicon", "draft"]
    assert data["batch"] == [1, 8]
    assert data["checkpoint"]["shape"]["d_model"] == 256


def test_a_new_target_is_one_file(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    text = (conf / "target" / "android.yaml").read_text(encoding="utf-8")
    (conf / "target" / "tablet.yaml").write_text(text.replace("generic", "apple-a14"), encoding="utf-8")
    (variant,) = variants(["target=tablet"], conf)
    assert (variant.target.name, variant.target.cpu) == ("tablet", "apple-a14")


# Sweeps


def test_a_sweep_is_the_cross_product_in_the_order_of_the_overrides() -> None:
    assert names("batch=1,8", "kv_cache=true,false") == [
        "embedded-host-b1-i64-o128-float32-kv",
        "embedded-host-b1-i64-o128-float32-nokv",
        "embedded-host-b8-i64-o128-float32-kv",
        "embedded-host-b8-i64-o128-float32-nokv",
    ]


def test_lists_stay_lists() -> None:
    assert [v.batch for v in variants(["batch=[1,8,32]"])] == [(1, 8, 32)]
    assert [v.batch for v in variants(["batch=[32,1,1],2"])] == [(1, 32), (2,)]


def test_ranges_and_globs() -> None:
    assert [v.batch for v in variants(["batch=range(1,4)"])] == [(1,), (2,), (3,)]
    assert [v.target.name for v in variants(["target=glob(*,exclude=host)"])] == [
        "android",
        "android_arm64",
        "android_x86_64",
        "iphone",
        "linux_arm64",
        "macos_arm64",
        "wasm",
    ]


def test_the_later_of_two_values_counts_and_a_variant_comes_once() -> None:
    assert names("target=iphone", "target=host") == names()
    assert names("batch=1,1,[1]") == names()


def test_a_matrix_is_a_sweep_that_the_command_line_beats() -> None:
    assert [v.batch for v in variants(["matrix=batches"])] == [(1,), (8,), (32,)]
    assert [(v.batch, v.dtype) for v in variants(["matrix=batches", "dtype=float16", "batch=2"])] == [((2,), "float16")]
    assert {(v.batch, v.kv_cache) for v in variants(["matrix=smoke"])} == {
        ((1,), True),
        ((1,), False),
        ((1, 8), True),
        ((1, 8), False),
    }


# Names


def test_what_differs_from_an_options_file_is_in_the_name() -> None:
    assert one("checkpoint=random", "checkpoint.seed=0").checkpoint.name == "random"
    assert one("checkpoint=random", "checkpoint/shape=small").checkpoint.name == "random_small"
    seeds = {one("checkpoint=random", f"checkpoint.seed={seed}").checkpoint.name for seed in range(1, 4)}
    assert len(seeds) == 3
    assert all(name.startswith("random+") and len(name) == len("random+") + 8 for name in seeds)
    assert one("target.cpu=x86-64", "target.triple=x86_64-linux-gnu").target.name.startswith("host+")
    assert one("checkpoint=random", "checkpoint.seed=1", "checkpoint.name=mine").checkpoint.name == "mine"


def test_the_same_difference_written_another_way_has_the_same_name() -> None:
    first = one("checkpoint=random", "checkpoint.seed=7", "checkpoint.shape.d_ff=64")
    assert first == one("checkpoint.shape.d_ff=64", "checkpoint.seed=7", "checkpoint=random")


# Hydra agrees


@pytest.fixture(scope="module")
def hydra_tree() -> Iterator[None]:
    conf.register_schema()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        yield


def as_hydra_does(overrides: list[str]) -> list[Variant]:
    """The variants of a sweep that Hydra's own sweeper expands and Hydra composes."""
    matrix = [line.partition("=")[2] for line in overrides if line.startswith("matrix=")]
    params = OmegaConf.load(CONF / "matrix" / f"{matrix[-1]}.yaml").hydra.sweeper.params if matrix else {}
    lines = [f"{key}={value}" for key, value in params.items()] + overrides
    jobs = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(conf.in_full(lines)), None)[0]
    found = []
    for job in jobs:
        composed = compose("config", overrides=list(job), return_hydra_config=True)
        choices = OmegaConf.to_container(composed.hydra.runtime.choices)
        found.append(conf.composed(OmegaConf.masked_copy(composed, [k for k in composed if k != "hydra"]), choices))
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["matrix=smoke"],
        ["matrix=batches", "batch=2,[2,4]", "dtype=float16"],
        ["target=iphone,host", "max_lens=long", "max_lens.input=70"],
        ["checkpoint=random", "checkpoint/shape=small,tiny_8", "checkpoint.shape.num_heads=3", "checkpoint.seed=5"],
        ["checkpoint=charsiu_small", f"checkpoint.revision={REVISION}", "checkpoint.languages=[a,'b-c',7]"],
        ["checkpoint=random", "checkpoint.shape.layer_norm_epsilon=1e-5,0.001", "checkpoint.append_eos=true"],
        ["lexicon=off,embedded,auto", "checkpoint=embedded,random"],
        ["family=kokoro,g2p", "dtype=float32,float16"],
        ["lexicon.files=[embedded],off", "lexicon.max_bytes=600000"],
        ["lexicon=[embedded]", "lexicon=off"],
        ["lexicon=[embedded]"],
        ["checkpoint.prompt='{lang}: {word}','<{lang}>{space}{word}'", "batch=range(1,3)"],
    ],
    ids=" ".join,
)
def test_hydra_composes_the_same_variants(hydra_tree: None, overrides: list[str]) -> None:
    assert _variants_or_error(variants, overrides) == _variants_or_error(as_hydra_does, overrides)


def test_a_family_stands_for_its_usual_checkpoint() -> None:
    assert variants(["family=g2p,kokoro"]) == variants(["checkpoint=embedded,kokoro_packaged"])


VALUES = {
    "target": ["host", "iphone", "android"],
    "checkpoint": ["embedded", "random"],
    "max_lens": ["short", "long"],
    "max_lens.output": ["2", "77"],
    "batch": ["1", "[1,8]", "3"],
    "dtype": ["float16", "float32", "'float16'"],
    "kv_cache": ["true", "False"],
    "checkpoint.space_after_colon": ["true", "false"],
    "checkpoint.languages": ["null", "[xx]", "['eng-us',fin]"],
    "checkpoint.name": ["a", "B2", "7", "null"],
    "target.features": ["[avx]", "null", "[]"],
    "target.name": ["x", "null"],
}
LINES = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.lists(st.sampled_from(VALUES[key]), min_size=1, max_size=2).map(lambda v: f"{key}={','.join(v)}")
)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(overrides=st.lists(LINES, max_size=4, unique_by=lambda line: line.split("=")[0]))
def test_hydra_composes_the_same_variants_of_any_sweep(hydra_tree: None, overrides: list[str]) -> None:
    assert _variants_or_error(variants, overrides) == _variants_or_error(as_hydra_does, overrides)


def _variants_or_error(compose_all, overrides: list[str]):  # type: ignore[no-untyped-def]
    try:
        found = compose_all(overrides)
        resolve.names(found)
    except ConfigError as error:
        return str(error)
    return found
