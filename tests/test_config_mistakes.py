"""Each mistake in overrides or in conf/ gives one line that says what is wrong and what to do."""

import shutil
from pathlib import Path

import pytest

from g2p_build.config.compose import CONF, ConfigError, variants

REVISION = "0123456789abcdef" * 2 + "01234567"

MISTAKES = [
    # keys and options
    ("targt=host", "unknown key 'targt': did you mean 'target'?"),
    ("target.cpuu=generic", "unknown key 'target.cpuu': did you mean 'target.cpu'?"),
    ("checkpoint=random checkpoint.shape.d_modl=3", "did you mean 'checkpoint.shape.d_model'?"),
    ("a.b.c=1", "unknown key 'a.b.c': it is one of batch, checkpoint"),
    ("=3", "unknown key ''"),
    ("target=iphon", "unknown target 'iphon': did you mean 'iphone'?"),
    ("target=Host", "unknown target 'Host': did you mean 'host'?"),
    (
        "target=",
        "unknown target '': it is one of android, android_arm64, android_x86_64, host, ",
    ),
    ("target=null", "unknown target 'null'"),
    ("target=[host]", "unknown target \"['host']\": did you mean 'host'?"),
    ("target=host,windos", "unknown target 'windos'"),
    ("target=../config", "unknown target '../config'"),
    ("target=glob(z*)", "sweeps over nothing"),
    ("checkpoint=embeded", "did you mean 'embedded'?"),
    ("checkpoint={a:1}", "unknown checkpoint \"{'a': 1}\""),
    ("max_lens=shrt", "did you mean 'short'?"),
    ("family=koko", "unknown family 'koko': did you mean 'kokoro'?"),
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
    ("checkpoint.path=runs/epoch=3.ckpt", "write 'checkpoint.path=\"runs/epoch=3.ckpt\"'"),
    ("target.cpu=native", "unknown target.cpu 'native': write target.cpu=host"),
    ("target.cpu=skylake-avx512", "write target.cpu=x86-64-v4"),
    ("target.cpu=znver3", "write target.cpu=x86-64-v3"),
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
    ("dtype=float64", "unknown dtype 'float64': did you mean 'float16'? It is one of bfloat16, float16, float32, int8"),
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
    ("target.triple=x86_64-linux-gnu target.cpu=x86-64-v5", "did you mean 'x86-64-v4'?"),
    ("target=android target.cpu=cortex-x4", "say what it has: target.features=[NAME,...]"),
    ("target=android target.features=[AVX-512]", "target.features='AVX-512'"),
    ("target.kind=metal", "unknown target.kind 'metal'"),
    ("target.engine=standalon", "unknown target.engine 'standalon'"),
    ("target.package=sharde", "unknown target.package 'sharde': did you mean 'shared'?"),
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
    ("calibration=/no/such", "checkpoint.calibration=/no/such: give a file LANG.tsv, or a folder of files LANG.tsv"),
    ("calibration=/etc", "this folder has no LANG.tsv"),
    ("checkpoint=random calibration=embedded", "there is no such file"),
    ("checkpoint.seed=3", "checkpoint.seed is for a checkpoint whose source is random"),
    ("checkpoint.source=random", "use checkpoint=random"),
    ("checkpoint=random checkpoint.seed=-1", "checkpoint.seed=-1 is too small"),
    ("checkpoint=random checkpoint.shape.d_model=0", "checkpoint.shape.d_model=0 is too small"),
    ("checkpoint=random checkpoint.shape.vocab_size=100", "give at least 259"),
    ("checkpoint=random checkpoint.shape.feed_forward_proj=gelu", "gated-gelu, relu"),
    ("target=iphone target.package=shared", "nothing here links for arm64-apple-ios"),
    ("target=wasm target.package=shared", "target.package=shared: a module is for WebAssembly"),
    ("target=linux_arm64 target.package=module", "target.package=module: a module is for WebAssembly"),
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
    ("target/iphone.yaml", "kind: llvm\ncpuu: x\n", "conf/target/iphone.yaml: unknown key 'cpuu': did you mean 'cpu'"),
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
