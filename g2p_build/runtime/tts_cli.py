"""The command ``tts``: phonemes, or a text, to a WAV file or to standard output as a stream."""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from g2p_build.runtime import loading, tts, wav
from g2p_build.runtime.command import Parser, run, show_info, table
from g2p_build.runtime.errors import G2PError, InvalidWord
from g2p_build.runtime.progress import Progress
from g2p_build.runtime.tts import TTS, Timing
from g2p_build.runtime.wav import Output

__all__ = ["main"]

_CHUNK = 65_536  # bytes in one read of standard input


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns its exit code: see `command.run`."""
    return run(_parser(), arguments)


def _parser() -> Parser:
    # An option may stand before or after the command. SUPPRESS keeps the second parser from resetting it to a default.
    shared = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--manifest", metavar="FILE", help="variant to load (default: the index's, for this machine)")
    shared.add_argument("--json", action="store_true", help="print JSON, one object a line")
    parser = Parser(prog="tts", description="Speaks phonemes with a built variant.", parents=[shared])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for name, function, text in (
        ("speak", _speak, "speak phonemes into a WAV file, 16 bits a sample"),
        ("voices", _voices, "list the voices"),
        ("info", _info, "say what the variant is"),
    ):
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".", parents=[shared])
        command.set_defaults(run=function)
        if name != "speak":
            continue
        command.add_argument("phonemes", nargs="?", metavar="PHONEMES", help="what to say; - reads standard input")
        command.add_argument(
            "--text", help="in place of phonemes: a text, whose words a G2P variant pronounces; - as there"
        )
        command.add_argument("--lang", metavar="CODE", help="the text's language (default: eng-us)")
        command.add_argument("--g2p", metavar="FILE", help="the G2P variant's manifest (default: the index's)")
        command.add_argument(
            "-o",
            "--output",
            metavar="FILE",
            required=True,
            help="the WAV file, which is there once it is whole; - writes to standard output while it is made",
        )
        command.add_argument("--voice", metavar="NAME", help="who speaks: see `tts voices`")
        command.add_argument("--mix", metavar="NAME=SHARE,...", help="in place of --voice: a mixture of voices")
        command.add_argument("--speed", metavar="X", type=float, default=1.0, help="2 is twice as fast (default: 1)")
        command.add_argument("--seed", metavar="N", type=int, default=0, help="of the noise in the voice (default: 0)")
        command.add_argument(
            "--threads",
            metavar="N",
            type=int,
            default=0,
            help="threads that work on it (default: one for each processor that the command may use)",
        )
        command.add_argument("--early", action="store_true", help="make the first piece short, for an early sound")
        command.add_argument("--skip-unknown", action="store_true", help="leave out what the model has no symbol for")
        command.add_argument("--timings", metavar="FILE", help="write where each phoneme is in the sound, as JSON")
    return parser


def _load(chosen: argparse.Namespace) -> TTS:
    try:
        return tts.load(getattr(chosen, "manifest", None), getattr(chosen, "threads", 0))
    except ValueError as error:
        raise G2PError(str(error)) from None


def _speak(chosen: argparse.Namespace) -> None:
    _check(chosen)
    mix = _mix(chosen.mix) if chosen.mix is not None else None
    with _load(chosen) as speech:
        phonemes = _phonemes(chosen) if chosen.text is None else _of_text(chosen, speech)
        try:
            pieces = speech.speak(
                phonemes,
                chosen.voice,
                mix,
                chosen.speed,
                chosen.seed,
                early=chosen.early,
                skip_unknown=chosen.skip_unknown,
            )
        except ValueError as error:
            raise G2PError(str(error)) from None
        rate, samples, timings = speech.limits["sample_rate"], 0, list[Timing]()
        progress = Progress(chosen.output != "-", len(phonemes), 0, "seconds of sound")
        with (
            contextlib.nullcontext() if chosen.timings is None else wav.opened_file(chosen.timings, "--timings")
        ) as beside:
            with _opened(chosen.output) as output, contextlib.closing(pieces):
                try:
                    for piece in pieces:
                        count = len(piece.samples) // 4
                        # Nothing is written before the first piece: what cannot be spoken leaves no empty sound.
                        head = b"" if samples else wav.header(rate, None)
                        output.write(head + wav.pcm16(piece.samples))
                        samples += count
                        timings += piece.timings
                        progress.add(count / rate, timings[-1].place + 1)
                finally:
                    progress.clear()
                output.begin_again(wav.header(rate, samples))
            if beside is not None:
                beside.write(_timings(phonemes, rate, samples, timings))
    if hasattr(chosen, "json"):
        said = {"output": chosen.output, "sample_rate": rate, "samples": samples, "seconds": samples / rate}
        print(json.dumps(said, ensure_ascii=False), flush=True)
    elif chosen.output != "-":
        print(f"{chosen.output}: {samples / rate:.2f} s of sound", flush=True)


def _check(chosen: argparse.Namespace) -> None:
    """Refuses options that do not go together."""
    if chosen.phonemes is None and chosen.text is None:
        raise G2PError("there is nothing to say: give phonemes, - to read them from standard input, or --text")
    if chosen.phonemes is not None and chosen.text is not None:
        raise G2PError("phonemes and --text both say what is said: give one of them")
    if chosen.text is None and (chosen.lang or chosen.g2p):
        raise G2PError("--lang and --g2p are about a text's words: give --text too")
    if chosen.output == "-" and hasattr(chosen, "json"):
        raise G2PError("--json prints to standard output, and -o - sends the sound there: leave out one of them")
    if chosen.output == "-" and sys.stdout.isatty():
        raise G2PError("standard output is a terminal: send the sound elsewhere, or name a file with -o")
    if chosen.timings == "-":
        raise G2PError("--timings -: give a file's name")
    if chosen.timings is not None and Path(chosen.timings).resolve() == Path(chosen.output).resolve():
        raise G2PError(f"--timings {chosen.timings} is the sound's file: give another name")


def _mix(text: str) -> dict[str, float]:
    """The shares of voices: NAME=SHARE,NAME=SHARE."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            number = float(share)
        except ValueError:
            raise G2PError(f"--mix {text}: {part!r} is no voice with its share: give NAME=NUMBER") from None
        if name in shares:
            raise G2PError(f"--mix {text}: {name!r} is there twice: give one share for it")
        shares[name] = number
    return shares


def _phonemes(chosen: argparse.Namespace) -> str:
    """What to say. Line ends are spaces."""
    given: str = chosen.phonemes
    if given == "-":
        given = _read("the phonemes")
    return " ".join(line.strip() for line in given.splitlines() if line.strip())


def _of_text(chosen: argparse.Namespace, speech: TTS) -> str:
    """What a text's words and punctuation are to the speech model."""
    text = chosen.text if chosen.text != "-" else _read("the text")
    with loading.load(chosen.g2p, chosen.threads) as g2p:
        return speech.phonemes(text, g2p, chosen.lang or "eng-us")


def _read(what: str) -> str:
    data = b"".join(iter(lambda: os.read(sys.stdin.fileno(), _CHUNK), b""))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidWord(f"{what}: not UTF-8 at byte {error.start}: give that encoding") from None


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Output]:
    """Where the sound goes."""
    if path != "-":
        with wav.opened_file(path, "--output") as output:
            yield output
        return

    def write(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    yield Output(write, lambda _: None)


def _timings(phonemes: str, rate: int, samples: int, timings: list[Timing]) -> bytes:
    rows = [dataclasses.asdict(timing) for timing in timings]
    said = {"phonemes": phonemes, "sample_rate": rate, "samples": samples, "timings": rows}
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"


def _voices(chosen: argparse.Namespace) -> None:
    voices = _load(chosen).voices
    if hasattr(chosen, "json"):
        print("\n".join(json.dumps({"voice": voice}) for voice in voices))
    elif sys.stdout.isatty():
        table(("voice",), [(voice,) for voice in voices])
    else:
        print("\n".join(voices))


def _info(chosen: argparse.Namespace) -> None:
    show_info(_load(chosen).info(), hasattr(chosen, "json"))


if __name__ == "__main__":
    raise SystemExit(main())
