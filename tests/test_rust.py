"""The crate `rust/`: its own tests, and its command compared with Python's, for a loaded and for a linked library."""

import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import CACHED, ROOT, Tree, copy_tree
from forms import FORMS

from g2p_build.lexicon.table import write_table
from g2p_build.native.unicode_tables import RUST
from g2p_build.reference.golden import FOLDER, words
from g2p_build.runtime import load
from g2p_build.runtime.formats import phones

CRATE = ROOT / "rust"
REAL = ROOT.parent / "shared" / "data" / "test"
GOLDEN = {
    (row["lang"], row["word"]): row["ipa"]
    for row in json.loads((FOLDER / "embedded.json").read_text(encoding="utf-8"))["words"]
}

pytestmark = pytest.mark.skipif(
    shutil.which("cargo") is None or shutil.which("cc") is None, reason="cargo or cc is not installed (cargo, gcc)"
)


@dataclass(frozen=True)
class Crate:
    """The crate built in one of its two ways, and a folder with one variant and an index that lists it."""

    folder: Path
    linked: bool

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("G2P_", "CARGO_"))}
        return (
            kept
            | {
                "G2P_MANIFESTS": str(self.folder / "manifests"),
                "G2P_CACHE": str(self.folder / "cache"),
                "G2P_LIB_DIR": str(self.folder / "library"),
                "CARGO_TARGET_DIR": str(self.folder / "target"),
            }
            | ({"CARGO_HOME": os.environ["CARGO_HOME"]} if "CARGO_HOME" in os.environ else {})
        )

    @property
    def command(self) -> str:
        return str(self.folder / "target" / "debug" / "g2p")

    def cargo(self, *arguments: str) -> None:
        """Runs cargo in the crate, which must succeed."""
        options = ["--offline", "--locked", *(["--features", "static"] if self.linked else [])]
        split = arguments.index("--") if "--" in arguments else len(arguments)
        made = subprocess.run(
            ["cargo", *arguments[:split], *options, *arguments[split:]],
            cwd=CRATE,
            env=self.env,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([self.command, *arguments], env=self.env, capture_output=True, input=stdin)


def crate_of(tree: Tree, name: str, folder: Path, linked: bool) -> Crate:
    """Builds the crate for one variant of a tree."""
    (folder / "dist").symlink_to(tree.root / "dist")
    (folder / "manifests").mkdir()
    shutil.copy2(tree.root / "manifests" / f"{name}.json", folder / "manifests")
    index = json.loads((tree.root / "manifests" / "index.json").read_bytes())
    index |= {"default": name, "manifests": [entry for entry in index["manifests"] if entry["name"] == name]}
    (folder / "manifests" / "index.json").write_text(json.dumps(index), encoding="utf-8")
    manifest = json.loads((folder / "manifests" / f"{name}.json").read_bytes())
    with tarfile.open(folder / "dist" / manifest["archives"]["library"]["file"]) as archive:
        archive.extractall(folder / "library", filter="data")
    made = Crate(folder, linked)
    made.cargo("build")
    return made


@pytest.fixture(scope="module", params=[False, True], ids=["loaded", "linked"])
def crate(built: Tree, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Crate:
    return crate_of(built, CACHED, tmp_path_factory.mktemp("crate"), request.param)


@pytest.fixture(scope="module")
def python(built: Tree, crate: Crate) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Python's command on the same variant, with the same cache."""

    def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        env = built.env | {name: crate.env[name] for name in ("G2P_MANIFESTS", "G2P_CACHE")}
        command = [sys.executable, "-m", "g2p_build.runtime.cli", *arguments]
        return subprocess.run(command, cwd=built.root, env=env, capture_output=True, input=stdin)

    return run


def test_its_own_tests_pass(crate: Crate) -> None:
    crate.cargo("test", "--quiet")


def test_it_needs_no_other_crate() -> None:
    assert (CRATE / "Cargo.lock").read_text(encoding="utf-8").count("[[package]]") == 1


def test_every_use_of_unsafe_says_why_it_is_safe(crate: Crate) -> None:
    if shutil.which("cargo-clippy") is None:
        pytest.skip("clippy is not installed (rust-clippy)")
    lints = ("clippy::undocumented_unsafe_blocks", "clippy::correctness", "clippy::suspicious", "unused")
    crate.cargo("clippy", "--all-targets", "--", *(f"-D{lint}" for lint in lints))


def test_it_is_formatted_by_rustfmt() -> None:
    if shutil.which("cargo-fmt") is None:
        pytest.skip("rustfmt is not installed")
    made = subprocess.run(["cargo", "fmt", "--check"], cwd=CRATE, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr


def test_the_static_library_must_be_named(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("G2P_")}
    command = [
        "cargo",
        "check",
        "--offline",
        "--locked",
        "--features",
        "static",
        "--target-dir",
        str(tmp_path / "target"),
    ]
    for env, expected in (({}, "set G2P_LIB_DIR"), ({"G2P_LIB_DIR": str(tmp_path)}, "there is no libg2p.a in")):
        made = subprocess.run(command, cwd=CRATE, env=kept | env, capture_output=True, text=True)
        assert made.returncode != 0
        assert expected in made.stderr


def test_the_packaged_crate_makes_a_program_that_needs_no_file(built: Tree, crate: Crate, tmp_path: Path) -> None:
    if not crate.linked:
        pytest.skip("once is enough")
    package = ["cargo", "package", "--offline", "--locked", "--allow-dirty", "--quiet"]
    # It is built again to verify it, without features, and in a place of its own.
    env = {name: value for name, value in crate.env.items() if name != "G2P_LIB_DIR"}
    env["CARGO_TARGET_DIR"] = str(tmp_path / "target")
    made = subprocess.run(package, cwd=CRATE, env=env, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    with tarfile.open(tmp_path / "target" / "package" / "g2p-0.1.0.crate") as archive:
        archive.extractall(tmp_path, filter="data")
    app = tmp_path / "app"
    (app / "src").mkdir(parents=True)
    takes = 'g2p = { path = "../g2p-0.1.0", features = ["embed"] }'
    (app / "Cargo.toml").write_text(f'[package]\nname = "app"\nedition = "2021"\n\n[dependencies]\n{takes}\n')
    (app / "src" / "main.rs").write_text(
        "fn main() -> Result<(), g2p::Error> {\n"
        '    println!("{}", g2p::Model::embedded()?.pronounce("knight", "en-US")?);\n    Ok(())\n}\n'
    )
    name = json.loads((crate.folder / "manifests" / f"{CACHED}.json").read_bytes())["archives"]["weights"]["file"]
    command = ["cargo", "build", "--offline", "--quiet", "--target-dir", str(tmp_path / "target")]
    weights = {"G2P_WEIGHTS": str(built.root / "dist" / name)}
    for given, says in (({}, "set G2P_WEIGHTS to their archive"), ({"G2P_WEIGHTS": "none"}, "there is no file none")):
        failed = subprocess.run(command, cwd=app, env=crate.env | given, capture_output=True, text=True)
        assert failed.returncode != 0 and says in failed.stderr
    done = subprocess.run(command, cwd=app, env=crate.env | weights, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    alone = shutil.move(tmp_path / "target" / "debug" / "app", tmp_path / "alone")
    shutil.rmtree(crate.folder / "cache", ignore_errors=True)
    said = subprocess.run([alone], cwd="/", env={"HOME": "/nonexistent"}, capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "ˈnaɪt\n"), said.stderr


def test_the_command_pronounces_the_golden_words(crate: Crate) -> None:
    for lang, listed in words().items():
        expected = "".join(f"{word}\t{GOLDEN[lang, word]}\n" for word in listed).encode()
        made = crate.run("pronounce", "--lang", lang, *listed)
        assert (made.returncode, made.stdout, made.stderr) == (0, expected, b"")
        made = crate.run(f"--lang={lang}", "pronounce", stdin="\r\n".join(listed).encode())
        assert (made.returncode, made.stdout, made.stderr) == (0, expected, b"")


def test_however_a_word_is_typed_it_is_the_same_word(crate: Crate) -> None:
    for lang, forms in FORMS.items():
        made = crate.run("pronounce", "--lang", lang, *(form for _, form in forms))
        assert made.returncode == 0, made.stderr.decode()
        found = [line.rpartition("\t")[2] for line in made.stdout.decode().splitlines()]
        said = {(word, phonemes) for (word, _), phonemes in zip(forms, found, strict=True)}
        assert len(said) == len({word for word, _ in forms}), sorted(said)


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["--json", "pronounce", "--lang", "vie-n", "đạo đức", "phở"], ""),
        (["pronounce", "--json", "--lang", "tha"], "\ufeffสวัสดี\n วิดีทัศน์ \n"),
        (["pronounce"], ""),
        (["languages"], ""),
        (["languages", "--json"], ""),
        (["pronounce"], "knight\nday\n\nnight\n"),
        (["pronounce", "knight", ""], ""),
        (["pronounce", "--lang", "spa", "hola"], ""),
        (["pronounce", "--lang", "xx", "hola"], ""),
        (["pronounce", "--lang", "xx"], "hola\n"),
        (["pronounce", "--details", "knight", "TV", "Polish", "ha" * 27], ""),
        (["pronounce", "--details", "--json", "knight", "TV"], ""),
        (["pronounce", "--details"], "knight\n\n"),
        (["pronounce", "--on-error", "skip", "--details"], "knight\n\nnight\nx\u00ad\n"),
        (["pronounce", "--on-error=mark", "--details"], "knight\n\n \nnight\n"),
        (["pronounce", "--on-error", "mark"], "knight\n\n \nnight\n"),
        (["pronounce", "--on-error", "mark", "--json"], "knight\n\nnight\n"),
        (["pronounce", "--on-error", "mark", "--lang", "spa", "hola"], ""),
        (["pronounce", "--format", "csv", "--details", "knight", "TV"], ""),
        (["pronounce", "--format=csv", "--on-error", "mark", "--details"], "knight\n\nnight\n"),
        (["pronounce", "--format", "csv"], ""),
        (["pronounce", "--format", "jsonl", "--json", "knight"], ""),
        (["pronounce", "--format", "csv", "--json", "knight"], ""),
        (["pronounce", "--format", "kaldi", "knight", "TV", "church"], ""),
        (
            ["pronounce", "--format", "mfa", "--lang-column", "2", "--on-error", "skip"],
            "phở\tvie-n\nHà Nội\tvie-n\na\tfin\n",
        ),
        (["pronounce", "--format", "kaldi", "--lang", "vie-n", "Hà Nội"], ""),
        (["pronounce", "--format", "kaldi", "--details"], ""),
        (["pronounce", "--format", "mfa", "--on-error", "mark"], ""),
        (["pronounce", "--format", "tsv", "--lang", "fi", "tie"], ""),
        (["pronounce", "--lang-column", "2"], "\ufefftie\tfin\nknight\ten-US\tmore\n\ttha\n\n"),
        (["pronounce", "--lang-column=1", "--on-error", "mark", "--details"], "fin\ttie\n\n\tday\nen\t day \n"),
        (["pronounce", "--lang-column", "1", "--on-error", "mark", "--json"], "fi\ttie\n\n\tday\nxx\tday\n"),
        (["pronounce", "--lang-column", "1", "--on-error", "mark", "--format", "csv"], "vie-n\tHà, Nội\n\nday\n"),
        (["pronounce", "--lang-column", "1", "--lang", "fin"], ""),
        (["pronounce", "--lang-column", "1", "--lexicon", "{more}"], ""),
        (["pronounce", "--best", "3", "qrstu", "knight", "TV"], ""),
        (["pronounce", "--best=2", "--beams", "8", "--json", "--on-error", "mark"], "qrstu\n\nday\n"),
        (["pronounce", "--best", "2", "--lexicon", "{list}", "--format", "csv", "US", "x"], ""),
        (["pronounce", "--best", "2", "day", "", "day"], ""),
        (["pronounce", "--beams", "8", "day"], ""),
        (["pronounce", "--best", "0", "day"], ""),
        (["pronounce", "--best", "9", "--beams", "8", "day"], ""),
        (["pronounce", "--best", "65", "day"], ""),
        (["pronounce", "--best", "some", "day"], ""),
        (["pronounce", "--best=-1", "day"], ""),
        (["pronounce", "--best", "2", "--beams", "0", "day"], ""),
        (["pronounce", "--best", "3", "--format", "kaldi", "--lexicon", "{stressed}", "read", "tomato", "TV"], ""),
        (["pronounce", "--best", "2", "--format", "mfa", "--on-error", "skip"], "day\n\ntomato\n"),
        (["pronounce", "--best", "2", "--format", "kaldi", "--lang", "vie-n", "Hà Nội"], ""),
        (["pronounce", "--best", "2", "--input", "{words}", "--threads", "1", "--on-error", "mark"], ""),
        (["pronounce", "--input", "{words}"], ""),
        (["pronounce", "--input", "{words}", "--threads", "1", "--on-error", "mark", "--details"], ""),
        (["pronounce", "--input", "{none}"], ""),
        (["pronounce", "--input", "/"], ""),
        (["pronounce", "--input", "x", "word"], ""),
        (["pronounce", "-o", "x", "word"], ""),
        (["pronounce", "-o", "/"], ""),
        (["pronounce", "-o", "{none}/x"], "a\n"),
        (["pronounce", "-o", "/dev/full"], "a\n"),
        (["pronounce", "-o", "/dev/stdout", "--format", "csv"], "day\n"),
        (["pronounce", "--input", "{more}", "-o", "{more}"], ""),
        (["pronounce", "--threads", "300"], ""),
        (["pronounce", "--threads", "many"], ""),
        (["pronounce"], "day\n" + "x" * 3_000_000),
        (["pronounce", "--lexicon", "{list}", "US", "us", "Us", "knight", "--details"], ""),
        (["pronounce", "--lexicon", "fin={list}", "--lexicon={more}", "us", "US", "--details", "--json"], ""),
        (["pronounce", "--lexicon", "{table}", "--details", "--lang", "fin", "US", "tie"], ""),
        (["text", "That knight, 2 days — TV?", "", "“Don’t”\n"], ""),
        (["text", "--json", "--lang", "vi"], "\ufeffHà Nội, 12 phở 🙂.\r\nđạo\n\nđức"),
        (["text", "--lang", "xx", "day"], ""),
        (["text", "--lexicon", "{list}", "--lexicon", "{more}", "US, us."], ""),
    ],
)
def test_the_command_prints_the_same_as_pythons(
    crate: Crate,
    python: Callable[..., subprocess.CompletedProcess[bytes]],
    tmp_path: Path,
    arguments: list[str],
    stdin: str,
) -> None:
    files = {name: tmp_path / name for name in ("list", "more", "none", "words", "stressed")} | {
        "table": tmp_path / "table.g2plex"
    }
    files["list"].write_text("\ufeffUS\tˈjuˈɛs, ˈɛs\r\n\nus\tx\n", encoding="utf-8")
    files["words"].write_text("day\n\nnight", encoding="utf-8")
    files["more"].write_text("us\ty\n", encoding="utf-8")
    files["stressed"].write_text("read\tˈrɛd, rɛd, ˈriːd\n", encoding="utf-8")
    files["table"].write_bytes(write_table({"fin": {"tie": ["z"]}}))
    arguments = [argument.format(**files) for argument in arguments]
    ours, theirs = (run(*arguments, stdin=stdin.encode()) for run in (crate.run, python))
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stderr == theirs.stderr


loaded = pytest.mark.parametrize("crate", [False], ids=["loaded"], indirect=True)
Run = Callable[..., subprocess.CompletedProcess[bytes]]


def killed(
    command: list[str], env: dict[str, str], out: Path, number: signal.Signals, *options: str
) -> tuple[int, bytes]:
    """Starts a command on words that come one by one, and sends it a signal when some are in its record."""
    given, record = [*command, "pronounce", "-o", str(out), *options], Path(f"{out}.part.json")
    pipe, words = subprocess.PIPE, iter(LISTED)
    with subprocess.Popen(given, env=env, stdin=pipe, stderr=pipe, cwd=ROOT) as process:
        assert process.stdin is not None and process.stderr is not None
        while not (record.exists() and json.loads(record.read_bytes())["input"]["lines"]):
            assert process.poll() is None
            process.stdin.write("".join(f"{next(words)}\n" for _ in range(4)).encode())
            process.stdin.flush()
            time.sleep(0.05)
        process.send_signal(number)  # while it waits for more
        return process.wait(), process.stderr.read()


LISTED = ["day", "night", "knight", "three", "through"] * 400


@loaded
@pytest.mark.parametrize("first", ["rust", "python"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_in_either_language(
    crate: Crate, python: Run, tmp_path: Path, first: str, number: signal.Signals
) -> None:
    words, out = tmp_path / "words.txt", tmp_path / "out.csv"
    words.write_text("".join(f"{word}\n" for word in LISTED[:300]), encoding="utf-8")
    commands = {"rust": [crate.command], "python": [sys.executable, "-m", "g2p_build.runtime.cli"]}
    options = ["--format", "csv", "--details"]
    code, said = killed(commands[first], crate.env, out, number, *options)
    assert not out.exists()
    if number is signal.SIGINT:
        assert (code, said) == (130, b"g2p: interrupted: the same command goes on from there\n")
    with Path(f"{out}.part").open("ab") as part:
        part.write(b"half a lin")  # as a kill in the middle of a write leaves it
    other = python if first == "rust" else crate.run
    made = other("pronounce", "--input", str(words), "-o", str(out), *options)
    assert made.returncode == 0 and b"goes on after line" in made.stderr and made.stdout == b""
    whole = crate.run("pronounce", "--input", str(words), *options)
    assert out.read_bytes() == whole.stdout and len(whole.stdout.splitlines()) == 301
    assert [path.name for path in tmp_path.glob("out*")] == ["out.csv"]


@loaded
@pytest.mark.parametrize(
    ("change", "more"),
    [
        ("words", []),
        ("shorter", []),
        ("part", []),
        ("record", []),
        ("", ["--format", "csv"]),
        ("", ["--lang", "fin"]),
        ("", ["--details"]),
        ("", ["--best", "2"]),
        ("", ["--lexicon", "{own}"]),
    ],
)
def test_what_does_not_belong_together_is_not_mixed(
    crate: Crate, python: Run, tmp_path: Path, change: str, more: list[str]
) -> None:
    words, out, own = (tmp_path / name for name in ("words.txt", "out.tsv", "own.tsv"))
    words.write_text("day\nnight\nthr\tee\nknight\n", encoding="utf-8")
    own.write_text("day\tx\n", encoding="utf-8")
    given = ["pronounce", "--input", str(words), "-o", str(out)]
    made = crate.run(*given)
    assert made.returncode == 2 and made.stderr.startswith(b"g2p: line 3: ")
    assert made.stderr.endswith(b"; mended, or with --on-error skip: the same command goes on from there\n")
    part, record = Path(f"{out}.part"), Path(f"{out}.part.json")
    if change == "words":
        words.write_bytes(words.read_bytes().replace(b"night", b"might"))
    elif change == "shorter":
        words.write_bytes(b"day\n")
    elif change == "part":
        part.write_bytes(part.read_bytes().replace(b"day", b"yad"))
    elif change == "record":
        record.unlink()
    before = part.read_bytes(), record.exists() and json.loads(record.read_bytes())
    for run in (crate.run, python, crate.run):
        made = run(*given, *(word.format(own=own) for word in more))
        assert made.returncode == 2
        [line] = made.stderr.decode().splitlines()
        assert line.startswith(f"g2p: {part} ") and line.endswith("or remove it to begin anew")
        assert (part.read_bytes(), record.exists() and json.loads(record.read_bytes())) == before
    if not change:
        made = crate.run(*given, "--on-error", "skip")
        assert made.returncode == 0 and b"goes on after line 2 of the input" in made.stderr
        assert [line.split("\t")[0] for line in out.read_text(encoding="utf-8").splitlines()] == [
            "day",
            "night",
            "knight",
        ]


@loaded
def test_two_at_once_do_not_write_the_same_file(crate: Crate, python: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    pipe = subprocess.PIPE
    with subprocess.Popen([crate.command, "pronounce", "-o", out], env=crate.env, stdin=pipe) as process:
        assert process.stdin is not None
        while not Path(f"{out}.part.json").exists():
            time.sleep(0.01)
        for run in (crate.run, python):
            made = run("pronounce", "-o", str(out), stdin=b"night\n")
            assert made.returncode == 2 and b"is being written by another process" in made.stderr
        process.stdin.write(b"day")
        process.stdin.close()
        assert process.wait() == 0
    assert out.read_text(encoding="utf-8") == "day\tˈdeɪ\n"


@loaded
def test_phonemes_are_split_for_speech_tools_as_by_python(crate: Crate, tmp_path: Path) -> None:
    drawn, own = random.Random(0), tmp_path / "own.tsv"
    symbols = "aɪtʃdʒɓnŋ" + "ᵐᶬⁿᶯᶮᵑᶰʰʲːˀ" + "\u0361\u035c\u0303\u031a\u032f" + "˧˦˥¹²" + "ˈˌ.- ()" + "^`€"
    said = {
        "".join(chr(ord("a") + int(digit)) for digit in str(number)): "a" + "".join(drawn.choices(symbols, k=9))
        for number in range(1000, 2000)
    }
    own.write_text("".join(f"{word}\t{phonemes}\n" for word, phonemes in said.items()), encoding="utf-8")
    made = crate.run("pronounce", "--lexicon", str(own), "--format", "mfa", stdin="\n".join(said).encode())
    assert made.returncode == 0, made.stderr.decode()
    lines = [f"{word}\t{' '.join(phones(phonemes.strip()))}" for word, phonemes in said.items()]
    assert made.stdout.decode().splitlines() == lines


def test_the_crate_knows_the_categories_that_python_knows() -> None:
    tables = dict(re.findall(r"const (\w+): .*?= &\[\n(.*?)\];", RUST.read_text(encoding="utf-8"), re.DOTALL))
    for name, categories in (("MARKS", {"Mc", "Me", "Mn", "Lm", "Sk", "No"}), ("BREAKS", None)):
        ranges = [(int(a, 16), int(b, 16)) for a, b in re.findall(r"\((\w+), (\w+)\)", tables[name])]
        listed = {code for first, last in ranges for code in range(first, last + 1)}
        for code in range(0x110000):
            category = unicodedata.category(chr(code))
            if category != "Cn":  # which a later Unicode may have given away
                assert (code in listed) == (category in categories if categories else category[0] in "PZ"), hex(code)


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        ([], b"", "a command is wanted"),
        (["say"], b"", 'there is no command "say"'),
        (["info", "more"], b"", 'unrecognized argument "more"'),
        (["pronounce", "--fast"], b"", 'unrecognized argument "--fast"'),
        (["pronounce", "--lang"], b"", "argument --lang: expected one argument"),
        (["pronounce", "--manifest", "no/such.json", "a"], b"", "there is no file at no/such.json"),
        (["pronounce", "a\tb"], b"", r"the word 'a\x09b' holds a control character"),
        (["pronounce"], b"a\n" + b"b" * 80, "line 2: the word 'bbbbbbbbbbbbbbbbbbbbbbbb...bbbbbbbb' is 80 bytes"),
        (["pronounce"], b"a\nb\xff\n", r"line 2: b'b\xff' is not UTF-8"),
        (["pronounce", "--on-error", "go"], b"", "argument --on-error: stop, skip or mark is wanted"),
        (["pronounce", "--lexicon"], b"", "argument --lexicon: expected one argument"),
        (["pronounce", "--lexicon", "no/such.tsv", "a"], b"", "there is no file at no/such.tsv"),
        (["languages", "--details"], b"", "only `g2p pronounce` takes --details, --best, --beams, --stats"),
        (
            ["languages", "--format", "csv"],
            b"",
            "only `g2p pronounce` takes --details, --best, --beams, --stats",
        ),
        (["languages", "--best", "2"], b"", "only `g2p pronounce` takes --details, --best, --beams"),
        (["pronounce", "--format", "xml"], b"", "argument --format: tsv, csv, jsonl, kaldi or mfa is wanted"),
        (["pronounce", "--format", "csv", "--json"], b"", "--json is short for --format jsonl"),
        (["pronounce", "--lang-column", "0"], b"", "argument --lang-column: the number of a column is wanted, from 1"),
        (["pronounce", "--lang-column", "1", "a"], b"", "give words, or a list of them with --input or on standard"),
        (["pronounce", "-o"], b"", "argument -o: expected one argument"),
        (["info", "-o", "x"], b"", "only `g2p pronounce` takes --details"),
        (["info", "--lexicon", "x"], b"", "only `g2p pronounce` and `g2p text` take --lexicon"),
        (["text", "--details", "day"], b"", "only `g2p pronounce` takes --details"),
    ],
)
def test_an_error_is_one_line_and_status_two(crate: Crate, arguments: list[str], stdin: bytes, said: str) -> None:
    made = crate.run(*arguments, stdin=stdin)
    assert made.returncode == 2
    assert made.stderr.decode().startswith(f"g2p: {said}")
    assert made.stderr.count(b"\n") == 1


def test_what_is_wrong_with_a_line_is_said_and_the_rest_goes_on(
    crate: Crate, python: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    stdin = b"knight\nb\xff\n\ntwo words\n" + b"b" * 80 + b"\nday\n"
    for options in (["--on-error", "mark"], ["--on-error", "skip"], ["--on-error", "mark", "--json"]):
        ours, theirs = (run("pronounce", "--details", *options, stdin=stdin) for run in (crate.run, python))
        assert ours.returncode == theirs.returncode == 0
        # What is wrong is said in the library's words and in Python's. All else is the same.
        told = [[line.split(b":")[1] for line in made.stderr.splitlines()] for made in (ours, theirs)]
        assert told[0] == told[1] == [b" line 2", b" line 4", b" line 5"]
        if "--json" in options:
            rows = [[json.loads(line) for line in made.stdout.splitlines()] for made in (ours, theirs)]
            for row in itertools.chain(*rows):
                assert row.get("error", {"message": "yes"}).pop("message")
            assert rows[0] == rows[1]
            assert [row.get("error", {}).get("code") for row in rows[0]] == [
                None,
                "InvalidWord",
                "EmptyWord",
                "ForeignCharacter",
                "WordTooLong",
                None,
            ]
        else:
            assert ours.stdout == theirs.stdout


def test_a_wrong_word_of_a_text_is_said_and_stays_as_it_is(crate: Crate) -> None:
    made = crate.run("text", "привет day")
    assert (made.returncode, made.stdout.decode()) == (0, "привет ˈdeɪ\n")
    assert made.stderr.decode().startswith("g2p: text 1: 'п' (U+043F, a letter)")
    [part, *_] = json.loads(crate.run("text", "--json", "привет day").stdout)["parts"]
    assert (part["phonemes"], part["error"]["code"]) == (None, "ForeignCharacter")


def test_passes_are_counted_as_python_counts_them(
    crate: Crate, python: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    """Of one word, since two threads that share a list guess at other words each time. The second line has times."""
    for word, count in (
        ("yhdyskunta", "g2p: 1 words by the model: 16 ids in "),
        ("", "g2p: the model was not asked: "),
    ):
        given = ["pronounce", "--stats", "--on-error", "mark", "--lang", "fin", word]
        ours, theirs = (run(*given) for run in (crate.run, python))
        assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
        (said, *times), (other, *others) = (made.stderr.decode().splitlines() for made in (ours, theirs))
        assert said == other and said.startswith(count)
        assert len(times) == len(others) == (1 if word else 0)
        for line in (*times, *others):
            shares = re.fullmatch(
                r"g2p: \d+ µs of work a word: encoder (.+) %, prefill (.+) %, passes (.+) %, guesses (.+) %", line
            )
            assert shares and sum(map(float, shares.groups())) == pytest.approx(100, abs=0.3)


def test_scores_are_pythons_to_the_last_bit(
    built: Tree, crate: Crate, python: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    for lang, listed in words().items():
        ours, theirs = (run("pronounce", "--details", "--json", "--lang", lang, *listed) for run in (crate.run, python))
        assert ours.stdout == theirs.stdout
        rows = [json.loads(line) for line in ours.stdout.splitlines()]
        scores = [row["score"] for row in rows if row["source"] == "model"]
        assert scores and all(score <= 0 for score in scores)


def test_what_it_is(crate: Crate) -> None:
    data = json.loads(crate.run("info", "--json").stdout)
    lines = dict(line.split("\t") for line in crate.run("info").stdout.decode().splitlines())
    assert data["dtype"] == lines["dtype"] == "float32"
    assert " ".join(data["model"]["languages"]) == lines["model.languages"]
    assert crate.run("--help").stdout.startswith(b"usage: g2p ")


def test_a_line_is_answered_before_the_next_is_written(crate: Crate) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [crate.command, "pronounce", "--lang", "fin"], env=crate.env, stdin=pipe, stdout=pipe
    ) as talk:
        assert talk.stdin is not None and talk.stdout is not None
        for part, answered in ((b"tie\n", b"tie\t"), ("yö".encode()[:2], b""), ("yö\n".encode()[2:], "yö\t".encode())):
            talk.stdin.write(part)
            talk.stdin.flush()
            if answered:
                assert talk.stdout.readline().startswith(answered)
        talk.stdin.close()
        assert talk.wait() == 0


def test_it_ends_quietly_when_its_reader_is_gone(crate: Crate) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([crate.command, "languages"], env=crate.env, stdout=pipe, stderr=pipe) as made:
        assert made.stdout is not None and made.stderr is not None
        made.stdout.close()
        assert (made.stderr.read(), made.wait()) == (b"", 141)


def test_a_linked_library_is_not_unpacked(crate: Crate, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    no_cache = {"G2P_CACHE": str(tmp_path / "file")}
    made = subprocess.run(
        [crate.command, "pronounce", "knight"], env=crate.env | no_cache, capture_output=True, text=True
    )
    if crate.linked:
        assert (made.returncode, made.stdout) == (0, "knight\tˈnaɪt\n")
    else:
        assert (made.returncode, made.stdout) == (2, "")
        assert "cannot be unpacked into" in made.stderr


@loaded
def test_it_shares_its_cache_with_python(
    crate: Crate, python: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    cache = crate.folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    digest = json.loads((crate.folder / "manifests" / f"{CACHED}.json").read_bytes())["archives"]["library"]["sha256"]
    library, built = cache / digest / "libg2p.so", (crate.folder / "library" / "libg2p.so").read_bytes()
    for run in (crate.run, python, crate.run):
        assert run("pronounce", "knight").stdout == "knight\tˈnaɪt\n".encode()
        assert library.read_bytes() == built
    library.write_bytes(b"something else")
    assert crate.run("pronounce", "knight").returncode == 0
    assert library.read_bytes() == built
    assert not list(cache.glob(".unpacking-*"))


@pytest.mark.long
@pytest.mark.parametrize("linked", [False, True], ids=["loaded", "linked"])
def test_real_words_are_pythons_too(built: Tree, tmp_path: Path, linked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted(REAL.glob("*.tsv"))
    if not files:
        pytest.skip(f"there are no words at {REAL}")
    tree = copy_tree(tmp_path / "tree", built.cache)
    tree.compiled("batch=[1,8]", "max_lens=long")  # one word does not fit into the default's bounds
    name = CACHED.replace("i64-o128", "i96-o160")
    (tmp_path / "crate").mkdir()
    crate = crate_of(tree, name, tmp_path / "crate", linked)
    monkeypatch.setenv("G2P_CACHE", crate.env["G2P_CACHE"])
    g2p = load(crate.folder / "manifests" / f"{name}.json", threads=1)
    count = 0
    for file in files:
        listed = [line.split("\t")[0] for line in file.read_text(encoding="utf-8").splitlines()]
        expected = dict(zip(listed, g2p(listed, lang=file.stem), strict=True))
        random.Random(file.stem).shuffle(listed)
        made = crate.run("pronounce", "--lang", file.stem, stdin="\n".join(listed).encode())
        assert made.returncode == 0, made.stderr.decode()
        assert made.stdout.decode() == "".join(f"{word}\t{expected[word]}\n" for word in listed)
        count += len(listed)
    assert count == 1500
