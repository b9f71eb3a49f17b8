"""The WebAssembly module and the ES module around it, in Node."""

import gzip
import json
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import DEFAULT, HALF, ROOT, Tree, unpacked
from forms import FORMS
from tools import NODE, OLDEST_NODE, needs_node, npm_tools

from g2p_build.lexicon.table import write_table
from g2p_build.runtime import load
from g2p_build.runtime.cpu import missing_features

HERE = Path(__file__).parent
MODULES = ("g2p.wasm", "g2p-relaxed.wasm")
PARTS = ("g2p.d.mts", "g2p.h", "g2p.mjs", "g2p.wasm", "loading.mjs", "package.json", "relaxed.mjs")
GOLDEN = json.loads((ROOT / "g2p_build" / "reference" / "golden" / "embedded.json").read_bytes())["words"]

MIXED = ("INVALID_MODULE", "INVALID_WEIGHTS", "INVALID_LEXICON")


@pytest.fixture(scope="module", params=["float32", "float16"])
def package(request: pytest.FixtureRequest, ported: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the members of both archives of a variant."""
    return unpacked(ported, f"embedded-wasm-b1-i64-o128-{request.param}-kv", tmp_path_factory.mktemp(request.param))


def weights_archive(tree: Tree, package: Path) -> Path:
    """The archive with a package's weights and its draft table."""
    dtype = next(dtype for dtype in ("float32", "float16", "int8") if package.name.startswith(dtype))
    manifest = json.loads((tree.root / "manifests" / f"embedded-wasm-b1-i64-o128-{dtype}-kv.json").read_bytes())
    return tree.root / "dist" / str(manifest["archives"]["weights"]["file"])


def sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """The sections of a WebAssembly module (core specification, 5.5): number and bytes."""
    assert module[:8] == b"\0asm\1\0\0\0"
    at = 8
    while at < len(module):
        size, start = number(module, at + 1)
        yield module[at], module[start : start + size]
        at = start + size


def number(data: bytes, at: int) -> tuple[int, int]:
    """A LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def exports(module: bytes) -> set[str]:
    """The names that a module exports."""
    section = dict(sections(module))[7]
    count, at = number(section, 0)
    found = set()
    for _ in range(count):
        size, at = number(section, at)
        found.add(section[at : at + size].decode())
        _, at = number(section, at + size + 1)
    return found


def name_after(declaration: str) -> str:
    """The name of the function in a declaration of the header."""
    return declaration.partition("G2P_API")[2].partition("(")[0].split()[-1].lstrip("*")


def test_the_module_imports_nothing_and_exports_the_interface(package: Path) -> None:
    header = (package / "g2p.h").read_text(encoding="utf-8").split("#define G2P_TEXT")[1]
    declared = {name_after(part) for part in header.split(";") if "G2P_API" in part}
    assert len(declared) > 15 and "g2p_pronounce_all" in declared
    for name in MODULES:
        module = (package / name).read_bytes()
        assert 2 not in dict(sections(module))  # the imports
        assert exports(module) == declared | {"memory", "malloc", "free"}


def test_the_package_is_small(package: Path) -> None:
    assert sum(len(gzip.compress((package / name).read_bytes(), mtime=0)) for name in PARTS) < 92_000
    plain, relaxed = ((package / name).stat().st_size for name in MODULES)
    assert relaxed < plain < 170_000
    sizes = json.loads((package / "sizes.json").read_bytes())
    assert (sizes["library"], sizes["relaxed"]) == (plain, relaxed)
    described = json.loads((package / "package.json").read_bytes())
    assert described["exports"]["."] == {"types": "./g2p.d.mts", "default": "./g2p.mjs"}


def node(
    script: str, *arguments: Path, stdin: Any = None, program: str | Path | None = NODE, flags: tuple[str, ...] = ()
) -> Any:
    """Runs a script beside this file, and returns what it prints."""
    command = [program, *flags, HERE / script, *arguments]
    ran = subprocess.run(command, input=json.dumps(stdin), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@needs_node
def test_the_golden_words_are_the_same(package: Path) -> None:
    languages = sorted({row["lang"] for row in GOLDEN})
    of = {lang: [row for row in GOLDEN if row["lang"] == lang] for lang in languages}
    together = [{"words": [row["word"] for row in of[lang]], "lang": lang} for lang in languages]
    alone = [{"words": [row["word"]], "lang": row["lang"]} for row in GOLDEN]
    found = node("drive.mjs", package, stdin=[*together, *alone])
    texts = [row["ipa"] for lang in languages for row in of[lang]]
    assert [text for answer in found[: len(languages)] for text in answer] == texts
    assert found[len(languages) :] == [[row["ipa"]] for row in GOLDEN]


@needs_node
@pytest.mark.parametrize("package", ["int8"], indirect=True)
def test_int8_words_are_those_of_this_machine(
    package: Path, ported: Tree, built: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    g2p = load(ported.root / "manifests" / "embedded-host-b1-i64-o128-int8-kv.json")
    found = node("drive.mjs", package, stdin=[{"words": [row["word"]], "lang": row["lang"]} for row in GOLDEN])
    assert found == [g2p([row["word"]], row["lang"]) for row in GOLDEN]


VNNI = platform.machine() == "x86_64" and not missing_features(("avx_vnni",))
OF_X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="V8 has these switches on x86-64")


@needs_node
@pytest.mark.parametrize(
    ("package", "flags", "taken"),
    [
        ("float32", (), True),
        ("float16", (), True),
        pytest.param("float32", ("--no-enable-fma3",), True, marks=OF_X86),
        ("int8", (), VNNI or platform.machine() in ("aarch64", "arm64")),
        pytest.param("int8", ("--no-enable-fma3",), VNNI, marks=OF_X86),
        pytest.param("int8", ("--no-enable-avx-vnni",), False, marks=OF_X86),
    ],
    indirect=["package"],
)
def test_both_modules_say_the_same_and_the_engine_decides_between_them(
    package: Path, ported: Tree, flags: tuple[str, ...], taken: bool
) -> None:
    words = [[row["word"], row["lang"]] for row in GOLDEN]
    found = node("levels.mjs", package, weights_archive(ported, package), stdin=words, flags=flags)
    assert found["taken"] == ["simd128"] + ["relaxed_simd"] * taken
    plain, relaxed = (found["said"].get(name) for name in MODULES)
    assert (relaxed is not None) == taken
    for said in filter(None, (plain, relaxed)):  # to the bit: alone and in a list, with guesses and without
        assert said["alone"] == said["together"] == said["unguessed"]
    if relaxed is not None:
        assert [result[0] for result in relaxed["alone"]] == [result[0] for result in plain["alone"]]
        scores = [[result[1] for result in said["alone"]] for said in (relaxed, plain)]
        if "--no-enable-fma3" in flags:  # a sum and a product are two operations, as in the other module
            assert scores[0] == scores[1]


@needs_node
@pytest.mark.parametrize("package", ["float32", "int8"], indirect=True)
def test_an_engine_that_loses_sums_of_bytes_multiplies_none_by_them(package: Path) -> None:
    of_bytes = "int8" in package.name
    assert node("engines.mjs", package) == {
        "signed, as ARM": True,
        "signed, pairs of 16 bits": True,
        "unsigned, as AVX-VNNI": True,
        "unsigned and saturated, as SSSE3": not of_bytes,
        "unsigned and wrapped": not of_bytes,
        "no relaxed SIMD": False,
        "a policy that forbids to compile": not of_bytes,  # it is not asked; whoever compiles the module says so
        "no WebAssembly": False,
    }


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_however_a_word_is_typed_it_is_the_same_word(package: Path) -> None:
    requests = [{"words": [form for _, form in forms], "lang": lang} for lang, forms in FORMS.items()]
    for forms, found in zip(FORMS.values(), node("drive.mjs", package, stdin=requests), strict=True):
        said = {(word, phonemes) for (word, _), phonemes in zip(forms, found, strict=True)}
        assert len(said) == len({word for word, _ in forms}), sorted(said)


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_what_is_refused(package: Path) -> None:
    requests = [
        ([], "eng-us", []),
        (["two", ""], "eng-us", ("G2P_EMPTY_WORD", 1)),
        (["a\0b"], "eng-us", ("G2P_INVALID_WORD", 0)),
        (["knight", "\ud83d"], "eng-us", ("G2P_INVALID_WORD", 1)),
        (["knight", 3], "eng-us", ("G2P_INVALID_WORD", 1)),
        (["x" * 100], "eng-us", ("G2P_WORD_TOO_LONG", 0)),
        (["x" * 3_000_000], "eng-us", ("G2P_WORD_TOO_LONG", 0)),
        (["knight"], "eng", ("G2P_UNKNOWN_LANGUAGE", 0)),
        (["knight"], "eng-us\0", ("G2P_UNKNOWN_LANGUAGE", None)),
        (["knight"], None, ("G2P_UNKNOWN_LANGUAGE", None)),
        ("knight", "eng-us", ("G2P_INVALID_ARGUMENT", None)),
        (None, "eng-us", ("G2P_INVALID_ARGUMENT", None)),
        (3, "eng-us", ("G2P_INVALID_ARGUMENT", None)),
        ({"knight": 1}, "eng-us", ("G2P_INVALID_ARGUMENT", None)),
        (["knight"] * 3, "eng-us", ["ˈnaɪt"] * 3),
    ]
    found = node("drive.mjs", package, stdin=[{"words": words, "lang": lang} for words, lang, _ in requests])
    assert [one if isinstance(one, list) else (one["code"], one["word"]) for one in found] == [
        expected for _, _, expected in requests
    ]
    assert all("\n" not in one["message"] and one["message"] for one in found if isinstance(one, dict))


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_a_string_of_words_is_not_spelled(package: Path) -> None:
    found = node("drive.mjs", package, stdin=[{"words": "knight", "lang": "eng-us"}])
    assert found[0]["message"] == 'words is a list of words, not one string: ["knight"]'


def called(package: Path, *requests: tuple[Any, ...]) -> list[Any]:
    """What a model's methods return, called one after the other. Each request is a method and its arguments."""
    return list(node("drive.mjs", package, stdin=[{"call": name, "args": args} for name, *args in requests]))


@needs_node
def test_results_are_the_plain_answers_and_more(
    package: Path, built: Tree, ported: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    half = package.name.startswith("float16")
    g2p = load(built.root / "manifests" / f"{HALF if half else DEFAULT}.json")
    languages = sorted({row["lang"] for row in GOLDEN})
    of = {lang: [row["word"] for row in GOLDEN if row["lang"] == lang] for lang in languages}
    found = called(package, *(("results", of[lang], lang, {"scores": True}) for lang in languages))
    for lang, results in zip(languages, found, strict=True):
        expected = g2p.results(of[lang], lang, scores=True)
        for ours, theirs in zip(results, expected, strict=True):
            # The virtual processor rounds otherwise than this one does.
            assert ours.pop("score") == pytest.approx(theirs.score, abs=1e-3 if half else 1e-5)
            # The table is not opened: it is not in the file of weights.
            assert ours.pop("passes") > 1 and ours.pop("drafted") == ours.pop("accepted") == 0
            facts = {name: getattr(theirs, name) for name in ("word", "phonemes", "source", "truncated", "repeats")}
            assert ours == facts | {"error": None}


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_a_text_is_split_as_elsewhere(package: Path, built: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    g2p = load(built.root / "manifests" / f"{DEFAULT}.json")
    texts = ["I\u2019m in the U.S. \U0001f600 2 knights\u2026 mp3\n", "", "knight"]
    for text, found in zip(texts, called(package, *(("text", text, "eng-us") for text in texts)), strict=True):
        expected = g2p.text(text)
        assert [(part["text"], part["kind"]) for part in found] == [(part.text, part.kind) for part in expected]
        units = text.encode("utf-16-le")
        assert all(units[2 * p["start"] :].startswith(p["text"].encode("utf-16-le")) for p in found)
        said = [part["result"]["phonemes"] if part["result"] else None for part in found]
        assert said == [part.result.phonemes if part.result else None for part in expected]


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_a_wrong_word_ends_nothing(package: Path) -> None:
    words = ["knight", "", "two words", "a\tb", "\ud83d", "x" * 99, "TV"]
    results, unscored, unknown, misspelt, number, none = called(
        package,
        ("results", words, "eng-us", {"scores": True}),
        ("results", words[:1], "eng-us"),
        ("results", ["knight"], "eng"),
        ("results", ["knight"], "eng-us", {"score": True}),
        ("results", ["knight", 3], "eng-us"),
        ("results", [], "eng-us"),
    )
    assert [result["word"] for result in results] == words
    assert [result["error"] and (result["error"]["code"], result["error"]["word"]) for result in results] == [
        None,
        ("G2P_EMPTY_WORD", 1),
        ("G2P_FOREIGN_CHARACTER", 2),
        ("G2P_INVALID_WORD", 3),
        ("G2P_INVALID_WORD", 4),
        ("G2P_WORD_TOO_LONG", 5),
        None,
    ]
    assert [result["phonemes"] for result in results] == ["ˈnaɪt", "", "", "", "", "", "ˈtiˈvi"]
    assert [result["score"] is None for result in results] == [False] + [True] * 6
    assert results[-1]["source"] == "letters" and results[4]["error"]["message"].endswith("holds half a character")
    assert unscored[0]["score"] is None
    assert unknown[0]["error"]["code"] == "G2P_UNKNOWN_LANGUAGE"
    assert misspelt["message"] == "results: there is no option score: give scores"
    assert number["code"] == "G2P_INVALID_WORD" and none == []


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_a_users_words_come_first_and_say_so(package: Path, tmp_path: Path) -> None:
    list_of_words = tmp_path / "words.tsv"
    list_of_words.write_text("\ufeffUS\tˈjuˈɛs, ˈɛs\r\n\nus\tx\n", encoding="utf-8")
    typed = ["US", "us", "Us", "Grzegorz", "grzegorz"]
    before, _, first, both, _, last, found, folded, none, letters, finnish = called(
        package,
        ("pronounce", typed, "eng-us"),
        ("addLexicon", str(list_of_words), "eng-us"),
        ("results", typed, "eng-us"),
        ("lookUp", "US", "eng-us"),
        ("addWords", {"us": "y", "Grzegorz": ["ˈɡʐɛɡɔʂ", "ˈɡʐɛ"]}, "eng-us"),
        ("results", typed, "eng-us"),
        ("lookUp", "Grzegorz", "eng-us"),
        ("lookUp", "US", "eng-us"),
        ("lookUp", "knight", "eng-us"),
        ("lookUp", "TV", "eng-us"),
        ("lookUp", "us", "fin"),
    )
    assert [(result["phonemes"], result["source"]) for result in first] == [
        ("ˈjuˈɛs", "user"),
        ("x", "user"),
        ("x", "user"),
        (before[3], "model"),
        (before[4], "model"),
    ]
    assert [result["phonemes"] for result in last] == ["y", "y", "y", "ˈɡʐɛɡɔʂ", before[4]]
    assert both == ["ˈjuˈɛs", "ˈɛs"] and found == ["ˈɡʐɛɡɔʂ", "ˈɡʐɛ"] and folded == ["y"]
    assert none == letters == finnish == []


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_a_table_stays_in_use(package: Path, tmp_path: Path) -> None:
    table = tmp_path / "words.g2plex"
    table.write_bytes(write_table({"fin": {"tie": ["x"]}, "eng-us": {"knight": ["y", "z"], "US": ["u"]}}))
    _, english, _, all_of_them, language = called(
        package,
        ("addLexicon", str(table)),
        ("results", ["knight", "US", "us"], "eng-us"),
        ("addWords", {f"word{number}": "a" for number in range(2000)}, "eng-us"),
        ("lookUp", "Knight", "eng-us"),
        ("addLexicon", str(table), "fin"),
    )
    assert [(result["phonemes"], result["source"]) for result in english][:2] == [("y", "lexicon"), ("u", "lexicon")]
    assert english[2]["source"] == "model" and all_of_them == ["y", "z"]
    assert language["code"] == "G2P_INVALID_ARGUMENT"


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_an_archives_own_lexicon_comes_before_the_model_or_is_left_out(package: Path, tmp_path: Path) -> None:
    (tmp_path / "lexicon.g2plex").write_bytes(write_table({"eng-us": {"knight": ["x"]}}))
    with tarfile.open(tmp_path / "weights.tar", "w") as archive:
        archive.add(package / "weights.safetensors", "weights.safetensors")
        archive.add(tmp_path / "lexicon.g2plex", "lexicon.g2plex")
    asked = ("results", ["knight"], "eng-us")
    place = str(tmp_path / "weights.tar")
    found = called(package, ("load", place), asked, ("load", place, {"lexicon": False}), asked)
    assert [(result["phonemes"], result["source"]) for [result] in found[1::2]] == [
        ("x", "lexicon"),
        ("ˈnaɪt", "model"),
    ]


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_passes_are_counted_for_each_word_and_for_all(package: Path, ported: Tree) -> None:
    [archive] = (ported.root / "dist").glob("embedded-float32-weights-*.tar")
    words, counts = ["habari", "pigano", "mtoto"], ("passes", "drafted", "accepted")
    asked = [("addWords", {"mtoto": "x"}, "swa"), ("results", words, "swa"), ("statistics",)]
    (_, _, found, all_of_them, guess, *wrong), (_, _, plain, alone, nothing) = (
        called(package, ("load", str(archive), {"draft": draft}), *asked, ("guess", "habari", "swa"), *more)
        for draft, more in ((True, (("guess", "", "swa"), ("guess", "a\0b", "swa"), ("guess", "a", "xx"))), (False, ()))
    )
    assert [[result[name] for name in counts] for result in (found[2], plain[2])] == [[0, 0, 0]] * 2
    for results, sums in ((found, all_of_them), (plain, alone)):
        assert {name: sum(result[name] for result in results) for name in counts} == {
            name: sums[name] for name in counts
        }
        assert sums["words"] == 2
    assert [result["phonemes"] for result in found] == [result["phonemes"] for result in plain]
    assert all_of_them["ids"] == alone["ids"] == alone["passes"] > all_of_them["passes"]
    assert 0 < all_of_them["accepted"] <= all_of_them["drafted"] and alone["drafted"] == 0
    assert (guess, nothing) == ("haɓaɾi", "")
    assert [one["code"] for one in wrong] == ["G2P_EMPTY_WORD", "G2P_INVALID_WORD", "G2P_UNKNOWN_LANGUAGE"]


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_what_is_no_lexicon(package: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("a\tb\n\nc\n")
    (tmp_path / "table").write_bytes(b"g2plex\0\1")
    invalid, wrong = "G2P_INVALID_LEXICON", "holds a tab or a line end"
    requests: list[tuple[tuple[Any, ...], str, str]] = [
        (("addLexicon", str(tmp_path / "bad"), "eng-us"), invalid, "line 3: 'c' has no tab"),
        (("addLexicon", str(tmp_path / "table")), invalid, "the table is damaged"),
        (("addLexicon", str(tmp_path / "bad")), "G2P_INVALID_ARGUMENT", "needs a language"),
        (("addLexicon", str(tmp_path / "none"), "eng-us"), "G2P_NO_FILE", "cannot be read"),
        (("addLexicon", 3, "eng-us"), "G2P_INVALID_ARGUMENT", "3 is no source"),
        (("addWords", {"a": "x", "b\tc": "x"}, "eng-us"), invalid, f'line 2: "b\\tc" {wrong}'),
        (("addWords", {"a": "x\nb\ty"}, "eng-us"), invalid, wrong),
        (("addWords", [["a", ["x"]], [" ", " "]], "eng-us"), invalid, 'line 2: " " is no word'),
        (("addWords", {"a": []}, "eng-us"), invalid, "are no pronunciations"),
        (("addWords", {"a": None}, "eng-us"), invalid, "are no pronunciations"),
        (("addWords", {"a": "\ud83d"}, "eng-us"), invalid, "holds half a character"),
        (("addWords", "a\tb", "eng-us"), "G2P_INVALID_ARGUMENT", "words is an object, a Map or a list of pairs"),
        (("addWords", {"a": "x"}, "eng"), "G2P_UNKNOWN_LANGUAGE", "did you mean eng-us?"),
        (("addWords", {"a": "x"}), "G2P_UNKNOWN_LANGUAGE", "is no language code"),
        (("lookUp", "", "eng-us"), "G2P_EMPTY_WORD", "is empty"),
        (("lookUp", "a\0b", "eng-us"), "G2P_INVALID_WORD", "holds a zero"),
        (("lookUp", "a", "eng"), "G2P_UNKNOWN_LANGUAGE", "did you mean eng-us?"),
    ]
    found = called(package, *(request for request, _, _ in requests), ("lookUp", "a", "eng-us"))
    assert [one["code"] for one in found[:-1]] == [code for _, code, _ in requests]
    for one, (_, _, part) in zip(found, requests, strict=False):
        assert part in one["message"] and "\n" not in one["message"]
    assert found[-1] == []  # nothing was added


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_what_a_model_is_opened_from(package: Path, ported: Tree) -> None:
    [archive] = (ported.root / "dist").glob("embedded-float32-weights-*.tar")
    found = node("sources.mjs", package, archive)
    refused = {
        "no file": "G2P_NO_FILE",
        "no page": "G2P_NO_FILE",
        "nothing in it": "G2P_INVALID_WEIGHTS",
        "cut off": "G2P_INVALID_WEIGHTS",
        "another file": "G2P_INVALID_WEIGHTS",
        "a module that is none": "G2P_INVALID_MODULE",
        "a number": "G2P_INVALID_ARGUMENT",
        "an object without a name": "G2P_INVALID_ARGUMENT",
        "a buffer that was transferred": "G2P_INVALID_ARGUMENT",
        "no file URL": "G2P_NO_FILE",
        "no URL": "G2P_NO_FILE",
        "a word for a boolean": "G2P_INVALID_ARGUMENT",
        "a controller for its signal": "G2P_INVALID_ARGUMENT",
        "a misspelt option": "G2P_INVALID_ARGUMENT",
        "no options": "G2P_INVALID_ARGUMENT",
    }
    assert {name: found.pop(name) for name in refused} == refused
    assert len(found) == 19 and set(found.values()) == {"ˈnaɪt"}


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_each_cause_has_its_code_and_says_what_to_do(package: Path, ported: Tree) -> None:
    [archive] = (ported.root / "dist").glob("embedded-float32-weights-*.tar")
    manifest = ported.root / "manifests" / "embedded-wasm-b1-i64-o128-float32-kv.json"
    found = node("causes.mjs", package, archive, package / "lexicon.g2plex", manifest)
    module, weights, lexicon, missing = (f"G2P_{name}" for name in (*MIXED, "NO_FILE"))
    page = "not {} but a web page: the server has no such file"
    expected = {
        "a page for the module": (missing, "/page is " + page.format("a WebAssembly module")),
        "a page of no type for the module": (missing, "/unnamed is " + page.format("a WebAssembly module")),
        "words of a page for the module": (missing, "/words is " + page.format("a WebAssembly module")),
        "the bytes of a page for the module": (missing, page.format("a WebAssembly module")),
        "no such module": (missing, "/missing: 404 Not Found"),
        "a server that fails": (missing, "/failed: 503 Service Unavailable"),
        "a connection that ends": (missing, "/cut cannot be read: terminated: other side closed"),
        "nobody answers": (missing, "g2p.wasm cannot be read: fetch failed: "),
        "a module that is cut off": (module, "damaged or cut off: build or download it again: WebAssembly"),
        "a module that is damaged": (module, "damaged or cut off: build or download it again: WebAssembly"),
        "an empty module": (module, "is not a WebAssembly module but empty"),
        "text for the module": (module, "but something else: build or download it again"),
        "weights for the module": (module, "but a file of weights: give it to load, first"),
        "an archive for the module": (module, "but a tar archive: give the one with the weights to load, first"),
        "a table for the module": (module, "but a lexicon's table: give it to addLexicon"),
        "another program's module": (module, "another program's, it has no malloc: give the g2p.wasm that came"),
        "another program's module that was compiled": (module, "another program's, it has no malloc"),
        "a module that imports": (module, "another program's: give the g2p.wasm that came with this g2p.mjs"),
        "a compressed module": (module, "but compressed: unpack it first"),
        "a page for the weights": (missing, page.format("weights")),
        "words of a page for the weights": (missing, page.format("weights")),
        "a module for the weights": (weights, "but a WebAssembly module: give it as options.module"),
        "a table for the weights": (weights, "but a lexicon's table: give it to addLexicon"),
        "a manifest for the weights": (weights, "but JSON, such as a manifest: give the file that it names"),
        "compressed weights": (weights, "but compressed: unpack it first"),
        "a pointer for the weights": (missing, "but a Git LFS pointer: fetch the file itself with git lfs pull"),
        "weights that are cut off": (weights, "outside the 996608 bytes of data"),
        "an archive that is cut off": (weights, "the archive ends within a member: build or download it again"),
        "a page for the lexicon": (missing, page.format("a lexicon")),
        "words of a page for the lexicon": (missing, page.format("a lexicon")),
        "weights for the lexicon": (lexicon, "but a file of weights: give it to load, first"),
        "an archive for the lexicon": (lexicon, "but a tar archive: give the one with the weights to load, first"),
        "a module for the lexicon": (lexicon, "but a WebAssembly module: give it as options.module"),
        "a manifest for the lexicon": (lexicon, "but JSON, such as a manifest: give the file that it names"),
        "a table that is cut off": (lexicon, "the table is damaged: build or download it again"),
    }
    assert {name: code for name, (code, _) in found.items()} == {name: code for name, (code, _) in expected.items()}
    for name, (_, said) in expected.items():
        assert said in found[name][1] and "\n" not in found[name][1], name


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_what_the_place_refuses_is_told_from_what_the_processor_lacks(package: Path) -> None:
    flags = ("--experimental-vm-modules", "--no-warnings")
    policy, switched_off, here = node("forbidden.mjs", package, flags=flags)
    assert policy[0] == switched_off[0] == "G2P_FORBIDDEN" and here is None
    assert "'wasm-unsafe-eval' in script-src" in policy[1] and "switched off" in switched_off[1]
    if platform.machine() == "x86_64":  # V8 has no SIMD where the processor lacks these instructions
        *forbidden, here = node("forbidden.mjs", package, flags=(*flags, "--no-enable-sse4-1"))
        assert forbidden == [policy, switched_off]
        assert here[0] == "G2P_UNSUPPORTED_CPU" and "it needs SIMD" in here[1]


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_a_stream_gives_what_comes_and_a_signal_stops_it_and_all_that_waits(package: Path) -> None:
    found = node("stopping.mjs", package)
    assert found["list"] == ["ˈnaɪt", ["G2P_EMPTY_WORD", 1], "ˈtiˈvi", ["G2P_FOREIGN_CHARACTER", 3], "ˈdeɪ"]
    assert (found["nothing"], found["scores"]) == ([], [True])
    assert found["waited"] == ["ˈnaɪt", ["G2P_EMPTY_WORD", 1], "ˈdeɪ"]
    assert found["readable"] == ["ˈnaɪt", "ˈdeɪ"]
    assert found["no string"] == ["ˈnaɪt", ["G2P_INVALID_WORD", 1]]
    assert found["the source's error"] == ["ˈnaɪt", "Error: no more"]
    for name in ("endless", "endless, waited"):
        assert found[name] == [["ˈnaɪt"] * 3, {"given": 3, "closed": True}]
    assert found["reasons"] == [["ˈnaɪt", reason] for reason in ("Error: enough", "enough", "7")]
    assert found["timer"] == [["TimeoutError", True]] * 2
    assert found["aborted"] == ["stopped"] * 5 + ["ˈnaɪt"]
    assert len(found["hanging"]) == 6 and set(found["hanging"].values()) == {"left"}
    assert found["kept"] == [["ˈnaɪt", "ˈdeɪ"], 0]
    assert found["closed"] == [["G2P_INVALID_ARGUMENT", None]]
    *mistakes, closed = found["mistakes"]
    assert [code for code, _ in mistakes] == ["G2P_INVALID_ARGUMENT"] * 2 + ["G2P_UNKNOWN_LANGUAGE"] + [closed]
    assert mistakes[-1][1] == "stream: there is no option score: give scores"


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_each_word_may_have_its_own_language(package: Path) -> None:
    words, langs = ["tie", "knight", "tie", "habari"], ["fin", "en-US", "eng-us", "sw"]
    alone = called(package, *(("pronounce", [word], lang) for word, lang in zip(words, langs, strict=True)))
    together, results, few, none, wrong, each, strange = called(
        package,
        ("pronounce", words, langs),
        ("results", words, langs),
        ("pronounce", words, langs[:3]),
        ("pronounce", [], []),
        ("pronounce", words, ["fin", "eng-us", "eng", "swa"]),
        ("results", words, ["fin", "eng-us", "eng", "swa"]),
        ("results", words, ["fin", 3, "eng-us", "swa"]),
    )
    assert together == [text for [text] in alone] == [result["phonemes"] for result in results]
    assert together[0] != together[2]
    assert few["message"] == "3 languages for 4 words: give one for all, or one for each"
    assert (few["code"], none) == ("G2P_INVALID_ARGUMENT", [])
    assert (wrong["code"], wrong["word"]) == ("G2P_UNKNOWN_LANGUAGE", 2)
    assert [result["error"] and result["error"]["word"] for result in each] == [None, None, 2, None]
    assert (strange["code"], strange["word"], strange["message"]) == ("G2P_UNKNOWN_LANGUAGE", 1, "3 is no string")


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_tags_and_a_cache_are_as_elsewhere(package: Path) -> None:
    asked = ("results", ["tie", "knight", "tie", "2nd"], ["fi", "eng-us", "en-US", "fin"], {"scores": True})
    plain, _, first, again, _, added, code, spanish, wrong = called(
        package,
        asked,
        ("cacheWords", 2),
        asked,
        asked,
        ("addWords", {"knight": "x"}, "en"),
        ("pronounce", ["knight"], "eng-us"),
        ("language", "es-MX"),
        ("language", "es-ES"),
        ("cacheWords", 1.5),
    )
    # What is kept takes no pass, and guesses depend on what was right lately.
    said = [[{**each, "passes": 0, "drafted": 0, "accepted": 0} for each in found] for found in (plain, first, again)]
    assert said[0] == said[1] == said[2] and plain[0]["phonemes"] == "ˈtie"
    assert (added, code) == (["x"], "spa-latin")
    assert (spanish["code"], wrong["code"]) == ("G2P_UNKNOWN_LANGUAGE", "G2P_INVALID_ARGUMENT")
    assert "did you mean spa-latin?" in spanish["message"]


@needs_node
def test_the_best_of_several_are_those_of_python(
    package: Path, built: Tree, ported: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G2P_CACHE", built.env["G2P_CACHE"])
    half = package.name.startswith("float16")
    g2p = load(built.root / "manifests" / f"{HALF if half else DEFAULT}.json", lexicon=False)
    words = ["knight", "qrstu", "", "through\ud800"]
    found, default, early, *refused = called(
        package,
        ("best", words, "eng-us", {"count": 4, "beams": 4}),
        ("best", ["qrstu"], ["eng-us"]),
        ("best", ["qrstu"], "eng-us", {"count": 1, "earlyStopping": True}),
        ("best", ["qrstu"], "eng-us", {"count": 5, "beams": 4}),
        ("best", ["qrstu"], "eng-us", {"count": 0}),
        ("best", ["qrstu"], "eng-us", {"n": 2}),
        ("best", ["qrstu"], "eng-us", {"earlyStopping": 1}),
        ("best", "qrstu", "eng-us"),
    )
    for ours, theirs in zip(found[:2], g2p.best(words[:2], n=4), strict=True):
        assert [each["phonemes"] for each in ours] == [each.phonemes for each in theirs]
        scores = [each.score for each in theirs]
        assert [each["score"] for each in ours] == pytest.approx(scores, abs=2e-2 if half else 1e-4)
    assert [len(each) for each in found] == [4, 4, 1, 1] and default == [found[1][:3]]
    assert [each[0]["error"]["word"] for each in found[2:]] == [2, 3] and len(early[0]) == 1
    assert {each["code"] for each in refused} == {"G2P_INVALID_ARGUMENT"}
    assert refused[0]["message"] == "the best 5 of 4 beams: give 1 to 4, or more beams"
    assert refused[1]["message"] == "best: count is a number from 1 on, not 0"


@needs_node
@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_memory_that_is_given_back_is_used_again(package: Path) -> None:
    least, after, later = node("heap.mjs", package / "g2p.wasm")
    assert least < after == later


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm packages that these tests use."""
    return npm_tools(tmp_path_factory)


@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_the_oldest_node_that_the_package_names_runs_it(package: Path, ported: Tree, npm: Path) -> None:
    engines = json.loads((package / "package.json").read_bytes())["engines"]["node"]
    assert engines.startswith(f"^{OLDEST_NODE} ")
    oldest = npm / "node_modules" / "node" / "bin" / "node"
    if not oldest.exists():
        pytest.skip(f"npm installs no Node {OLDEST_NODE} here")
    assert subprocess.run([oldest, "--version"], capture_output=True, text=True).stdout == f"v{OLDEST_NODE}\n"
    requests = [{"call": "results", "args": [["knight"], "eng-us"]}, {"words": ["day"], "lang": "eng-us"}]
    [knight], day = node("drive.mjs", package, stdin=requests, program=oldest)
    assert (knight["phonemes"], day) == ("ˈnaɪt", ["ˈdeɪ"])
    archive = weights_archive(ported, package)
    assert node("levels.mjs", package, archive, stdin=[["day", "eng-us"]], program=oldest)["taken"] == ["simd128"]
    assert node("stopping.mjs", package, program=oldest) == node("stopping.mjs", package)


@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_the_types_describe_the_module(package: Path, npm: Path) -> None:
    shutil.copyfile(HERE / "types.ts", package / "types.ts")
    options = ["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext"]
    ran = subprocess.run(
        [npm / "node_modules/.bin/tsc", *options, "types.ts"], cwd=package, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("package", ["float32"], indirect=True)
def test_a_bundler_for_browsers_takes_it(package: Path, npm: Path) -> None:
    (package / "app.mjs").write_text('import { load } from "./g2p.mjs";\nconsole.log(load);\n')
    command = [
        npm / "node_modules/.bin/esbuild",
        "app.mjs",
        "--bundle",
        "--format=esm",
        "--platform=browser",
        "--log-level=warning",
    ]
    ran = subprocess.run(command, cwd=package, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert all(f'new URL("{name}", import.meta.url)' in ran.stdout for name in MODULES)
