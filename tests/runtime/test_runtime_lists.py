"""`g2p pronounce` on long lists: files, formats, languages in a column, and going on after a kill."""

import csv
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

from g2p_build.runtime.formats import phones

pytest_plugins = ["toys"]

ROOT = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[bytes]]

WORDS = [f"word{number:06}" for number in range(3_000)]


def listed(folder: Path, lines: list[str], name: str = "words.txt") -> Path:
    """A file of lines."""
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def start(*arguments: str | Path, **streams: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "g2p_build.runtime.cli", "pronounce", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        **streams,  # type: ignore[call-overload]
    )


def interrupted(sent: signal.Signals, words: list[str], *arguments: str | Path) -> tuple[int, bytes]:
    """Runs the command on words until they are in its record, and then sends it a signal."""
    record = Path(f"{arguments[-1]}.part.json")
    process = start(*arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    while not (record.exists() and json.loads(record.read_bytes())["input"]["lines"]):
        assert process.poll() is None, process.communicate()
        process.stdin.write("".join(f"{words.pop(0)}\n" for _ in range(10)).encode())
        process.stdin.flush()
        time.sleep(0.02)
    process.send_signal(sent)
    _, said = process.communicate()
    return process.returncode, said


def test_a_file_gives_what_standard_input_gives(toy: Path, command: Command, tmp_path: Path) -> None:
    words = listed(tmp_path, WORDS[:300])
    piped = command("pronounce", "--manifest", str(toy), stdin=words.read_bytes())
    out = tmp_path / "out.tsv"
    made = command("pronounce", "--manifest", str(toy), "--input", str(words), "-o", str(out), "--threads", "1")
    assert (made.returncode, made.stdout, made.stderr) == (0, b"", b"")
    assert out.read_bytes() == piped.stdout
    assert piped.stdout.decode().splitlines() == [f"{word}\t<eng-us>: {word}" for word in WORDS[:300]]
    assert [path.name for path in tmp_path.glob("out.tsv*")] == ["out.tsv"]
    assert command("pronounce", "--manifest", str(toy), f"--input={words}").stdout == piped.stdout


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_where_its_output_ends(toy: Path, command: Command, tmp_path: Path, sent: int) -> None:
    out = tmp_path / "out.csv"
    arguments = ["--manifest", str(toy), "--format", "csv", "-o", str(out)]
    code, said = interrupted(signal.Signals(sent), WORDS.copy(), *arguments)
    assert not out.exists()
    if sent == signal.SIGINT:
        assert (code, said) == (130, b"g2p: interrupted: the same command goes on from there\n")
    with Path(f"{out}.part").open("ab") as part:
        part.write(b"half a lin")  # as a kill in the middle of a write leaves it
    made = command("pronounce", "--input", str(listed(tmp_path, WORDS)), *arguments)
    assert made.returncode == 0
    first = int(made.stderr.decode().partition("goes on after line ")[2].split()[0])
    assert 0 < first < len(WORDS)
    with out.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["word", "phonemes"], *([word, f"<eng-us>: {word}"] for word in WORDS)]
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.csv"]


@pytest.fixture
def unfinished(toy: Path, tmp_path: Path) -> tuple[list[str], Path, Path]:
    """A command that ended at a wrong line, its input, and its output."""
    words, out = listed(tmp_path, ["one", "two", "thr\tee", "four"]), tmp_path / "out.tsv"
    arguments = ["pronounce", "--manifest", str(toy), "--input", str(words), "-o", str(out)]
    process = start(*arguments[1:], stderr=subprocess.PIPE)
    _, said = process.communicate()
    assert process.returncode == 2 and not out.exists()
    [line] = said.decode().splitlines()
    assert line.startswith("g2p: line 3: ")
    assert line.endswith("; mended, or with --on-error skip: the same command goes on from there")
    return arguments, words, out


FIRST = "one\t<eng-us>: one\ntwo\t<eng-us>: two\n"
GOES_ON = "goes on after line 2 of the input\n"


def test_a_wrong_line_may_be_mended(unfinished: tuple[list[str], Path, Path], command: Command) -> None:
    arguments, words, out = unfinished
    listed(words.parent, ["one", "two", "three", "four", "five"])
    made = command(*arguments)
    assert made.returncode == 0 and made.stderr.decode().endswith(GOES_ON)
    assert out.read_text() == FIRST + "".join(f"{word}\t<eng-us>: {word}\n" for word in ("three", "four", "five"))


def test_a_wrong_line_may_be_left_out_after_all(unfinished: tuple[list[str], Path, Path], command: Command) -> None:
    arguments, _, out = unfinished
    made = command(*arguments, "--on-error", "skip")
    assert made.returncode == 0 and out.read_text() == FIRST + "four\t<eng-us>: four\n"


def test_standard_input_goes_on_too(unfinished: tuple[list[str], Path, Path], command: Command) -> None:
    arguments, words, out = unfinished
    del arguments[3:5]  # --input and its file
    made = command(*arguments, "--on-error", "skip", stdin=words.read_bytes())
    assert made.stderr.decode().splitlines()[0] + "\n" == f"g2p: {out}: {GOES_ON}"
    assert out.read_text() == FIRST + "four\t<eng-us>: four\n"


@pytest.mark.parametrize(
    ("change", "more", "says"),
    [
        ("words", [], "holds the words of another input: the first 2 lines differ"),
        ("shorter", [], "holds the words of another input: the first 2 lines differ"),
        ("part", [], "was changed since it was written"),
        ("record", [], "has no record of what it was made from"),
        ("", ["--format", "csv"], "was made with another --format, tsv and not csv"),
        ("", ["--lang", "fin"], "was made with another --lang, eng-us and not fin"),
        ("", ["--details"], "was made with another --details"),
        ("lexicon", [], "was made with another --lexicon"),
    ],
)
def test_what_does_not_belong_together_is_not_mixed(
    unfinished: tuple[list[str], Path, Path], command: Command, tmp_path: Path, change: str, more: list[str], says: str
) -> None:
    arguments, words, out = unfinished
    part, record = Path(f"{out}.part"), Path(f"{out}.part.json")
    if change == "words":
        words.write_bytes(words.read_bytes().replace(b"two", b"owt"))
    elif change == "shorter":
        words.write_bytes(b"one\n")
    elif change == "part":
        part.write_bytes(part.read_bytes().replace(b"two", b"owt"))
    elif change == "record":
        record.unlink()
    elif change == "lexicon":
        more = ["--lexicon", str(listed(tmp_path, ["one\tI"], "own.tsv"))]
    before = part.read_bytes()
    made = command(*arguments, *more)
    assert (made.returncode, made.stdout) == (2, b"")
    [line] = made.stderr.decode().splitlines()
    assert line.startswith(f"g2p: {part} {says}") and line.endswith("or remove it to begin anew")
    assert part.read_bytes() == before and not out.exists()
    part.unlink()
    listed(words.parent, ["one"])
    assert command(*arguments, *more).returncode == 0 and out.exists() and not record.exists()


def test_two_at_once_do_not_write_the_same_file(toy: Path, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    process = start("--manifest", toy, "-o", out, stdin=subprocess.PIPE)
    assert process.stdin is not None
    while not Path(f"{out}.part.json").exists():
        time.sleep(0.01)
    made = command("pronounce", "--manifest", str(toy), "-o", str(out), stdin=b"two\n")
    assert made.returncode == 2 and b"is being written by another process" in made.stderr
    process.communicate(b"one\n")
    assert process.returncode == 0 and out.read_text() == "one\t<eng-us>: one\n"


def test_an_old_output_stays_until_the_new_one_is_whole(
    unfinished: tuple[list[str], Path, Path], command: Command
) -> None:
    arguments, words, out = unfinished
    out.write_text("old\n")
    link = out.with_name("link.tsv")
    link.symlink_to(out)
    arguments[-1] = str(link)
    assert command(*arguments).returncode == 2 and out.read_text() == "old\n"
    listed(words.parent, ["one", "two"])
    assert command(*arguments).returncode == 0 and out.read_text() == FIRST and link.is_symlink()


def test_each_line_has_its_language(toy: Path, command: Command, tmp_path: Path) -> None:
    lines = ["tie\tfin\tmore", "gà\tvie-n", "", "a", "b\txx"]
    given = ["pronounce", "--manifest", str(toy), "--lang-column", "2", "--on-error", "mark"]
    made = command(*given, "--input", str(listed(tmp_path, lines)))
    assert made.returncode == 0
    assert made.stdout.decode() == "tie\t<fin>: tie\tfin\ngà\t<vie-n>: gà\tvie-n\n\na\t\t\nb\t\txx\n"
    missing, unknown = made.stderr.decode().splitlines()
    assert missing == "g2p: line 4: the word 'a' has no language: give it in column 2 (a tab ends a column)"
    assert unknown.startswith("g2p: line 5: unknown language 'xx'")
    first = command("pronounce", "--manifest", str(toy), "--lang-column", "1", stdin="fin\ttie\nvie-n\tgà\n".encode())
    assert first.stdout.decode() == "tie\t<fin>: tie\tfin\ngà\t<vie-n>: gà\tvie-n\n"


def test_formats(toy: Path, command: Command, tmp_path: Path) -> None:
    own = listed(tmp_path, ['say "a, b"\tx', "mtindi\tˈmtiⁿdi", "nào\tna˨ˀ˩w"], "own.tsv")
    given = ["pronounce", "--lang", "fin", "--manifest", str(toy), f"--lexicon={own}", "--format"]

    def lines(form: str, *words: str) -> list[str]:
        made = command(*given, form, *words)
        assert made.returncode == 0, made.stderr
        return made.stdout.decode().splitlines()

    assert lines("csv", 'say "a, b"', "nào") == ["word,phonemes", '"say ""a, b""",x', "nào,na˨ˀ˩w"]
    assert lines("csv", "--details", "nào") == ["word,phonemes,source,score,notes", "nào,na˨ˀ˩w,user,,"]
    assert json.loads(lines("jsonl", "nào")[0])["phonemes"] == "na˨ˀ˩w"
    assert lines("kaldi", "nào", "mtindi") == ["nào n a˨ˀ˩ w", "mtindi m t i ⁿd i"]
    assert lines("mfa", "nào", "mtindi") == ["nào\tn a˨ˀ˩ w", "mtindi\tm t i ⁿd i"]
    for form in ("kaldi", "mfa"):
        made = command(*given, form, 'say "a, b"')
        assert made.returncode == 2 and b"has a space" in made.stderr


@pytest.mark.parametrize(
    ("phonemes", "symbols"),
    [
        ("ˈmiˌəˌkoʊ", "m i ə k o ʊ"),  # stress is the syllable's
        ("t͡ɕum˧.pʰot̚˦˥", "t͡ɕ u m˧ pʰ o t̚˦˥"),
        ("klɯa̯k̚˨˩", "k l ɯ a̯ k̚˨˩"),
        ("koŋ͡m˧˧zik˨ˀ˩", "k o ŋ͡m˧˧ z i k˨ˀ˩"),
        ("ᵐɓaᵑgatⁿ", "ᵐɓ a ᵑg a tⁿ"),
        ("jɔː a-b", "j ɔː a b"),
        ("t͡ʃ̩ʰa¹", "t͡ʃ̩ʰ a¹"),
        ("ˈ.", ""),
    ],
)
def test_phonemes_are_letters_with_their_marks(phonemes: str, symbols: str) -> None:
    assert " ".join(phones(phonemes)) == symbols


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--input", "no/such"], "--input no/such: cannot be read: No such file or directory"),
        (["--input", "."], "--input . is a folder"),
        (["-o", "."], "--output . is a folder"),
        (["-o", "no/such/out.tsv"], "no/such/out.tsv.part: cannot be written: No such file or directory"),
        (["-o", "/dev/full"], "--output /dev/full: cannot be written: No space left on device"),
        (["word", "--input", "x"], "give words, or a list of them with --input or on standard input, not both"),
        (["word", "-o", "x"], "--output is for a list"),
        (["--json", "--format", "csv"], "--json is short for --format jsonl"),
        (["--lang", "fin", "--lang-column", "2"], "--lang names one language for all words"),
        (["--lang-column", "0"], "argument --lang-column: invalid"),
        (["--lang-column", "2", "--lexicon", "own.tsv"], "--lexicon own.tsv: with --lang-column say which language"),
        (["--format", "kaldi", "--details"], "--details: a kaldi lexicon has words with phonemes and nothing else"),
        (["--format", "mfa", "--on-error", "mark"], "--on-error mark: a mfa lexicon"),
        (["--threads", "300"], "threads=300: give 1 to 256"),
        (["--threads", "many"], "argument --threads: invalid int value"),
    ],
)
def test_a_mistake_is_one_line(toy: Path, command: Command, arguments: list[str], says: str) -> None:
    made = command("pronounce", "--manifest", str(toy), *arguments, stdin=b"word\n")
    assert (made.returncode, made.stdout) == (2, b"")
    [line] = made.stderr.decode().splitlines()
    assert line.startswith("g2p: ") and says in line


def test_an_input_is_not_overwritten_and_a_line_without_end_is_no_word(
    toy: Path, command: Command, tmp_path: Path
) -> None:
    words = listed(tmp_path, ["one"])
    made = command("pronounce", "--manifest", str(toy), "--input", str(words), "-o", str(words))
    assert made.returncode == 2 and b"is the input itself" in made.stderr and words.read_bytes() == b"one\n"
    made = command("pronounce", "--manifest", str(toy), "--on-error", "skip", stdin=b"one\n" + b"x" * 3_000_000)
    assert made.returncode == 2 and made.stderr.startswith(b"g2p: line 2 has more than 1,048,576 bytes")
    assert made.stdout == b"one\t<eng-us>: one\n"


def test_a_terminal_sees_how_far_it_is(toy: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = listed(tmp_path, WORDS * 30)
    process = start("--manifest", toy, "--input", words, "-o", tmp_path / "out.tsv", stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"left" not in shown:
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    os.close(ours)
    assert b" words, " in shown and b" a second, " in shown and b" %, " in shown
