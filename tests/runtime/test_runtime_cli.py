import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["toys"]

ROOT = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[bytes]]


PLAIN = {"source": "model", "truncated": False, "repeats": False}


def start(*arguments: str, **streams: int) -> subprocess.Popen[bytes]:
    """Starts the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "g2p_build.runtime.cli", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        **streams,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["pronounce", "--lang", "fin", "--manifest", "M", "tie", "yö"],
        ["--lang", "fin", "--manifest", "M", "pronounce", "tie", "yö"],
        ["--manifest", "M", "pronounce", "tie", "yö", "--lang", "fin"],
    ],
)
def test_a_pipe_gets_tab_separated_lines(toy: Path, command: Command, arguments: list[str]) -> None:
    made = command(*[str(toy) if argument == "M" else argument for argument in arguments])
    assert (made.returncode, made.stderr) == (0, b"")
    assert made.stdout.decode() == "tie\t<fin>: tie\nyö\t<fin>: yö\n"


def test_english_unless_said(toy: Path, command: Command) -> None:
    assert command("pronounce", "a", "--manifest", str(toy)).stdout == b"a\t<eng-us>: a\n"


def test_json_is_one_object_a_line(toy: Path, command: Command) -> None:
    for place in (["--json", "pronounce"], ["pronounce", "--json"]):
        made = command(*place, "--manifest", str(toy), "--lang", "vie-n", "phở", "gà")
        assert [json.loads(line) for line in made.stdout.splitlines()] == [
            {"word": word, "lang": "vie-n", "phonemes": f"<vie-n>: {word}", **PLAIN} for word in ("phở", "gà")
        ]
        assert "phở".encode() in made.stdout


def test_lines_from_standard_input(toy: Path, command: Command) -> None:
    words = [f"word{number}" for number in range(200)]
    made = command("pronounce", "--manifest", str(toy), stdin="\n".join(words).encode())
    assert made.stdout.decode().splitlines() == [f"{word}\t<eng-us>: {word}" for word in words]
    made = command("pronounce", "--manifest", str(toy), stdin="\ufeffa\r\n b \r\n".encode())
    assert made.stdout == b"a\t<eng-us>: a\nb\t<eng-us>: b\n"
    made = command("pronounce", "--manifest", str(toy))
    assert (made.returncode, made.stdout) == (0, b"")


def test_a_line_is_answered_before_the_next_is_written(toy: Path) -> None:
    process = start("pronounce", "--manifest", str(toy), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    for word in ("one", "two", "three"):
        process.stdin.write(f"{word}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline().decode() == f"{word}\t<eng-us>: {word}\n"
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


def test_a_character_may_be_split_between_reads(toy: Path) -> None:
    process = start("pronounce", "--manifest", str(toy), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    for part in (b"y", "ö".encode()[:1], "ö".encode()[1:], b"\n"):
        process.stdin.write(part)
        process.stdin.flush()
        time.sleep(0.02)
    assert process.stdout.readline().decode() == "yö\t<eng-us>: yö\n"
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "line 3: the word '' is empty"),
        (b"\xff", "line 3: b'\\xff' is not UTF-8"),
        (b"a\tb", "line 3: the word 'a\\tb' holds a control character"),
        (b"x" * 50, "line 3: the word 'xxx"),
    ],
)
def test_the_lines_before_a_wrong_one_are_answered(toy: Path, command: Command, line: bytes, words: str) -> None:
    made = command("pronounce", "--manifest", str(toy), stdin=b"one\ntwo\n" + line + b"\nfour\n")
    assert made.stdout == b"one\t<eng-us>: one\ntwo\t<eng-us>: two\n"
    assert made.returncode == 2
    [message] = made.stderr.decode().splitlines()
    assert message.startswith(f"g2p: {words}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pronounce", "--lang", "eng", "a"], "unknown language 'eng': did you mean eng-us?"),
        (["pronounce", ""], "empty"),
        (["pronounce", "x" * 80], "80 bytes"),
        (["pronounce", "--manifest", "no/such.json", "a"], "no manifest at no/such.json"),
        (["pronounce", "--loud"], "unrecognized arguments: --loud"),
        (["sing"], "invalid choice: 'sing'"),
        ([], "COMMAND"),
        (["pronounce", "--manifest"], "expected one argument"),
    ],
)
def test_a_mistake_is_one_line(toy: Path, command: Command, arguments: list[str], words: str) -> None:
    made = command(*arguments, G2P_MANIFESTS=str(toy.parent))
    assert (made.returncode, made.stdout) == (2, b"")
    [message] = made.stderr.decode().splitlines()
    assert message.startswith("g2p: ") and words in message


WRONG = "tie\n\ntwo\twords\nyö\n".encode() + b"\xff\n"


def test_a_wrong_line_may_be_left_out(toy: Path, command: Command) -> None:
    made = command("pronounce", "--on-error", "skip", "--lang", "fin", "--manifest", str(toy), stdin=WRONG)
    assert (made.returncode, made.stdout.decode()) == (0, "tie\t<fin>: tie\nyö\t<fin>: yö\n")
    blank, last = made.stderr.decode().splitlines()
    assert blank.startswith(r"g2p: line 3: the word 'two\twords' holds a control") and last.startswith("g2p: line 5: ")


def test_a_wrong_line_may_be_marked_and_a_blank_one_stays(toy: Path, command: Command) -> None:
    given = ["pronounce", "--on-error", "mark", "--lang", "fin", "--manifest", str(toy)]
    made = command(*given, stdin=WRONG)
    assert made.returncode == 0
    lines = made.stdout.decode().splitlines()
    assert lines == ["tie\t<fin>: tie", "", "two\twords\t", "yö\t<fin>: yö", r"b'\xff'" + "\t"]
    objects = [json.loads(line) for line in command(*given, "--json", stdin=WRONG).stdout.splitlines()]
    assert [row["phonemes"] for row in objects] == ["<fin>: tie", None, None, "<fin>: yö", None]
    assert [row["error"]["code"] for row in objects if "error" in row] == ["EmptyWord", "InvalidWord", "InvalidWord"]


def test_a_lexicon_comes_before_the_model(toy: Path, command: Command, tmp_path: Path) -> None:
    (tmp_path / "own.tsv").write_text("tie\tT\n", encoding="utf-8")
    (tmp_path / "other.tsv").write_text("tie\tU\nyö\tY\n", encoding="utf-8")
    own, other = f"--lexicon={tmp_path / 'own.tsv'}", f"--lexicon=fin={tmp_path / 'other.tsv'}"
    given = ["pronounce", "--lang", "fin", "--manifest", str(toy), "tie", "yö"]
    assert command(*given, own).stdout.decode() == "tie\tT\nyö\t<fin>: yö\n"
    assert command(*given, own, other).stdout.decode() == "tie\tU\nyö\tY\n"
    assert command(*given, other, own).stdout.decode() == "tie\tT\nyö\tY\n"
    assert command(*given, f"--lexicon=eng-us={tmp_path / 'own.tsv'}").stdout.decode().startswith("tie\t<fin>")


def test_details_say_where_from_and_how_sure(toy: Path, command: Command, tmp_path: Path) -> None:
    (tmp_path / "own.tsv").write_text("tie\tT\n", encoding="utf-8")
    given = ["pronounce", "--details", "--lang", "fin", "--manifest", str(toy), f"--lexicon={tmp_path / 'own.tsv'}"]
    tie, yö = command(*given, "tie", "yö").stdout.decode().splitlines()
    assert tie == "tie\tT\tuser\t\t"
    assert yö.startswith("yö\t<fin>: yö\tmodel\t-") and float(yö.split("\t")[3]) <= 0


def test_no_index(command: Command, tmp_path: Path) -> None:
    made = command("info", G2P_MANIFESTS=str(tmp_path / "nowhere"))
    assert made.returncode == 2 and made.stderr.startswith(b"g2p: no index of manifests at ")


def test_info_and_languages(toy: Path, command: Command, edit: Callable[..., None]) -> None:
    assert command("languages", "--manifest", str(toy)).stdout == b"eng-us\nfin\nvie-n\n"
    assert json.loads(command("languages", "--json", "--manifest", str(toy)).stdout.splitlines()[1]) == {
        "language": "fin"
    }
    info = json.loads(command("info", "--json", "--manifest", str(toy)).stdout)
    assert info["name"] == "toy-host-kv" and info["target"]["engine"] == "vm"
    rows = dict(line.split("\t") for line in command("info", "--manifest", str(toy)).stdout.decode().splitlines())
    assert rows["max_lens.input"] == "40" and rows["languages"] == "eng-us fin vie-n" and rows["batch"] == "1 4 8"


@pytest.mark.parametrize(
    ("arguments", "cells"), [(["pronounce", "yö"], ["word", "yö", "<eng-us>: yö"]), (["languages"], ["fin"])]
)
def test_a_terminal_gets_a_table(toy: Path, arguments: list[str], cells: list[str]) -> None:
    ours, theirs = pty.openpty()
    process = start(*arguments, "--manifest", str(toy), stdin=subprocess.DEVNULL, stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # on Linux: the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert all(cell in shown.decode() for cell in cells) and "┃" in shown.decode()


@pytest.mark.parametrize("arguments", [["pronounce", "a"], ["info"], ["languages"]])
@pytest.mark.parametrize(
    ("redirected", "says", "code"),
    [
        (">/dev/full", "g2p: standard input or output: No space left on device", 2),
        (">&-", "g2p: standard output is closed: there is nowhere to print to", 2),
    ],
)
def test_an_output_that_takes_nothing_is_one_line(
    toy: Path, arguments: list[str], redirected: str, says: str, code: int
) -> None:
    line = f'exec "$@" {redirected}'
    command = [sys.executable, "-m", "g2p_build.runtime.cli", *arguments, "--manifest", str(toy)]
    done = subprocess.run(
        ["sh", "-c", line, "sh", *command],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, says + "\n")


def test_closed_streams_end_nothing(toy: Path) -> None:
    command = [sys.executable, "-m", "g2p_build.runtime.cli", "pronounce", "--manifest", str(toy)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "latin-1"}

    def run(line: str, *words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {line}', "sh", *command, *words], env=environment, capture_output=True, check=False
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    assert run("<&-") == (0, "", "")
    assert run("2>&-", "phở", "--lang", "vie-n") == (0, "phở\t<vie-n>: phở\n", "")
    assert run("2>&-", "") == (2, "", "")  # the error is not printed among the words


def test_an_argument_that_is_not_utf8_is_said_as_it_was_typed(toy: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "g2p_build.runtime.cli", "pronounce", "--manifest", str(toy), b"a\xff"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert (made.returncode, made.stderr.decode()) == (
        2,
        r"g2p: b'a\xff' is not UTF-8: give it in that encoding" + "\n",
    )


def test_a_reader_that_leaves_is_no_error(toy: Path) -> None:
    process = start(
        "pronounce", "--manifest", str(toy), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(b"one\n")
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write(b"two\n")
    process.stdin.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()


def test_ctrl_c_is_one_line(toy: Path) -> None:
    process = start(
        "pronounce", "--manifest", str(toy), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(b"one\n")
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.stderr.read() == b"g2p: interrupted\n"
    assert process.wait() == 130
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
