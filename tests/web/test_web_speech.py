"""Speech in WebAssembly: the module and the ES module around it, in Node."""

import array
import base64
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import SPEECH, WEB_SPEECH, Tree, unpacked
from reading import READ_AS
from test_web import HERE, exports, node, sections
from tools import needs_node, npm_tools

from g2p_build.checkpoints.kokoro.losses import in_symbols
from g2p_build.checkpoints.kokoro.phonemes import TABLES
from g2p_build.runtime import tts
from g2p_build.runtime.results import Part, Result

HELLO = "həlˈO wˈɜɹld, hˈI."
MODULES = ("tts.wasm", "tts-relaxed.wasm")
LEAST_DB = (
    30  # how far a module's sound is from this machine's; random weights make more of a rounding than trained ones
)


HALF = pytest.param("float16", marks=pytest.mark.long)


@pytest.fixture(scope="module", params=["float32", HALF])
def package(request: pytest.FixtureRequest, spoken: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the members of the three archives of a variant."""
    dtype: str = request.param
    if dtype != "float32":
        spoken.compiled("checkpoint=kokoro_small", "target=wasm,host", f"dtype={dtype}")
    return unpacked(spoken, WEB_SPEECH.replace("float32", dtype), tmp_path_factory.mktemp(dtype))


def floats(samples: bytes) -> list[float]:
    found = array.array("f")
    found.frombytes(samples)
    return found.tolist()


def decibels(signal: list[float], other: list[float]) -> float:
    """How far the difference of two sounds is below the first."""
    assert len(signal) == len(other)
    apart = sum((one - two) ** 2 for one, two in zip(signal, other, strict=True))
    return 10 * math.log10(sum(one * one for one in signal) / apart) if apart else math.inf


def test_the_module_imports_nothing_and_exports_the_interface(package: Path) -> None:
    header = (package / "tts.h").read_text(encoding="utf-8").split("#define TTS_API")[-1]
    declared = {part.partition("(")[0].split()[-1].lstrip("*") for part in header.split("TTS_API")[1:]}
    steps = {"tts_step_begin", "tts_step_next", "tts_step_end"}
    for name in MODULES:
        module = (package / name).read_bytes()
        assert 2 not in dict(sections(module))  # the imports
        assert "tts_speak" in declared and exports(module) == declared | steps | {"memory", "malloc", "free"}
        assert len(module) < 420_000


@needs_node
@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_the_library_says(
    package: Path, module: str, spoken: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G2P_CACHE", spoken.env["G2P_CACHE"])
    dtype = "float16" if package.name.startswith("float16") else "float32"
    asked: list[dict[str, Any]] = [
        {"voice": "first"},
        {"mix": {"first": 1, "second": 3}, "speed": 1.25, "seed": 7},
        {"voice": "second", "early": True},
    ]
    facts, again, large, *found = node(
        "speech.mjs",
        package,
        package / module,
        stdin=[
            {"call": "facts"},
            *({"say": HELLO, "options": asked[0] | {"seed": seed}} for seed in ("0n", "18446744073709551615n")),
            *({"say": HELLO, "options": options} for options in asked),
        ],
    )
    with tts.load(spoken.root / "manifests" / f"{SPEECH.replace('float32', dtype)}.json") as model:
        assert (facts["voices"], facts["dtype"]) == (list(model.voices), dtype)
        limits = model.limits
        assert facts["limits"] == {"sampleRate": limits.pop("sample_rate"), **limits}
        for options, pieces in zip(asked, found, strict=True):
            expected = list(model.speak(HELLO, **options))
            assert [piece["first"] for piece in pieces] == [piece.first for piece in expected]
            for ours, theirs in zip(pieces, expected, strict=True):
                assert [tuple(timing.values()) for timing in ours["timings"]] == [
                    (timing.place, timing.symbol, timing.first, timing.samples) for timing in theirs.timings
                ]
                sound = floats(base64.b64decode(ours["samples"]))
                assert decibels(floats(theirs.samples), sound) > LEAST_DB
    assert again == found[0] != large


@needs_node
@pytest.mark.long
def test_trained_weights_say_the_same(spoken: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = spoken.doit("compile", "checkpoint=kokoro_packaged", "target=host,wasm")
    if made.returncode:
        pytest.skip(f"the packaged weights cannot be had here: {made.stderr.splitlines()[-1]}")
    monkeypatch.setenv("G2P_CACHE", spoken.env["G2P_CACHE"])
    package = unpacked(spoken, WEB_SPEECH.replace("small", "packaged"), tmp_path)
    with tts.load(spoken.root / "manifests" / f"{SPEECH.replace('small', 'packaged')}.json") as model:
        [found] = node("speech.mjs", package, stdin=[{"say": HELLO, "options": {"voice": model.voices[0]}}])
        sound = floats(b"".join(base64.b64decode(piece["samples"]) for piece in found))
        assert decibels(floats(model.say(HELLO, model.voices[0])), sound) > 50


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_what_is_refused(package: Path) -> None:
    weights, voices = str(package / "weights.safetensors"), str(package / "voices.safetensors")
    first = {"voice": "first"}
    cases: list[tuple[dict[str, Any], tuple[str, int | None] | None]] = [
        ({"say": "hI\U0001f600", "options": first}, ("G2P_UNKNOWN_PHONEME", 2)),
        ({"say": "\U0001f600⁂", "options": first | {"skipUnknown": True}}, ("G2P_EMPTY_WORD", None)),
        ({"say": "ˈ⁂", "options": first}, ("G2P_UNKNOWN_PHONEME", 1)),
        ({"say": "", "options": first}, ("G2P_EMPTY_WORD", None)),
        ({"say": "hI\ud83d", "options": first}, ("G2P_INVALID_WORD", None)),
        ({"say": 3, "options": first}, ("G2P_INVALID_WORD", None)),
        ({"say": "hI"}, ("G2P_INVALID_ARGUMENT", None)),
        ({"say": "hI", "options": first | {"mix": {"first": 1}}}, ("G2P_INVALID_ARGUMENT", None)),
        ({"say": "hI", "options": {"voice": "nobody"}}, ("G2P_UNKNOWN_VOICE", None)),
        ({"say": "hI", "options": {"voice": ""}}, ("G2P_UNKNOWN_VOICE", None)),
        ({"say": "hI", "options": {"mix": {}}}, ("G2P_INVALID_ARGUMENT", None)),
        ({"say": "hI", "options": {"mix": "first"}}, ("G2P_INVALID_ARGUMENT", None)),
        ({"say": "hI", "options": {"mix": {"first": 0}}}, ("G2P_INVALID_ARGUMENT", None)),
        ({"say": "hI", "options": {"mix": {"first": -1, "second": 2}}}, ("G2P_INVALID_ARGUMENT", None)),
        ({"say": "hI", "options": {"mix": {"nobody": 1}}}, ("G2P_UNKNOWN_VOICE", None)),
        *(
            ({"say": "hI", "options": first | {"speed": speed}}, ("G2P_INVALID_ARGUMENT", None))
            for speed in (0, 0.2, 4.1, "1", None)
        ),
        *(
            ({"say": "hI", "options": first | {"seed": seed}}, ("G2P_INVALID_ARGUMENT", None))
            for seed in (-1, 0.5, 2**60, "18446744073709551616n")
        ),
        ({"say": "hI", "options": first | {"loud": True}}, ("G2P_INVALID_ARGUMENT", None)),
        ({"say": "hI", "options": first | {"early": 1}}, ("G2P_INVALID_ARGUMENT", None)),
        ({"call": "addVoices", "args": [weights]}, ("G2P_INVALID_VOICES", None)),
        ({"call": "addVoices", "args": [{"of": "voices.safetensors", "bytes": 9000}]}, ("G2P_INVALID_VOICES", None)),
        ({"call": "addVoices", "args": [{"of": "tts.wasm", "bytes": 9000}]}, ("G2P_INVALID_VOICES", None)),
        ({"call": "addVoices", "args": ["nowhere"]}, ("G2P_NO_FILE", None)),
        ({"call": "addVoices", "args": [voices]}, None),
        ({"call": "load", "args": [voices, voices]}, ("G2P_INVALID_WEIGHTS", None)),
        ({"call": "load", "args": [weights, weights]}, ("G2P_INVALID_VOICES", None)),
        (
            {"call": "load", "args": [{"of": "weights.safetensors", "bytes": 99_999}, voices]},
            ("G2P_INVALID_WEIGHTS", None),
        ),
        ({"call": "load", "args": [weights, voices, {"module": voices}]}, ("G2P_INVALID_MODULE", None)),
        ({"call": "load", "args": [weights, voices, {"modul": voices}]}, ("G2P_INVALID_ARGUMENT", None)),
        ({"call": "trim"}, None),
        ({"say": "hI", "options": first}, None),
        ({"call": "close"}, None),
        ({"say": "hI", "options": first}, ("G2P_INVALID_ARGUMENT", None)),
        ({"call": "trim"}, ("G2P_INVALID_ARGUMENT", None)),
    ]
    found = node("speech.mjs", package, stdin=[request for request, _ in cases])
    for (request, expected), answer in zip(cases, found, strict=True):
        is_error = isinstance(answer, dict)
        assert ((answer["code"], answer["place"]) if is_error else None) == expected, (request, answer)
        assert not is_error or (answer["message"] and "\n" not in answer["message"])


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_a_page_goes_on_while_it_speaks_and_a_signal_stops_that(package: Path) -> None:
    found = node("speaking.mjs", package)
    assert (found["turns"], found["atOnce"]) == (True, "at once")
    assert (found["stopped"], found["before"]) == ([3, "enough"], "no")
    assert (found["together"], found["differ"]) == (True, True)
    assert found["closed"] == "G2P_INVALID_ARGUMENT"
    assert found["grown"] == 0


def word(text: str, phonemes: str) -> Part:
    return Part(text, 0, "word", Result(text, "eng-us", phonemes))


def expected(parts: list[Part], lang: str) -> str:
    """The rule of `tts_text`."""
    table, read = TABLES[lang], []
    for part in parts:
        if part.result is not None:
            read.append(in_symbols(table.vowels, table.rows, part.result.phonemes).symbols)
        else:
            read.append(" " if part.kind == "space" else part.text.translate(READ_AS))
    return " ".join("".join(read).split())


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_a_texts_pronunciations_are_read_as_elsewhere(package: Path) -> None:
    others = {mark: Part(mark, 0, "other", None) for mark in ",.!?…‐–—-[]{}()«»\"'‘’“”:;"}
    space = [Part(blank, 0, "space", None) for blank in (" ", "\n", "\u00a0\t")]
    said = ["həˈɫoʊ", "ˈwɝɫd", "ˈdʒədʒ", "ˌɛkˈspɫeɪn", "ˈst", "ˈpɹ ˈɑ", "ˈtʃʊɹtʃ", "", "ˈsiˌən"]
    cases: list[tuple[list[Part], str]] = [
        ([part for each in said for part in (word("w", each), space[len(each) % 3])], "eng-us"),
        ([part for mark in others.values() for part in (word("a", "ˈɑ"), mark)], "eng-us"),
        ([space[0], *(word("w", each) for each in ("tɾabˈaxo", "ˈaɾ a"))], "spa-latin"),
        ([], "eng-us"),
        ([word("a", "ˈɑ"), Part("2", 2, "number", None)], "eng-us"),
        ([word("a", "ˈɑ⁂")], "eng-us"),
        ([word("a", "ˈa\U0001f600")], "spa-latin"),
        ([word("a", "a")], "fin"),
    ]

    def as_json(part: Part) -> dict[str, Any]:
        result = {"phonemes": part.result.phonemes, "error": None} if part.result else None
        return {"text": part.text, "start": part.start, "kind": part.kind, "result": result}

    requests = [{"call": "read", "args": [list(map(as_json, parts)), lang]} for parts, lang in cases]
    found = node("speech.mjs", package, stdin=requests)
    assert found[:4] == [expected(parts, lang) for parts, lang in cases[:4]]
    assert [each["code"] for each in found[4:]] == ["G2P_FOREIGN_CHARACTER"] * 3 + ["G2P_UNKNOWN_LANGUAGE"]


@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_the_types_describe_the_module(package: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    shutil.copyfile(HERE / "speech.ts", package / "speech.ts")
    options = ["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext"]
    command = [npm_tools(tmp_path_factory) / "node_modules/.bin/tsc", *options, "speech.ts"]
    ran = subprocess.run(command, cwd=package, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
