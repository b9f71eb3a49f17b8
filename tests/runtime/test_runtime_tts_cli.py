"""The command `tts`: its files, its streams, its messages."""

import array
import io
import json
import os
import pty
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest
from conftest import DEFAULT, SPEECH, Tree

from g2p_build.runtime import errors, wav

HELLO = "həlˈO wˈɜɹld."
LONG = "həlˈO wˈɜɹld, hˈI ðˈɛɹ ænd hˈIɹ. " * 4000  # half an hour of sound
PROMPTLY = 5.0  # seconds, on a busy machine


def command(tree: Tree) -> list[str]:
    manifest = tree.root / "manifests" / f"{SPEECH}.json"
    return [sys.executable, "-m", "g2p_build.runtime.tts_cli", "--manifest", str(manifest)]


def tts(
    tree: Tree, folder: Path, *words: str | bytes, stdin: bytes = b"", shell: str = '"$@"'
) -> subprocess.CompletedProcess[bytes]:
    """Runs the command in a folder. `shell` is what is made of its streams."""
    given = ["bash", "-c", shell, "bash", *command(tree), *words]
    return subprocess.run(given, cwd=folder, env=tree.env, input=stdin, capture_output=True)


def read(path: Path) -> tuple[int, int, int, bytes]:
    """A WAV file's channels, bytes a sample, samples a second, and samples."""
    with wave.open(str(path)) as file:
        return file.getnchannels(), file.getsampwidth(), file.getframerate(), file.readframes(file.getnframes())


def test_a_file_that_wave_reads_back(speech: Tree, tmp_path: Path) -> None:
    given = ["speak", HELLO, "-o", "out.wav", "--voice", "first", "--timings", "said.json"]
    made = tts(speech, tmp_path, *given)
    assert (made.returncode, made.stderr) == (0, b"")
    channels, size, rate, samples = read(tmp_path / "out.wav")
    assert (channels, size, rate) == (1, 2, 24_000)
    seconds = len(samples) / size / rate
    assert made.stdout.decode() == f"out.wav: {seconds:.2f} s of sound\n"
    said = json.loads((tmp_path / "said.json").read_bytes())
    assert (said["phonemes"], said["sample_rate"], said["samples"]) == (HELLO, rate, len(samples) // 2)
    assert "".join(row["symbol"] for row in said["timings"]) == HELLO
    assert all(0 < row["first"] < row["first"] + row["samples"] < said["samples"] for row in said["timings"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.wav", "said.json"]
    assert stat.S_IMODE((tmp_path / "out.wav").stat().st_mode) == stat.S_IMODE((tmp_path / "said.json").stat().st_mode)


def test_the_stream_has_the_same_sound_and_a_length_that_nobody_knows(speech: Tree, tmp_path: Path) -> None:
    assert tts(speech, tmp_path, "speak", HELLO, "-o", "out.wav", "--voice", "first").returncode == 0
    made = tts(speech, tmp_path, "speak", HELLO, "-o", "-", "--voice", "first")
    assert (made.returncode, made.stderr) == (0, b"")
    file = (tmp_path / "out.wav").read_bytes()
    assert made.stdout[:44] == wav.header(24_000, None) and made.stdout[44:] == file[44:]
    assert made.stdout[4:8] == made.stdout[40:44] == b"\xff" * 4
    with wave.open(io.BytesIO(made.stdout)) as stream:
        assert stream.readframes(1 << 30) == file[44:]


def test_options_say_who_speaks_and_how(speech: Tree, tmp_path: Path) -> None:
    usual = ["--voice", "first"]
    found = {}
    for name, options in {
        "usual": usual,
        "one thread": [*usual, "--threads", "1"],
        "seed": [*usual, "--seed", "7"],
        "speed": [*usual, "--speed", "2"],
        "mix": ["--mix", "first=0.3,second=0.7"],
        "mix again": ["--mix", "second=7,first=3"],
    }.items():
        made = tts(speech, tmp_path, "speak", HELLO, "--json", "-o", "out.wav", *options)
        assert made.returncode == 0, made.stderr
        said = json.loads(made.stdout)
        assert said == {**said, "output": "out.wav", "sample_rate": 24_000, "seconds": said["samples"] / 24_000}
        found[name] = read(tmp_path / "out.wav")[3]
        assert said["samples"] == len(found[name]) // 2
    assert found["usual"] == found["one thread"] and found["mix"] == found["mix again"]
    assert len(set(found.values())) == 4
    assert len(found["speed"]) < len(found["usual"]) == len(found["seed"])


def test_phonemes_from_standard_input(speech: Tree, tmp_path: Path) -> None:
    assert tts(speech, tmp_path, "speak", "hˈI ðˈɛɹ.", "-o", "a.wav", "--voice", "first").returncode == 0
    lines = "\ufeffhˈI \r\n\n ðˈɛɹ.\n".encode()
    assert tts(speech, tmp_path, "speak", "-", "-o", "b.wav", "--voice", "first", stdin=lines).returncode == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_voices_and_info(speech: Tree, tmp_path: Path) -> None:
    assert tts(speech, tmp_path, "voices").stdout == b"first\nsecond\n"
    rows = [json.loads(line) for line in tts(speech, tmp_path, "voices", "--json").stdout.splitlines()]
    assert rows == [{"voice": "first"}, {"voice": "second"}]
    assert json.loads(tts(speech, tmp_path, "info", "--json").stdout)["name"] == SPEECH
    assert b"limits.sample_rate\t24000\n" in tts(speech, tmp_path, "info").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["speak", "h#", "-o", "x.wav", "--voice", "first"], "no symbol for '#' (U+0023), character 2 of the phonemes"),
        (["speak", "", "-o", "x.wav", "--voice", "first"], "there is no phoneme to speak"),
        (["speak", "-", "-o", "x.wav", "--voice", "first"], "not UTF-8 at byte 0"),
        (["speak", b"h\xff", "-o", "x.wav", "--voice", "first"], "not UTF-8 at byte 1"),
        (["speak", "h", "-o", "x.wav"], "nobody speaks: give a voice, of first, second"),
        (["speak", "h", "-o", "x.wav", "--voice", "third"], "no voice is named 'third': there is first, second"),
        (["speak", "h", "-o", "x.wav", "--mix", "first"], "--mix first: 'first' is no voice with its share"),
        (["speak", "h", "-o", "x.wav", "--mix", "first=1,first=2"], "'first' is there twice"),
        (["speak", "h", "-o", "x.wav", "--mix", "first=nan"], "the share of 'first' is nan"),
        (["speak", "h", "-o", "x.wav", "--voice", "first", "--speed", "9"], "speed=9.0: give 0.25 to 4"),
        (["speak", "h", "-o", "x.wav", "--voice", "first", "--speed", "fast"], "invalid float value: 'fast'"),
        (["speak", "h", "-o", "x.wav", "--voice", "first", "--seed", "-1"], "seed=-1: give 0 to"),
        (["speak", "h", "-o", "x.wav", "--voice", "first", "--threads", "999"], "threads=999"),
        (["speak", "h", "-o", "none/x.wav", "--voice", "first"], "--output none/x.wav: cannot be written: No such"),
        (["speak", "h", "-o", ".", "--voice", "first"], "--output . is a folder"),
        (["speak", "h", "-o", "/dev/full", "--voice", "first"], "--output /dev/full: cannot be written: No space"),
        (["speak", "h", "-o", "x.wav", "--timings", "none/t", "--voice", "first"], "--timings none/t: cannot be"),
        (["speak", "h", "-o", "x.wav", "--timings", "./x.wav", "--voice", "first"], "is the sound's file"),
        (["speak", "h", "-o", "x.wav", "--timings", "-", "--voice", "first"], "--timings -: give a file's name"),
        (["speak", "h", "-o", "-", "--json", "--voice", "first"], "leave out one of them"),
        (["speak", "-o", "x.wav"], "there is nothing to say: give phonemes"),
        (["speak", "h"], "the following arguments are required: -o/--output"),
        (["--manifest", "none.json", "voices"], "no manifest at none.json"),
        ([], "COMMAND"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(
    speech: Tree, tmp_path: Path, words: list[str | bytes], said: str
) -> None:
    made = tts(speech, tmp_path, *words, stdin=b"\xff")
    assert (made.returncode, made.stdout) == (2, b"")
    [line] = made.stderr.decode().splitlines()
    assert line.startswith("tts: ") and said in line
    assert list(tmp_path.iterdir()) == []


# What the shell makes of the streams → the exit codes of `speak -o -`, of `speak -o FILE`, and of `voices`.
STREAMS = {
    '"$@" > /dev/full': (2, 2, 2),
    '"$@" >&-': (2, 2, 2),
    '"$@" 2>&-': (0, 0, 0),
    '"$@" 2> /dev/full': (0, 0, 0),
    '"$@" <&-': (0, 0, 0),
    '"$@" <&- >&- 2>&-': (2, 2, 2),
    'PYTHONIOENCODING=ascii "$@"': (0, 0, 0),
    'LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 "$@"': (0, 0, 0),
}


@pytest.mark.parametrize("shell", STREAMS)
def test_every_command_on_every_stream(speech: Tree, tmp_path: Path, shell: str) -> None:
    for place, words in enumerate((["speak", "h", "-o", "-"], ["speak", "h", "-o", "x.wav"], ["voices"])):
        voice = ["--voice", "first"] if words[0] == "speak" else []
        made = tts(speech, tmp_path, *words, *voice, shell=shell)
        assert made.returncode == STREAMS[shell][place], (words, made.stderr)
        assert b"Traceback" not in made.stderr and b"Exception ignored" not in made.stderr
        assert len(made.stderr.splitlines()) <= 1


def test_a_listener_may_leave(speech: Tree, tmp_path: Path) -> None:
    given = [*command(speech), "speak", "-", "-o", "-", "--voice", "first", "--early"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(given, cwd=tmp_path, env=speech.env, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(LONG.encode())
        process.stdin.close()
        assert process.stdout.read(44) == wav.header(24_000, None)  # long before the last piece
        began = time.monotonic()
        process.stdout.close()
        assert process.wait() == 141 and time.monotonic() - began < PROMPTLY
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "signals", [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM], [signal.SIGKILL]]
)
def test_whoever_is_stopped_leaves_the_old_file(speech: Tree, tmp_path: Path, signals: list[signal.Signals]) -> None:
    (tmp_path / "x.wav").write_bytes(b"old")
    given = [*command(speech), "speak", "-", "-o", "x.wav", "--timings", "t.json", "--voice", "first"]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(given, cwd=tmp_path, env=speech.env, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(LONG.encode())
        process.stdin.close()
        part = tmp_path / "x.wav.part"
        began = time.monotonic()
        while not (part.exists() and part.stat().st_size > 44) and time.monotonic() - began < 60:
            time.sleep(0.01)
        for each in signals:
            process.send_signal(each)
        if signals[0] is signal.SIGINT:
            assert process.wait(PROMPTLY) == 130
            assert process.stderr.read() == b"tts: interrupted\n"
            assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]
        else:
            assert process.wait(PROMPTLY) == -signals[0]
    assert (tmp_path / "x.wav").read_bytes() == b"old"
    made = tts(speech, tmp_path, "speak", HELLO, "-o", "x.wav", "--timings", "t.json", "--voice", "first")
    assert made.returncode == 0, made.stderr  # what a killed run left is nobody's
    assert len(read(tmp_path / "x.wav")[3]) > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.json", "x.wav"]


def test_a_terminal_gets_tables_and_progress_but_no_sound(speech: Tree, tmp_path: Path) -> None:
    def on_terminal(*words: str, output: bool) -> tuple[int, bytes]:
        primary, secondary = pty.openpty()
        streams = {"stdout": secondary if output else subprocess.DEVNULL, "stderr": secondary}
        stdin = subprocess.PIPE
        with subprocess.Popen(
            [*command(speech), *words],
            cwd=tmp_path,
            env=speech.env,
            stdin=stdin,
            **streams,  # type: ignore[call-overload]
        ) as process:
            os.close(secondary)
            process.stdin.write(LONG[:1000].encode())
            process.stdin.close()
            shown = b""
            try:
                while data := os.read(primary, 65_536):
                    shown += data
            except OSError:  # Linux's way to say that the other side is closed
                pass
            os.close(primary)
            return process.wait(), shown

    status, shown = on_terminal("voices", output=True)
    assert status == 0 and "┃" in shown.decode() and b"second" in shown
    status, shown = on_terminal("speak", HELLO, "-o", "-", "--voice", "first", output=True)
    assert status == 2 and b"standard output is a terminal" in shown
    status, shown = on_terminal("speak", "-", "-o", "x.wav", "--voice", "first", "--threads", "1", output=False)
    assert status == 0 and re.search(rb"\r[\d,]+ seconds of sound, \d+ a second, \d+ %, \d+ s left", shown)


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    with wav.opened_file(str(tmp_path / "x.wav"), "--output") as output:
        output.write(b"first")
        with (
            pytest.raises(errors.G2PError, match="is being written by another process"),
            wav.opened_file(str(tmp_path / "x.wav"), "--output"),
        ):
            pass
    assert (tmp_path / "x.wav").read_bytes() == b"first"


def test_a_link_stays_a_link_and_a_pipe_is_written_at_once(speech: Tree, tmp_path: Path) -> None:
    (tmp_path / "link.wav").symlink_to("real.wav")
    assert tts(speech, tmp_path, "speak", "h", "-o", "link.wav", "--voice", "first").returncode == 0
    assert (tmp_path / "link.wav").is_symlink()
    sound = read(tmp_path / "real.wav")[3]
    os.mkfifo(tmp_path / "pipe")
    shell = f'cat {shlex.quote(str(tmp_path / "pipe"))} > got.wav & "$@"; status=$?; wait; exit $status'
    assert tts(speech, tmp_path, "speak", "h", "-o", "pipe", "--voice", "first", shell=shell).returncode == 0
    assert (tmp_path / "got.wav").read_bytes() == wav.header(24_000, None) + sound


def numbers(*samples: float) -> list[int]:
    found = array.array("h")
    found.frombytes(wav.pcm16(array.array("f", samples).tobytes()))
    return found.tolist()


def test_samples_are_rounded_and_clipped() -> None:
    inside = {
        0.0: 0,
        1.0: 32767,
        -1.0: -32767,
        0.5: 16384,
        1 / 32767: 1,
        -1 / 32767: -1,
        0.4 / 32767: 0,
        -1.00003: -32768,
    }
    assert numbers(*inside) == list(inside.values())
    beyond = {2.0: 32767, -2.0: -32768, float("inf"): 32767, float("-inf"): -32768}
    assert numbers(*inside, *beyond) == [*inside.values(), *beyond.values()]
    assert numbers(*inside, float("nan"))[:-1] == list(inside.values())


def test_a_sound_that_is_longer_than_the_format_counts_is_read_to_its_end() -> None:
    assert wav.header(24_000, 1 << 33) == wav.header(24_000, None)


def test_a_text_is_pronounced_by_the_one_and_spoken_by_the_other(speech: Tree, built: Tree, tmp_path: Path) -> None:
    g2p = str(built.root / "manifests" / f"{DEFAULT}.json")
    given = ["-o", "x.wav", "--voice", "first", "--timings", "t.json", "--g2p", g2p]
    text = "Hello,\nworld – it’s [well-known]!"
    for words, stdin in ((["--text", text], b""), (["--text", "-"], b"\xef\xbb\xbf" + text.encode())):
        made = tts(speech, tmp_path, "speak", *words, *given, stdin=stdin)
        assert (made.returncode, made.stderr) == (0, b"")
        said = json.loads((tmp_path / "t.json").read_bytes())
        assert said["phonemes"] == "hɛlˈO, wˈɜɹld — ɪts (wˈɛl nˈOn)!"
    made = tts(speech, tmp_path, "speak", "--text", "Perro.", "--lang", "spa-latin", *given)
    assert json.loads((tmp_path / "t.json").read_bytes())["phonemes"] == "pero."
    for words, wrong in (
        (["--text", "It costs 20."], "the text has a number, '20', at character 10: write it out in words"),
        (["--text", "tie", "--lang", "fin"], "does not speak 'fin': it speaks eng-us, spa-latin"),
        (["--text", "a \N{GRINNING FACE}"], "no symbol for '\N{GRINNING FACE}'"),
        (["--text", "aß"], "'ß' (U+00DF, a letter) at byte 1 of the word 'aß' is not in the alphabet of eng-us"),
        (["--text", ""], "there is no phoneme to speak"),
        (["--text", "a", "h"], "give one of them"),
        (["h"], "--lang and --g2p are about a text's words"),
    ):
        made = tts(speech, tmp_path, "speak", *words, *given)
        [line] = made.stderr.decode().splitlines()
        assert made.returncode == 2 and line.startswith("tts: ") and wrong in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.json", "x.wav"]
