"""Phonemes to sound: pieces, timings, voices, seeds, stopping, and how much is kept."""

import array
import gc
import multiprocessing
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SPEECH, Tree

from g2p_build.errors import BuildError
from g2p_build.products.wheel import write_wheel
from g2p_build.runtime import errors, load, tts
from g2p_build.runtime.tts import TTS
from g2p_build.store.workspace import Workspace

HELLO = "həlˈO wˈɜɹld."
LONG = "həlˈO wˈɜɹld, hˈI ðˈɛɹ ænd hˈIɹ. " * 400  # minutes of sound
PROMPTLY = 5.0  # seconds, on a busy machine


@pytest.fixture
def manifest(speech: Tree, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("G2P_CACHE", speech.env["G2P_CACHE"])
    return speech.root / "manifests" / f"{SPEECH}.json"


@pytest.fixture
def model(manifest: Path) -> Iterator[TTS]:
    with tts.load(manifest) as model:
        yield model


def floats(samples: bytes) -> list[float]:
    found = array.array("f")
    found.frombytes(samples)
    return found.tolist()


def workers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "tts"]


def test_what_is_said_is_finite_and_not_silent(model: TTS) -> None:
    assert model.voices == ("first", "second")
    assert model.limits == {"symbols": 510, "sample_rate": 24_000, "frame": 600, "slowest": 0.25, "fastest": 4.0}
    sound = floats(model.say(HELLO, "first"))
    assert len(sound) > 12_000 and len(sound) % 600 == 0
    assert max(sound) > 0.001 and all(-1.5 < sample < 1.5 for sample in sound)
    info = model.info()
    assert (info["name"], info["voices"], info["languages"]) == (SPEECH, ["first", "second"], ["eng-us", "spa-latin"])


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(model: TTS) -> None:
    sound = model.say(HELLO, "first", seed=7)
    for threads in (1, 2, 3):
        assert model.say(HELLO, "first", seed=7, threads=threads) == sound
    assert len(model.say(HELLO, "first", seed=8)) == len(sound)
    others = [model.say(HELLO, "first", seed=seed) for seed in (8, 2**64 - 1)]
    assert len({sound, *others, model.say(HELLO, "second", seed=7)}) == 4


def test_calls_at_the_same_time_do_not_disturb_each_other(model: TTS) -> None:
    alone = {voice: model.say(HELLO, voice) for voice in model.voices}
    found: dict[str, set[bytes]] = {voice: set() for voice in alone}

    def say(voice: str) -> None:
        for _ in range(5):
            found[voice].add(model.say(HELLO, voice))

    threads = [threading.Thread(target=say, args=[voice]) for voice in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {voice: {sound} for voice, sound in alone.items()}


def test_pieces_join_to_the_whole_and_timings_cover_what_is_spoken(model: TTS) -> None:
    phonemes = " ".join([HELLO, "hˈIɹ, ænd ðˈɛɹ; wˈɪl jˈu ɡˈO? " * 3] * 3).strip()
    pieces = list(model.speak(phonemes, "first"))
    assert len(pieces) > 2
    assert b"".join(piece.samples for piece in pieces) == model.say(phonemes, "first")
    timings = [timing for piece in pieces for timing in piece.timings]
    assert "".join(timing.symbol for timing in timings) == phonemes
    assert [timing.place for timing in timings] == list(range(len(phonemes)))
    reached = 0
    for piece in pieces:
        assert piece.first == reached
        end = reached + len(piece.samples) // 4
        at = piece.timings[0].first
        assert at > reached
        for timing in piece.timings:
            assert timing.first == at and timing.samples > 0 and timing.samples % 600 == 0
            at += timing.samples
        assert at < end  # silence at both ends
        reached = end


def test_a_skipped_character_has_no_timing(model: TTS) -> None:
    [piece] = model.speak("hˈ\N{GRINNING FACE}I", "first", skip_unknown=True)
    assert [(timing.place, timing.symbol) for timing in piece.timings] == [(0, "h"), (1, "ˈ"), (3, "I")]
    assert piece.samples == model.say("hˈI", "first")


def test_speed_and_an_early_first_piece(model: TTS) -> None:
    slow, fast = (len(model.say(HELLO, "first", speed=speed)) for speed in (0.5, 2.0))
    assert slow > 1.5 * fast
    phonemes = "hˈI ðˈɛɹ, " + LONG[:200]
    usual, early = (next(iter(model.speak(phonemes, "first", early=early))) for early in (False, True))
    assert len(early.samples) < len(usual.samples) / 2


def test_voices_are_mixed_in_proportion(model: TTS) -> None:
    first, second = (model.say(HELLO, voice) for voice in model.voices)
    assert model.say(HELLO, mix={"first": 2, "second": 0}) == first
    mixed = model.say(HELLO, mix={"first": 0.3, "second": 0.7})
    assert mixed == model.say(HELLO, mix={"first": 3, "second": 7})
    assert mixed not in (first, second)


def test_a_piece_is_there_long_before_the_last_is_made(model: TTS) -> None:
    began = time.monotonic()
    first = next(pieces := model.speak(LONG, "first"))
    assert first.first == 0 and time.monotonic() - began < PROMPTLY
    time.sleep(0.3)  # the model does not run ahead of whoever takes the pieces
    assert workers() == ["tts"]
    del pieces
    gc.collect()
    assert workers() == []


def test_closing_the_iterator_ends_the_work(model: TTS) -> None:
    pieces = model.speak(LONG, "first")
    assert next(pieces) and next(pieces)
    began = time.monotonic()
    pieces.close()
    assert time.monotonic() - began < PROMPTLY
    time.sleep(0.05)
    assert workers() == []
    with pytest.raises(StopIteration):
        next(pieces)
    assert model.say(HELLO, "first")


@pytest.mark.parametrize("presses", [1, 3])
def test_ctrl_c_ends_a_call(manifest: Path, speech: Tree, presses: int) -> None:
    code = (
        "import sys\n"
        "from g2p_build.runtime import tts\n"
        "model = tts.load(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        f"model.say({LONG!r} * 100, 'first')\n"
    )
    command = [sys.executable, "-c", code, str(manifest)]
    with subprocess.Popen(command, env=speech.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
            time.sleep(0.002)
        began = time.monotonic()
        _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT and b"KeyboardInterrupt" in said
        assert b"Fatal" not in said
        assert time.monotonic() - began < PROMPTLY


@pytest.mark.parametrize("last", ["sys.exit(3)", "threading.Thread(target=pieces.close).start(); sys.exit(3)"])
def test_a_process_ends_where_nobody_takes_the_rest(manifest: Path, speech: Tree, last: str) -> None:
    code = (
        "import sys, threading\n"
        "from g2p_build.runtime import tts\n"
        "model = tts.load(sys.argv[1])\n"
        f"pieces = model.speak({LONG!r}, 'first')\n"
        "next(pieces)\n"
        f"{last}\n"
    )
    command = [sys.executable, "-c", code, str(manifest)]
    made = subprocess.run(command, env=speech.env, capture_output=True, timeout=30)
    assert (made.returncode, made.stderr) == (3, b"")


def test_a_thread_may_go_on_when_the_main_thread_has_ended(manifest: Path, speech: Tree) -> None:
    code = (
        "import sys, threading, time\n"
        "from g2p_build.runtime import tts\n"
        "model = tts.load(sys.argv[1])\n"
        "def speak():\n"
        f"    for piece in model.speak({LONG[:300]!r}, 'first'):\n"
        "        time.sleep(0.15)\n"
        "    print(piece.timings[-1].place)\n"
        "threading.Thread(target=speak).start()\n"
    )
    command = [sys.executable, "-c", code, str(manifest)]
    made = subprocess.run(command, env=speech.env, capture_output=True, timeout=30)
    assert (made.returncode, made.stdout, made.stderr) == (0, b"299\n", b"")


def test_an_unknown_phoneme_has_its_place(model: TTS) -> None:
    with pytest.raises(
        errors.UnknownPhoneme, match=r"no symbol for '#' \(U\+0023\), character 12 of the phon"
    ) as raised:
        model.say("həlˈO wˈɜɹl#d", "first")
    assert raised.value.place == 11
    again = pickle.loads(pickle.dumps(raised.value))
    assert (again.place, str(again)) == (11, str(raised.value))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"voice": "third"}, errors.UnknownVoice, "no voice is named 'third': there is first, second"),
        ({"voice": "first\0"}, errors.UnknownVoice, "no voice is named"),
        ({"mix": {"first": 1, "fisrt": 1}}, errors.UnknownVoice, "no voice is named 'fisrt'"),
        ({}, ValueError, "nobody speaks: give a voice, of first, second"),
        ({"voice": "first", "mix": {"first": 1}}, ValueError, "give one of them"),
        ({"mix": {}}, ValueError, "mix has 0 voices: give 1 to 8"),
        ({"mix": {"first": -1}}, ValueError, "the share of 'first' is -1"),
        ({"mix": {"first": float("nan")}}, ValueError, "the share of 'first' is nan"),
        ({"mix": {"first": 0}}, ValueError, "no share is above 0"),
        ({"voice": "first", "speed": 5}, ValueError, "speed=5: give 0.25 to 4"),
        ({"voice": "first", "speed": 0}, ValueError, "speed=0"),
        ({"voice": "first", "speed": float("nan")}, ValueError, "speed=nan"),
        ({"voice": "first", "seed": -1}, ValueError, r"seed=-1: give 0 to 2\*\*64 - 1"),
        ({"voice": "first", "seed": 2**64}, ValueError, "seed=18446744073709551616"),
        ({"voice": "first", "threads": 257}, ValueError, "threads=257"),
        ({"voice": 1}, TypeError, "a voice is a string, not 1"),
        ({"phonemes": b"a", "voice": "first"}, TypeError, "phonemes is a string, not bytes"),
        ({"phonemes": "", "voice": "first"}, errors.EmptyWord, "no phoneme to speak"),
        ({"phonemes": "a\ud800", "voice": "first"}, errors.InvalidWord, "not UTF-8 at byte 1"),
    ],
)
def test_a_mistake_is_one_line(model: TTS, given: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        model.say(**{"phonemes": "a"} | given)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_each_family_has_its_own_loader(manifest: Path, built: Tree) -> None:
    with pytest.raises(errors.InvalidManifest, match=r"family 'kokoro', and this loads 'g2p': .*runtime\.tts\.load"):
        load(manifest)
    [other, *_] = (built.root / "manifests").glob("embedded-host-*.json")
    with pytest.raises(errors.InvalidManifest, match=r"family 'g2p', and this loads 'kokoro': .*runtime\.load,"):
        tts.load(other)


def test_a_wheel_holds_no_speech(speech: Tree) -> None:
    with pytest.raises(
        BuildError, match=f"{SPEECH} is of the family 'kokoro': a wheel holds one that pronounces words"
    ):
        write_wheel(Workspace(speech.cache, speech.root), SPEECH)


def test_the_index_is_asked_for_a_family(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2P_MANIFESTS", str(manifest.parent))
    with tts.load() as model:
        assert model.manifest["name"] == SPEECH
    with pytest.raises(errors.NoManifest, match=f"lists no g2p variant that runs on .*, but {SPEECH}: build"):
        load()


def test_a_closed_model_says_so_and_pieces_go_on(manifest: Path) -> None:
    with tts.load(manifest) as model:
        pieces = model.speak(HELLO, "first")
    with pytest.raises(errors.Closed, match=f"{SPEECH} is closed: load it again"):
        model.speak(HELLO, "first")
    with pytest.raises(errors.Closed):
        _ = model.voices
    model.close()
    assert len(list(pieces)) == 1


def said(model: TTS) -> bytes:
    return model.say(HELLO, "first")


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_another_process_speaks_too(model: TTS, start: str) -> None:
    with multiprocessing.get_context(start).Pool(1) as pool:
        assert pool.apply(said, (model,)) == said(model)


def memory() -> int:
    """Bytes of this process in memory."""
    [pages] = re.findall(r"VmRSS:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(pages) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
@pytest.mark.parametrize("many", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_memory_stays_flat(model: TTS, many: int) -> None:
    def rounds(count: int) -> None:
        for number in range(count):
            model.say(HELLO, "first", seed=number)
            next(model.speak(LONG, "second", early=True))  # and one that is left in the middle

    rounds(20)
    before = memory()
    rounds(many)
    # What a piece works in is some MB: a leak of it would be hundreds. The allocator keeps a few of its own.
    assert memory() - before < 16 << 20
