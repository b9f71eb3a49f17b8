"""conf/ and the override grammar: what they mean, that Hydra agrees, and what a mistake says."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from g2p_build import config
from g2p_build.config import CONF, ConfigError, Variant, as_json, variants
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
    assert target.library == "shared"


@pytest.mark.parametrize(
    ("name", "triple"),
    [("linux_arm64", "aarch64-linux-gnu"), ("iphone", "arm64-apple-ios"), ("android", "aarch64-linux-android")],
)
def test_targets_for_an_apps_own_linker(name: str, triple: str) -> None:
    target = one(f"target={name}").target
    assert (target.name, target.kind, target.triple, target.link, target.library) == (
        name,
        "llvm",
        triple,
        "vm",
        "objects",
    )


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
    for checkpoint in (CONF / "checkpoint").glob("*.yaml"):
        pin = [f"checkpoint.revision={REVISION}"] if "charsiu" in checkpoint.stem else []
        pin = [f"checkpoint.path={tmp_path}"] if checkpoint.stem == "path" else pin
        assert variants(["target=glob(*)", "max_lens=glob(*)", f"checkpoint={checkpoint.stem}", *pin])
    for matrix in (CONF / "matrix").glob("*.yaml"):
        assert len(variants([f"matrix={matrix.stem}"])) > 1
    assert len(variants(["checkpoint=random", "checkpoint/shape=glob(*)"])) == 5


def test_a_variant_is_json_with_its_six_fields() -> None:
    data = as_json(one("checkpoint=random", "batch=[8,1]"))
    assert json.loads(json.dumps(data)) == data
    assert list(data) == ["name", "checkpoint", "target", "batch", "max_lens", "dtype", "kv_cache"]
    assert data["batch"] == [1, 8]
    assert data["checkpoint"]["shape"]["d_model"] == 256


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
    assert [v.target.name for v in variants(["target=glob(*,exclude=host)"])] == ["android", "iphone", "linux_arm64"]


def test_of_two_values_the_later_counts_and_a_variant_comes_once() -> None:
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
    config.register_schema()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        yield


def as_hydra_does(overrides: list[str]) -> list[Variant]:
    """A sweep expanded by Hydra's sweeper, every point composed whole by Hydra."""
    matrix = [line.partition("=")[2] for line in overrides if line.startswith("matrix=")]
    params = OmegaConf.load(CONF / "matrix" / f"{matrix[-1]}.yaml").hydra.sweeper.params if matrix else {}
    lines = [f"{key}={value}" for key, value in params.items()] + overrides
    jobs = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(lines), None)[0]
    found = []
    for job in jobs:
        composed = compose("config", overrides=list(job), return_hydra_config=True)
        choices = OmegaConf.to_container(composed.hydra.runtime.choices)
        found.append(config.composed(OmegaConf.masked_copy(composed, [k for k in composed if k != "hydra"]), choices))
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
        ["checkpoint.prompt='{lang}: {word}','<{lang}>{space}{word}'", "batch=range(1,3)"],
    ],
    ids=" ".join,
)
def test_hydra_composes_the_same_variants(hydra_tree: None, overrides: list[str]) -> None:
    assert _variants_or_error(variants, overrides) == _variants_or_error(as_hydra_does, overrides)


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


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(overrides=st.lists(LINES, max_size=4, unique_by=lambda line: line.split("=")[0]))
def test_hydra_composes_the_same_variants_of_any_sweep(hydra_tree: None, overrides: list[str]) -> None:
    assert _variants_or_error(variants, overrides) == _variants_or_error(as_hydra_does, overrides)


def _variants_or_error(resolve, overrides: list[str]):  # type: ignore[no-untyped-def]
    try:
        found = resolve(overrides)
        config.checks.names(found)
    except ConfigError as error:
        return str(error)
    return found


# Mistakes

MISTAKES = [
    # keys and options
    ("targt=host", "unknown key 'targt': did you mean 'target'?"),
    ("target.cpuu=generic", "unknown key 'target.cpuu': did you mean 'target.cpu'?"),
    ("checkpoint=random checkpoint.shape.d_modl=3", "did you mean 'checkpoint.shape.d_model'?"),
    ("a.b.c=1", "unknown key 'a.b.c': it is one of batch, checkpoint"),
    ("=3", "unknown key ''"),
    ("target=iphon", "unknown target 'iphon': did you mean 'iphone'?"),
    ("target=Host", "unknown target 'Host': did you mean 'host'?"),
    ("target=", "unknown target '': it is one of android, host, iphone, linux_arm64"),
    ("target=null", "unknown target 'null'"),
    ("target=[host]", "unknown target \"['host']\": did you mean 'host'?"),
    ("target=host,windos", "unknown target 'windos'"),
    ("target=../config", "unknown target '../config'"),
    ("target=glob(z*)", "sweeps over nothing"),
    ("checkpoint=embeded", "did you mean 'embedded'?"),
    ("checkpoint={a:1}", "unknown checkpoint \"{'a': 1}\""),
    ("max_lens=shrt", "did you mean 'short'?"),
    ("matrix=smok", "unknown matrix 'smok': did you mean 'smoke'?"),
    ("matrix=smoke,batches", "matrix=smoke,batches: one matrix at a time"),
    ("checkpoint=random checkpoint/shape=smal", "unknown checkpoint/shape 'smal': did you mean 'small'?"),
    ("checkpoint=random checkpoint.shape=small", "choose one with checkpoint/shape=NAME"),
    ("checkpoint/shape=small", "checkpoint=embedded has no choice of shape"),
    ("checkpoint.shape.d_model=3", "this checkpoint has no shape"),
    # grammar
    ("batch", "cannot read 'batch': missing EQUAL"),
    ("batch=[1,8", "cannot read 'batch=[1,8'"),
    ("checkpoint.name=${", "cannot read 'checkpoint.name=${'"),
    ("checkpoint.name=${target.name}", "interpolations"),
    ("checkpoint.name=???", "interpolations and '???'"),
    ("+x=1", "'+x=1': nothing can be added"),
    ("++batch=1", "nothing can be added"),
    ("~target", "'~target': nothing can be removed"),
    ("target@here=host", "packages (@) are not used here"),
    ("hydra/launcher=ray", "'hydra/launcher=ray' is for Hydra"),
    ("hydra.verbose=true", "is for Hydra"),
    ("batch=interval(1,5)", "use batch=range(START,STOP)"),
    ("batch=range(1,1)", "sweeps over nothing"),
    ("batch=range(1,5,0)", "cannot read 'batch=range(1,5,0)'"),
    # values
    ("batch=0", "batch=0: give a positive integer"),
    ("batch=-1", "batch=-1: give a positive integer"),
    ("batch=1,0", "batch=0: give a positive integer"),
    ("batch=[1,0]", "batch=[1, 0]: give a positive integer"),
    ("batch=[]", "batch=[]: give a positive integer"),
    ("batch=true", "batch=true: give a positive integer"),
    ("batch=one", "batch=one: give a positive integer"),
    ("batch='8'", "batch=8: give a positive integer"),
    ("batch=1.5", "batch=1.5: give a positive integer"),
    ("batch=null", "batch=null: give a positive integer"),
    ("batch={a:1}", "give a positive integer"),
    ("dtype=float64", "unknown dtype 'float64': did you mean 'float16'? It is one of float16, float32"),
    ("dtype=16", "unknown dtype '16'"),
    ("dtype=null", "unknown dtype 'null'"),
    ("kv_cache=maybe", "kv_cache=maybe: give true or false"),
    ("kv_cache=1", "kv_cache=1: give true or false"),
    ("kv_cache=null", "kv_cache=null: give true or false"),
    ("max_lens.input=abc", "max_lens.input=abc"),
    ("max_lens.input=48.5", "max_lens.input=48.5"),
    ("max_lens.input=48.0", "max_lens.input=48.0"),
    ("max_lens.input='48'", "max_lens.input=48: give an integer"),
    ("max_lens.input=true", "max_lens.input=true"),
    ("max_lens.input=null", "max_lens.input=null: field 'input' is not Optional"),
    ("max_lens.output=1", "max_lens.output=1 is too small: give at least 2"),
    ("max_lens.input=0", "max_lens.input=0 is too small"),
    ("max_lens.input=13", "with its prompt '<spa-latin>: ' takes 14"),
    ("max_lens.input=14 checkpoint.append_eos=true", "takes 15"),
    ("checkpoint.append_eos=1", "checkpoint.append_eos=1: give true or false"),
    ("checkpoint.prompt=hello", "give a line with {word} once"),
    ("checkpoint.prompt='{wrd}{word}'", "give a line with {word} once"),
    ("checkpoint.prompt='{word}{word}'", "give a line with {word} once"),
    ("checkpoint.languages=eng", "checkpoint.languages=eng"),
    ("checkpoint.languages=[]", "checkpoint.languages=[] allows no word"),
    ("checkpoint.languages=[a,[b]]", "checkpoint.languages"),
    ("checkpoint.eos_id=7", "checkpoint.eos_id=7 is a byte's id"),
    ("checkpoint.name=../x", "checkpoint.name='../x'"),
    ("checkpoint.name=true", "checkpoint.name=true: give text"),
    ("target.name=a-b", "target.name='a-b'"),
    ("target.cpu=null", "target.cpu=null: field 'cpu' is not Optional"),
    ("target.triple=x86_64-linux-gnu target.cpu=x86-64-v9", "unknown target.cpu 'x86-64-v9': did you mean"),
    ("target.triple=x86_64-linux-gnu target.cpu=znver4", "x86-64, x86-64-v2, x86-64-v3, x86-64-v4"),
    ("target=android target.cpu=cortex-x4", "say what it has: target.features=[NAME,...]"),
    ("target=android target.features=[AVX-512]", "target.features='AVX-512'"),
    ("target.kind=metal", "unknown target.kind 'metal'"),
    ("target.link=standalon", "unknown target.link 'standalon'"),
    ("target.library=sharde", "unknown target.library 'sharde': did you mean 'shared'?"),
    ("target.triple=mips-linux-gnu target.cpu=generic", "unknown target.triple's first part 'mips'"),
    ("target.triple=x86_64 target.cpu=x86-64", "target.triple='x86_64': give ARCH-VENDOR-OS"),
    # what does not go together
    ("checkpoint=charsiu_tiny_8", "add checkpoint.revision=<40 hex digits>"),
    ("checkpoint=charsiu_tiny_8 checkpoint.revision=main", "checkpoint.revision='main': give a commit's 40"),
    (f"checkpoint=charsiu_tiny_8 checkpoint.revision={REVISION} checkpoint.repo=x", "checkpoint.repo='x'"),
    ("checkpoint=path", "add checkpoint.path=DIR"),
    ("checkpoint=path checkpoint.path=null", "add checkpoint.path=DIR"),
    ("checkpoint=path checkpoint.path=/no/such", "checkpoint.path=/no/such is not a directory"),
    ("checkpoint=path checkpoint.path=/", "set checkpoint.name"),
    ("checkpoint.path=/etc", "checkpoint.path is for a checkpoint whose source is path, not embedded"),
    ("checkpoint.seed=3", "checkpoint.seed is for a checkpoint whose source is random"),
    ("checkpoint.source=random", "use checkpoint=random"),
    ("checkpoint=random checkpoint.seed=-1", "checkpoint.seed=-1 is too small"),
    ("checkpoint=random checkpoint.shape.d_model=0", "checkpoint.shape.d_model=0 is too small"),
    ("checkpoint=random checkpoint.shape.vocab_size=100", "give at least 259"),
    ("checkpoint=random checkpoint.shape.feed_forward_proj=gelu", "gated-gelu, relu"),
    ("target=iphone target.library=shared", "nothing here links for arm64-apple-ios"),
    ("target=iphone target.cpu=host", "name the CPU"),
    ("checkpoint=random checkpoint.name=x checkpoint.seed=1,2", "two checkpoints are called 'x'"),
    ("target=iphone,android target.name=phone", "two targets are called 'phone'"),
]


@pytest.mark.parametrize(("line", "message"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_one_line_that_says_what_to_do(line: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        variants(line.split())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


FILES = [
    ("target/iphone.yaml", "kind: llvm\ncpuu: x\n", "conf/target/iphone.yaml: Key 'cpuu' not in 'TargetConf'"),
    ("target/iphone.yaml", "kind: [llvm]\n", "conf/target/iphone.yaml"),
    ("target/iphone.yaml", "kind: llvm\ntriple: ${oc.env:HOME}\n", "interpolations"),
    ("target/iphone.yaml", "- llvm\n", "is not a mapping"),
    ("target/iphone.yaml", "kind: 'llvm\n", "cannot read conf/target/iphone.yaml"),
    ("target/iphone.yaml", "kind: llvm\n", "target"),
    ("target/iphone.yaml", "", "target"),
    ("max_lens/short.yaml", "input: long\noutput: 3\n", "conf/max_lens/short.yaml: Value 'long' of type 'str'"),
    ("max_lens/short.yaml", "input: 32\n", "max_lens.output=??? is missing"),
    ("config.yaml", "a: [\n", "cannot read conf/config.yaml"),
    ("matrix/smoke.yaml", "batch: 8\n", "conf/matrix/smoke.yaml: a matrix is a mapping under hydra.sweeper.params"),
    ("matrix/smoke.yaml", "hydra: {sweeper: {params: {batc: 1}}}\n", "unknown key 'batc': did you mean 'batch'?"),
    ("matrix/smoke.yaml", "hydra: {sweeper: {params: {matrix: smoke}}}\n", "a matrix cannot name a matrix"),
]


@pytest.mark.parametrize(("name", "text", "message"), FILES, ids=[f"{name} {text!r}" for name, text, _ in FILES])
def test_a_mistake_in_a_file_names_the_file(tmp_path: Path, name: str, text: str, message: str) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        variants(["target=iphone", "max_lens=short", "matrix=smoke"], conf)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_new_target_is_one_file(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    text = (conf / "target" / "android.yaml").read_text(encoding="utf-8")
    (conf / "target" / "tablet.yaml").write_text(text.replace("generic", "apple-m1"), encoding="utf-8")
    (variant,) = variants(["target=tablet"], conf)
    assert (variant.target.name, variant.target.cpu) == ("tablet", "apple-m1")


# Processes


def python(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"PYTHONPATH": str(CONF.parent)}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_variants_need_neither_torch_nor_tvm(tmp_path: Path) -> None:
    code = (
        "import sys; from g2p_build.config import variants; variants(['matrix=smoke']);"
        "print(sorted({'torch', 'tvm', 'tvm_ffi', 'transformers', 'numpy', 'doit'} & set(sys.modules)))"
    )
    assert python("-c", code, cwd=tmp_path).stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["targt=host"], "error: unknown key 'targt'"),
        (["-m", "target=iphon"], "error: unknown target 'iphon'"),
        (["batch=1,8"], "error: this is a sweep over 2 variants: add -m"),
        (["matrix=smoke"], "error: this is a sweep over 4 variants: add -m"),
        (["-m", "batch=1,8", "hydra/launcher=ry"], "error: In 'hydra/config'"),
        (["hydra.foo=1"], "error: Could not override 'hydra.foo'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_hydra_app_refuses_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = python("-m", "g2p_build", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


# Stands where the build stands, and says what it was asked for: what the build makes of it is not this test's matter.
ASKED = """
import runpy, sys, types
from g2p_build.errors import BuildError
def build(variants):
    if "FAIL" in str(variants): raise BuildError("the stage failed")
    print(*[variant.name for variant in variants])
sys.modules["g2p_build.build"] = types.SimpleNamespace(build=build)
sys.argv = ["g2p_build", *sys.argv[1:]]
runpy.run_module("g2p_build", run_name="__main__")
"""


@pytest.mark.parametrize(
    "overrides",
    [
        ["matrix=smoke"],
        ["matrix=batches", "batch=2", "dtype=float16,float32"],
        ["target=glob(*)", "kv_cache=false"],
        ["checkpoint=random", "checkpoint/shape=embedded,small", "checkpoint.seed=3"],
    ],
    ids=" ".join,
)
def test_a_hydra_multirun_builds_the_same_variants(tmp_path: Path, overrides: list[str]) -> None:
    done = python("-c", ASKED, "-m", *overrides, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.split() == names(*overrides)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == [
        "build/multirun/multirun.yaml"
    ]


def test_a_single_run_leaves_nothing_behind_and_a_failed_one_exits_with_2(tmp_path: Path) -> None:
    done = python("-c", ASKED, "target=iphone", cwd=tmp_path)
    assert (done.stdout.split(), done.stderr) == (names("target=iphone"), "")
    failed = python("-c", ASKED, "checkpoint.name=FAIL", cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1] == "error: the stage failed"
    assert "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())
