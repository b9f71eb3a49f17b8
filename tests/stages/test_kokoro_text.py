"""A text as the library reads it, beside the rule as `losses` and this page have it."""

from __future__ import annotations

import ctypes
import json
import random
import shutil
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import READ_AS
from small_kokoro import SHAPE

from g2p_build.checkpoints.kokoro.config import architecture_from_shape
from g2p_build.checkpoints.kokoro.losses import in_symbols
from g2p_build.checkpoints.kokoro.phonemes import TABLES, own_vocabulary
from g2p_build.models.kokoro.architecture import to_json
from g2p_build.native.files import CORE, G2P, TTS
from g2p_build.runtime.abi import Error, Text
from g2p_build.runtime.tts_library import _TextRequest
from g2p_build.stages.kokoro import symbols as stage

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")

CANCELLED, NO_MEMORY, EMPTY_WORD, UNKNOWN_LANGUAGE, TOO_SMALL, FOREIGN = 1, 2, 4, 7, 8, 16  # statuses

PROBE = """
#include "model.inc"
#include "model.h"

const tts_variant *tts_default(void);
const tts_variant *tts_default(void) { return NULL; }

static int32_t left; /* allocations that succeed; below 0: all do */
static int64_t held; /* bytes */

static void *allocate(void *user, size_t size, size_t alignment) {
  (void)user;
  if (left >= 0 && left-- == 0) return NULL;
  held += (int64_t)size;
  return g2p_malloc.allocate(NULL, size, alignment);
}

static void release(void *user, void *memory, size_t size) {
  (void)user;
  held -= (int64_t)size;
  g2p_malloc.release(NULL, memory, size);
}

static const g2p_allocator counted = {allocate, release, NULL};
static tts opened = {.traits = &model, .allocator = &counted};

TTS_API tts *probe_model(int32_t allocations);
tts *probe_model(int32_t allocations) {
  left = allocations;
  return &opened;
}

TTS_API int64_t probe_held(void);
int64_t probe_held(void) { return held; }
"""

Pronounce = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_char),
    ctypes.c_size_t,
    ctypes.POINTER(Error),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The files of speech, with the small model's tables, and G2P's splitting of texts. A model is open in it."""
    folder = tmp_path_factory.mktemp("text")
    inputs = {"architecture.json": folder / "a.json", "vocabulary.json": folder / "v.json"}
    inputs["architecture.json"].write_text(json.dumps(to_json(architecture_from_shape(SHAPE))))
    inputs["vocabulary.json"].write_text(json.dumps(own_vocabulary()))
    stage.build({"languages": None, "source": "random"}, inputs, folder)
    (folder / "probe.c").write_text(PROBE, encoding="utf-8")
    sources = [*sorted(CORE.glob("*.c")), *sorted(TTS.glob("*.c")), G2P / "parts.c", folder / "probe.c"]
    included = [f"-I{place}" for place in (CORE, TTS, G2P, folder)]
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", *included]
    made = folder / "probe.so"
    subprocess.run(["gcc", *flags, *map(str, sources), "-lpthread", "-o", str(made)], check=True)
    found = ctypes.CDLL(str(made))
    found.probe_model.restype, found.probe_held.restype = ctypes.c_void_p, ctypes.c_int64
    found.tts_text.argtypes = found.tts_free_text.argtypes = None
    return found


class Refused(Exception):
    """A status, with the place that the error names and its message."""


def said(
    library: ctypes.CDLL,
    text: str | bytes,
    lang: str,
    pronounced: Callable[[str], str | int],
    allocations: int = -1,
    cancel: int | None = None,
) -> str:
    """What `tts_text` makes of a text. `pronounced` gives a word's phonemes, or a status."""

    def pronounce(_: int, word: bytes, code: bytes, phonemes: object, capacity: int, error: object) -> int:
        assert code.decode() == lang
        found = pronounced(word.decode())
        if isinstance(found, int):
            error.contents.message = f"{word.decode()} is wrong".encode()  # type: ignore[attr-defined]
            return found
        data = found.encode() + b"\0"
        if len(data) > capacity:
            return TOO_SMALL
        ctypes.memmove(phonemes, data, len(data))  # type: ignore[arg-type]
        return 0

    data = text if isinstance(text, bytes) else text.encode("utf-8")
    memory, callback, flag = ctypes.create_string_buffer(data, len(data) + 1), Pronounce(pronounce), ctypes.c_int32(1)
    request = _TextRequest(
        size=ctypes.sizeof(_TextRequest),
        text=Text(ctypes.addressof(memory), len(data)),
        lang=lang.encode(),
        g2p=1,  # nobody looks at it
        next_part=ctypes.cast(library.g2p_next_part, ctypes.c_void_p),
        pronounce=ctypes.cast(callback, ctypes.c_void_p),
        cancel=None if cancel is None else ctypes.addressof(flag),
    )
    found, error, model = Text(), Error(), ctypes.c_void_p(library.probe_model(allocations))
    status = library.tts_text(model, ctypes.byref(request), ctypes.byref(found), ctypes.byref(error))
    try:
        if status:
            assert not found.size
            raise Refused(status, error.word, error.message.decode())
        return ctypes.string_at(found.data, found.size).decode() if found.size else ""
    finally:
        library.tts_free_text(model, ctypes.byref(found))
        assert library.probe_held() == 0


def parts(library: ctypes.CDLL, text: str) -> list[tuple[str, int]]:
    """The parts of a text, each with its kind."""
    data, found, start = text.encode(), [], 0
    end, kind = ctypes.c_size_t(), ctypes.c_int()
    while start < len(data):
        outputs = (ctypes.byref(end), ctypes.byref(kind), None)
        assert library.g2p_next_part(data, ctypes.c_size_t(len(data)), ctypes.c_size_t(start), *outputs) == 0
        found.append((data[start : end.value].decode(), kind.value))
        start = end.value
    return found


def expected(library: ctypes.CDLL, text: str, lang: str, pronounced: Callable[[str], str]) -> str | tuple[int, int]:
    """The rule. A status and a byte where the text is refused."""
    found, place, table = [], 0, TABLES[lang]
    for part, kind in parts(library, text):
        if kind == 1:
            return FOREIGN, place
        if kind == 0:
            symbols = in_symbols(table.vowels, table.rows, pronounced(part))
            if symbols.unknown:
                return FOREIGN, place
            found.append(symbols.symbols)
        else:
            found.append(" " if kind == 2 else part.translate(READ_AS))
        place += len(part.encode())
    return " ".join("".join(found).split())


def chosen(lang: str, strange: str = "") -> Callable[[str], str]:
    """A pronunciation for each word: some phonemes of a table, stress where it makes sense and where it does not."""

    def pronounced(word: str) -> str:
        drawn = random.Random(word)
        phonemes = [*TABLES[lang].rows, "ˈ", "ˌ", " ", *strange]
        return "".join(drawn.choices(phonemes, k=drawn.randrange(9)))

    return pronounced


@pytest.mark.parametrize("lang", TABLES)
@given(text=st.text(" ,.!?;—–-'’‘«»[]{}()\t\n\u2011\xa0\u200d\u0308abcdeéß0½สวัส\N{GRINNING FACE}", max_size=60))
def test_any_text_is_what_the_rule_makes_of_it(library: ctypes.CDLL, text: str, lang: str) -> None:
    for strange in ("", "yq\N{GRINNING FACE}"):
        pronounced = chosen(lang, strange)
        try:
            found: str | tuple[int, int] = said(library, text, lang, pronounced)
        except Refused as error:
            found = error.args[:2]
        assert found == expected(library, text, lang, pronounced)


@given(text=st.text(max_size=40))
def test_any_characters_are_taken_or_refused_at_a_place(library: ctypes.CDLL, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    pronounced = chosen("eng-us")
    try:
        found: str | tuple[int, int] = said(library, text, "eng-us", pronounced)
    except Refused as error:
        found = error.args[:2]
    assert found == expected(library, text, "eng-us", pronounced)


def test_words_are_mapped_and_punctuation_stays(library: ctypes.CDLL) -> None:
    words = {"Hello": "hɛˈɫoʊ", "world": "ˈwɝɫd", "it’s": "ˈɪts", "well": "ˈwɛɫ", "known": "ˈnoʊn"}
    text = " \n\tHello,\r\nworld – it’s [well-known]! "
    assert said(library, text, "eng-us", words.__getitem__) == "hɛlˈO, wˈɜɹld — ˈɪts (wˈɛl nˈOn)!"
    assert said(library, "", "eng-us", words.__getitem__) == said(library, " \u200b- ", "eng-us", str) == ""


def test_a_pronunciation_of_any_length_is_taken(library: ctypes.CDLL) -> None:
    assert said(library, "a b", "eng-us", lambda word: "b" * 5000 if word == "a" else "s") == "b" * 5000 + " s"


@pytest.mark.parametrize(
    ("text", "lang", "status", "place", "message"),
    [
        ("hé 20, a", "eng-us", FOREIGN, 4, "the text has a number, '20', at character 4: write it out in words"),
        ("a", "fin", UNKNOWN_LANGUAGE, None, "does not speak 'fin': it speaks eng-us, spa-latin"),
        ("a wrong b", "eng-us", EMPTY_WORD, 2, "wrong is wrong"),
        (
            "a odd b",
            "eng-us",
            FOREIGN,
            2,
            "is pronounced 'syb', and the speech model's table of eng-us has no 'y'",
        ),
        (b"a \xff b", "eng-us", 5, 1, "not valid UTF-8 at byte 2"),
    ],
)
def test_what_is_refused_is_told_with_its_place(
    library: ctypes.CDLL, text: str | bytes, lang: str, status: int, place: int | None, message: str
) -> None:
    words: dict[str, str | int] = {"hé": "h", "a": "s", "b": "b", "odd": "syb", "wrong": EMPTY_WORD}
    with pytest.raises(Refused) as caught:
        said(library, text, lang, words.__getitem__)
    nowhere = ctypes.c_size_t(-1).value
    assert caught.value.args[:2] == (status, nowhere if place is None else place)
    assert message in caught.value.args[2]


def test_it_is_cancelled(library: ctypes.CDLL) -> None:
    with pytest.raises(Refused) as caught:
        said(library, "a", "eng-us", str, cancel=1)
    assert caught.value.args[0] == CANCELLED


def test_without_memory_it_is_a_status_and_nothing_is_kept(library: ctypes.CDLL) -> None:
    text, allocations = "b, k. b - s! " * 40, 0
    while True:
        try:
            found = said(library, text, "eng-us", lambda word: word * 3000, allocations)
        except Refused as error:
            assert error.args[0] == NO_MEMORY
            allocations += 1
        else:
            break
    assert found == said(library, text, "eng-us", lambda word: word * 3000) and allocations > 5


def test_languages_are_told(library: ctypes.CDLL) -> None:
    library.tts_languages.restype, count = ctypes.POINTER(ctypes.c_char_p), ctypes.c_size_t()
    codes = library.tts_languages(ctypes.c_void_p(library.probe_model(-1)), ctypes.byref(count))
    assert [code.decode() for code in codes[: count.value]] == list(TABLES)
