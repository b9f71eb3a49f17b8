"""Speech in the crate `rust/`: its own tests, and its command `tts` compared with Python's."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import DEFAULT, ROOT, SPEECH, Tree

from g2p_build.runtime import tts_cli

CRATE = ROOT / "rust"
HELLO = "həlˈO wˈɜɹld."
LONG = "həlˈO wˈɜɹld, hˈI ðˈɛɹ ænd hˈIɹ. " * 4000  # half an hour of sound
PROMPTLY = 5.0  # seconds, on a busy machine

pytestmark = pytest.mark.skipif(
    shutil.which("cargo") is None or shutil.which("cc") is None, reason="cargo or cc is not installed (cargo, gcc)"
)


@dataclass(frozen=True)
class Crate:
    """The crate, built, and a folder with a variant of each family and an index that lists both."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("G2P_", "CARGO_TARGET"))}
        return kept | {
            "G2P_MANIFESTS": str(self.folder / "manifests"),
            "G2P_CACHE": str(self.folder / "cache"),
            "CARGO_TARGET_DIR": str(self.folder / "target"),
            "PYTHONPATH": str(ROOT),
        }

    def cargo(self, *arguments: str) -> None:
        made = subprocess.run(["cargo", *arguments], cwd=CRATE, env=self.env, capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr

    @property
    def tts(self) -> list[str]:
        return [str(self.folder / "target" / "debug" / "tts")]


@pytest.fixture(scope="module")
def crate(built: Tree, speech: Tree, tmp_path_factory: pytest.TempPathFactory) -> Crate:
    made = Crate(tmp_path_factory.mktemp("speech"))
    (made.folder / "manifests").mkdir()
    (made.folder / "dist").mkdir()
    entries, index = [], {}
    for tree, name in ((built, DEFAULT), (speech, SPEECH)):
        manifest = tree.root / "manifests" / f"{name}.json"
        shutil.copy2(manifest, made.folder / "manifests")
        for entry in json.loads(manifest.read_bytes())["archives"].values():
            shutil.copy2(tree.root / "dist" / entry["file"], made.folder / "dist")
        index = json.loads((tree.root / "manifests" / "index.json").read_bytes())
        entries += [entry for entry in index["manifests"] if entry["name"] == name]
    index |= {"default": DEFAULT, "manifests": entries}
    (made.folder / "manifests" / "index.json").write_text(json.dumps(index), encoding="utf-8")
    made.cargo("build", "--offline", "--locked")
    return made


PYTHON = [sys.executable, "-m", "g2p_build.runtime.tts_cli"]


def run(
    crate: Crate, command: list[str], folder: Path, *words: str, stdin: bytes = b"", shell: str = '"$@"'
) -> subprocess.CompletedProcess[bytes]:
    """Runs a command in a folder. `shell` is what is made of its streams."""
    folder.mkdir(exist_ok=True)
    given = ["bash", "-c", shell, "bash", *command, *words]
    return subprocess.run(given, cwd=folder, env=crate.env, input=stdin, capture_output=True)


def test_its_own_tests_pass(crate: Crate) -> None:
    crate.cargo("test", "--offline", "--locked", "--quiet", "--test", "kokoro", "--", "--ignored")


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["speak", HELLO, "-o", "out.wav", "--voice", "first", "--timings", "said.json"], ""),
        (["speak", HELLO, "--output=out.wav", "--voice=first", "--json", "--seed", "7", "--speed", "1.7"], ""),
        (["--json", "speak", HELLO, "-o", "é.wav", "--mix", "first=0.3,second=0.7", "--threads", "1"], ""),
        (["speak", "-", "-o", "out.wav", "--voice", "first", "--early"], "\ufeff" + "hˈI \r\n\n\x1cðˈɛɹ. " * 40),
        (["speak", "h#I", "-o", "out.wav", "--voice", "first", "--skip-unknown", "--timings", "t"], ""),
        (["speak", HELLO, "-o", "-", "--voice", "first"], ""),
        (["speak", "-o", "-", "--voice", "first", "--timings", "t", "--", HELLO * 20], ""),
        (["speak", "--text", "Hello, world – it’s [well-known]!", "-o", "o", "--voice", "first", "--timings", "t"], ""),
        (["speak", "--text", "-", "-o", "o", "--voice", "first", "--timings", "t"], "\ufeffHello,\nworld."),
        (["speak", "--text", "Perro.", "--lang", "spa-latin", "-o", "o", "--voice", "first", "--timings", "t"], ""),
        (["voices"], ""),
        (["voices", "--json"], ""),
    ],
)
def test_it_writes_the_same_bytes_as_pythons(crate: Crate, tmp_path: Path, words: list[str], stdin: str) -> None:
    found = []
    for name, command in (("rust", crate.tts), ("python", PYTHON)):
        made = run(crate, command, tmp_path / name, *words, stdin=stdin.encode())
        files = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        found.append((made.returncode, made.stderr, made.stdout, files))
    assert found[0] == found[1]
    assert found[0][:2] == (0, b"")
    assert b"".join([found[0][2], *found[0][3].values()])


@pytest.mark.parametrize(
    "words",
    [
        ["speak", "h#", "-o", "x.wav", "--voice", "first"],
        ["speak", "", "-o", "x.wav", "--voice", "first"],
        ["speak", "h", "-o", "x.wav"],
        ["speak", "h", "-o", "x.wav", "--voice", "third"],
        ["speak", "h", "-o", "x.wav", "--voice", "first", "--mix", "first=1"],
        ["speak", "h", "-o", "x.wav", "--mix", "first"],
        ["speak", "h", "-o", "x.wav", "--mix", "first=1,first=2"],
        ["speak", "h", "-o", "x.wav", "--mix", "first=nan"],
        ["speak", "h", "-o", "x.wav", "--mix", "first=0"],
        ["speak", "h", "-o", "x.wav", "--voice", "first", "--speed", "9"],
        ["speak", "h", "-o", "x.wav", "--voice", "first", "--speed", "nan"],
        ["speak", "h", "-o", "x.wav", "--voice", "first", "--speed", "fast"],
        ["speak", "h", "-o", "x.wav", "--voice", "first", "--seed", "-1"],
        ["speak", "h", "-o", "x.wav", "--voice", "first", "--seed", str(1 << 64)],
        ["speak", "h", "-o", "x.wav", "--voice", "first", "--seed", "x"],
        ["speak", "h", "-o", "x.wav", "--voice", "first", "--threads", "999"],
        ["speak", "h", "-o", "none/x.wav", "--voice", "first"],
        ["speak", "h", "-o", ".", "--voice", "first"],
        ["speak", "h", "-o", "/dev/full", "--voice", "first"],
        ["speak", "h", "-o", "x.wav", "--timings", "none/t", "--voice", "first"],
        ["speak", "h", "-o", "x.wav", "--timings", "./x.wav", "--voice", "first"],
        ["speak", "h", "-o", "x.wav", "--timings", "-", "--voice", "first"],
        ["speak", "h", "-o", "-", "--json", "--voice", "first"],
        ["speak", "-o", "x.wav"],
        ["speak", "h"],
        *(["speak", f"h{strange}I", "-o", "x.wav", "--voice", "first"] for strange in "'\\\t\x7f\ufeff\U000e0001"),
        ["speak", "--text", "It costs 20.", "-o", "x.wav", "--voice", "first"],
        ["speak", "--text", "tie", "--lang", "fin", "-o", "x.wav", "--voice", "first"],
        ["speak", "--text", "aß", "-o", "x.wav", "--voice", "first"],
        ["speak", "--text", "a 😀", "-o", "x.wav", "--voice", "first"],
        ["speak", "--text", "a", "h", "-o", "x.wav", "--voice", "first"],
        ["speak", "h", "--lang", "eng-us", "-o", "x.wav", "--voice", "first"],
        [],
    ],
)
def test_a_mistake_is_pythons_line_and_leaves_no_file(
    crate: Crate,
    tmp_path: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = run(crate, crate.tts, tmp_path, *words)
    monkeypatch.chdir(tmp_path)
    for name in ("G2P_MANIFESTS", "G2P_CACHE"):
        monkeypatch.setenv(name, crate.env[name])
    try:  # in this process: starting Python takes longer than all else
        status = tts_cli.main(words)
    except SystemExit as error:
        status = error.code
    assert (made.returncode, made.stdout, status) == (2, b"", 2)
    assert (made.stdout.decode(), made.stderr.decode()) == capsys.readouterr()
    assert made.stderr.startswith(b"tts: ") and made.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_no_text_are_refused_as_by_python(crate: Crate, tmp_path: Path) -> None:
    words = ["speak", "-", "-o", "x.wav", "--voice", "first"]
    ours, theirs = (run(crate, command, tmp_path, *words, stdin=b"\xff") for command in (crate.tts, PYTHON))
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["say"], 'there is no command "say"'),
        (["voices", "more"], 'unrecognized argument "more"'),
        (["speak", "--fast"], 'unrecognized argument "--fast"'),
        (["speak", "h", "-o"], "argument -o: expected one argument: see `tts --help`"),
        (["voices", "--json=yes"], 'unrecognized argument "--json"'),
        (["voices", "--voice", "first"], "only `tts speak` takes --voice"),
        (["--manifest", "none.json", "voices"], "there is no file at none.json"),
    ],
)
def test_other_mistakes_are_one_line(crate: Crate, tmp_path: Path, words: list[str], said: str) -> None:
    made = run(crate, crate.tts, tmp_path, *words)
    assert (made.returncode, made.stdout) == (2, b"")
    assert made.stderr.decode().startswith(f"tts: {said}") and made.stderr.count(b"\n") == 1


@pytest.mark.parametrize("shell", ['"$@" > /dev/full', '"$@" 2>&-', '"$@" 2> /dev/full', '"$@" <&-'])
def test_every_command_on_every_stream(crate: Crate, tmp_path: Path, shell: str) -> None:
    for words in (["speak", "h", "-o", "-"], ["speak", "h", "-o", "x.wav"], ["voices"]):
        given = [*words, *(["--voice", "first"] if words[0] == "speak" else [])]
        made = run(crate, crate.tts, tmp_path, *given, shell=shell)
        assert made.returncode == (2 if "> /dev/full" in shell and "2>" not in shell else 0), (words, made.stderr)
        assert len(made.stderr.splitlines()) <= 1


def test_it_says_what_it_is(crate: Crate, tmp_path: Path) -> None:
    data = json.loads(run(crate, crate.tts, tmp_path, "info", "--json").stdout)
    lines = dict(line.split("\t") for line in run(crate, crate.tts, tmp_path, "info").stdout.decode().splitlines())
    assert data["dtype"] == lines["dtype"] == "float32"
    assert lines["model.sample_rate"] == "24000"
    assert run(crate, crate.tts, tmp_path, "--help").stdout.startswith(b"usage: tts ")


def test_a_listener_may_leave(crate: Crate, tmp_path: Path) -> None:
    given = [*crate.tts, "speak", "-", "-o", "-", "--voice", "first", "--early"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(given, cwd=tmp_path, env=crate.env, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(LONG.encode())
        process.stdin.close()
        assert process.stdout.read(4) == b"RIFF"  # long before the last piece
        began = time.monotonic()
        process.stdout.close()
        assert process.wait() == 141 and time.monotonic() - began < PROMPTLY
        assert process.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_is_stopped_leaves_the_old_file(crate: Crate, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "x.wav").write_bytes(b"old")
    given = [*crate.tts, "speak", "-", "-o", "x.wav", "--timings", "t.json", "--voice", "first"]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(given, cwd=tmp_path, env=crate.env, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(LONG.encode())
        process.stdin.close()
        part, began = tmp_path / "x.wav.part", time.monotonic()
        while not (part.exists() and part.stat().st_size > 44) and time.monotonic() - began < 60:
            time.sleep(0.01)
        other = run(crate, crate.tts, tmp_path, "speak", "h", "-o", "x.wav", "--voice", "first")
        assert other.returncode == 2 and b"x.wav.part is being written by another process" in other.stderr
        process.send_signal(number)
        if number is signal.SIGINT:
            assert process.wait(PROMPTLY) == 130
            assert process.stderr.read() == b"tts: interrupted\n"
            assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]
        else:
            assert process.wait(PROMPTLY) == -number
    assert (tmp_path / "x.wav").read_bytes() == b"old"
    made = run(crate, crate.tts, tmp_path, "speak", HELLO, "-o", "x.wav", "--timings", "t.json", "--voice", "first")
    assert made.returncode == 0, made.stderr  # what a killed run left is nobody's
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.json", "x.wav"]


def test_a_link_stays_a_link_and_a_pipe_is_written_at_once(crate: Crate, tmp_path: Path) -> None:
    (tmp_path / "link.wav").symlink_to("real.wav")
    for _ in range(2):  # to a file that is not there, and to one that is
        made = run(crate, crate.tts, tmp_path, "speak", "h", "-o", "link.wav", "--voice", "first")
        assert made.returncode == 0, made.stderr
    assert (tmp_path / "link.wav").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    shell = 'cat pipe > got.wav & "$@"; status=$?; wait; exit $status'
    made = run(crate, crate.tts, tmp_path, "speak", "h", "-o", "pipe", "--voice", "first", shell=shell)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "got.wav").read_bytes()[44:] == (tmp_path / "real.wav").read_bytes()[44:]


@pytest.mark.parametrize("role", ["library", "weights", "voices"])
def test_a_damaged_archive_is_refused(crate: Crate, tmp_path: Path, role: str) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(crate.folder / "manifests", copied / "manifests")
    shutil.copytree(crate.folder / "dist", copied / "dist")
    manifest = copied / "manifests" / f"{SPEECH}.json"
    archive = copied / "dist" / json.loads(manifest.read_bytes())["archives"][role]["file"]
    whole = archive.read_bytes()
    for data, said in ((whole[:-1], "its manifest says"), (whole[:-9] + b"x" + whole[-8:], "has SHA-256")):
        archive.write_bytes(data)
        made = run(crate, crate.tts, tmp_path, "--manifest", str(manifest), "voices")
        assert made.returncode == 2 and archive.name in made.stderr.decode() and said in made.stderr.decode()
    archive.unlink()
    made = run(crate, crate.tts, tmp_path, "--manifest", str(manifest), "voices")
    assert made.returncode == 2 and b"neither beside it nor in ../dist" in made.stderr
