"""Every status of g2p.h can be reached through the shipped library, and its message says why."""

import ctypes
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import CACHED, Tree
from kits import BASE, HERE, INCLUDES, SOURCES, archives, gcc

FOLDER = Path(__file__).parents[2] / "g2p_build" / "checkpoints" / "embedded"
[ENUM] = re.findall(r"typedef enum g2p_status \{(.*?)\} g2p_status;", BASE.read_text(encoding="utf-8"), re.DOTALL)
ALL = dict(re.findall(r"(G2P_\w+) = (\d+)", ENUM))
SPEECH = {"G2P_UNKNOWN_PHONEME", "G2P_UNKNOWN_VOICE", "G2P_INVALID_VOICES"}  # of the other family
STATUSES = {name: number for name, number in ALL.items() if name not in SPEECH}

ALLOCATE = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class Error(ctypes.Structure):
    _fields_ = (("status", ctypes.c_int), ("word", ctypes.c_size_t), ("message", ctypes.c_char * 240))


class Allocator(ctypes.Structure):
    _fields_ = (("allocate", ALLOCATE), ("release", RELEASE), ("user", ctypes.c_void_p))


class Options(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        ("threads", ctypes.c_uint32),
        ("allocator", ctypes.POINTER(Allocator)),
    )


class Text(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_size_t))


class Request(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("words", ctypes.POINTER(Text)),
        ("count", ctypes.c_size_t),
        ("lang", ctypes.c_char_p),
        ("langs", ctypes.c_void_p),
        ("threads", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("most_ids", ctypes.c_size_t),
        ("cancel", ctypes.POINTER(ctypes.c_int32)),
    )


@dataclass(frozen=True)
class Place:
    """The library, an open model, and files that a test may damage."""

    library: ctypes.CDLL
    model: ctypes.c_void_p
    manifest: Path
    weights: Path  # the archive that the manifest names
    toy: ctypes.CDLL  # a library that opens no files, for a processor that does not exist

    def open(self, path: Path, options: Options | None = None, function: str = "g2p_open") -> Error:
        """Tries to open a model."""
        model, error = ctypes.c_void_p(), Error()
        given = ctypes.byref(options) if options else None
        status = self.library[function](str(path).encode(), given, ctypes.byref(model), ctypes.byref(error))
        assert status == error.status and bool(model) == (status == 0)
        self.library.g2p_close(model)
        return error

    def open_manifest(self, change: Callable[[dict[str, Any]], object], options: Options | None = None) -> Error:
        """Tries to open a manifest that was changed."""
        manifest = json.loads(self.manifest.read_bytes())
        change(manifest)
        changed = self.manifest.with_name("changed.json")
        changed.write_text(json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")
        return self.open(changed, options, "g2p_open_manifest")

    def stream(self, *words: str, lang: str = "fin", stop: int = 0, **fields: Any) -> Error:
        """Pronounces words as a stream. The callback returns `stop`."""
        texts = (Text * len(words))(*(Text(word.encode("utf-8", "surrogateescape"), len(word)) for word in words))
        request = Request(ctypes.sizeof(Request), texts, len(words), lang.encode())
        for name, value in fields.items():
            setattr(request, name, value)
        error = Error()
        callback = CALLBACK(lambda user, result: stop)
        status = self.library.g2p_stream(self.model, ctypes.byref(request), callback, None, ctypes.byref(error))
        assert status == error.status
        return error

    def pronounce(self, capacity: int) -> Error:
        """Pronounces a word into a buffer of `capacity` bytes, which is too small. The buffer must stay as it is."""
        error, text = Error(), ctypes.create_string_buffer(b"#" * capacity)
        arguments = (self.model, b"talo", b"fin", text, ctypes.c_size_t(capacity), ctypes.byref(error))
        assert self.library.g2p_pronounce(*arguments) == error.status
        assert text.raw == b"#" * capacity + b"\0"
        return error

    def toy_error(self, function: str, weights: Any) -> Error:
        """Tries to open a model with the other library."""
        error, model = Error(), ctypes.c_void_p()
        size = [ctypes.c_size_t(132)] if function == "g2p_open_memory" else []
        self.toy[function](weights, *size, None, ctypes.byref(model), ctypes.byref(error))
        return error


@pytest.fixture(scope="module")
def place(built: Tree, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An open model, and a copy of its files."""
    folder = tmp_path_factory.mktemp("statuses")
    found = archives(built, CACHED, "shared")
    manifest = Path(shutil.copy(found.manifest, folder))
    name = json.loads(manifest.read_bytes())["archives"]["weights"]["file"]
    weights = Path(shutil.copy(built.root / "dist" / name, folder))
    defines = ["-DG2P_NO_FILES", "-DG2P_NO_THREADS", "-DTOY_FEATURE"]
    gcc(*defines, "-shared", "-fPIC", *INCLUDES, *SOURCES, HERE / "toy.c", "-o", folder / "toy.so")
    library, model = ctypes.CDLL(str(found.folder / "libg2p.so")), ctypes.c_void_p()
    library.g2p_status_name.restype = ctypes.c_char_p
    assert library.g2p_open_manifest(str(manifest).encode(), None, ctypes.byref(model), None) == 0
    return Place(library, model, manifest, weights, ctypes.CDLL(str(folder / "toy.so")))


def no_memory(place: Place) -> Error:
    allocator = Allocator(ALLOCATE(lambda user, size, alignment: None), RELEASE(lambda user, memory, size: None))
    return place.open(place.weights, Options(ctypes.sizeof(Options), 0, 1, ctypes.pointer(allocator)))


def cancelled(place: Place) -> Error:
    flag = ctypes.c_int32(0)
    place.library.g2p_cancel(ctypes.byref(flag))
    assert place.stream("talo", stop=1).status == 1
    return place.stream("talo", cancel=ctypes.pointer(flag))


def invalid_arguments(place: Place) -> Error:
    errors = [
        place.stream("talo", size=8),
        place.stream("talo", flags=16),
        place.stream("talo", words=None),
        place.open(place.weights, Options(7, 0, 1, None)),
        place.open(place.weights, Options(ctypes.sizeof(Options), 8, 1, None)),
    ]
    assert {error.status for error in errors} == {3} and len({error.message for error in errors}) == len(errors)
    return errors[0]


def invalid_words(place: Place) -> Error:
    assert place.stream("ta\tlo").status == place.stream("talo\udcff").status == 5
    return place.stream("talo", "kissa", "ta\nlo")


def invalid_lexicon(place: Place) -> Error:
    """A list's line that is none, and a table that ends too early."""

    def add(data: bytes, lang: bytes | None) -> Error:
        error = Error()
        given = (place.model, data, ctypes.c_size_t(len(data)), lang, ctypes.byref(error))
        assert place.library.g2p_add_lexicon_memory(*given) == error.status
        return error

    assert add(b"talo\ttalo\n", None).status == add(b"g2plex\0\1", b"fin").status == 3
    assert (
        add(b"g2plex\0\2", None).message
        == b"the lexicon: a table of version 2, and this library reads version 1: take a newer library"
    )
    assert b"damaged" in add(b"g2plex\0\1", None).message
    return add(b"talo\ttalo\n\ntalo\n", b"fin")


def invalid_draft(place: Place) -> Error:
    """A table that ends too early. A model takes one table, and the archive here has none."""
    table, model = (FOLDER / "draft.g2pdraft").read_bytes(), ctypes.c_void_p()
    no_draft = Options(ctypes.sizeof(Options), 4, 1, None)
    given = str(place.weights).encode(), ctypes.byref(no_draft), ctypes.byref(model), None
    assert place.library.g2p_open(*given) == 0

    def add(data: bytes) -> Error:
        error = Error()
        size = ctypes.c_size_t(len(data))
        assert place.library.g2p_add_draft_memory(model, data, size, ctypes.byref(error)) == error.status
        return error

    try:
        assert all(add(table[:size]).status == 18 for size in (0, 15, 16, 100, len(table) - 1))
        error = add(table[:-4])
        assert add(table).status == 0
        assert add(table).status == 3  # it has one
        return error
    finally:
        place.library.g2p_close(model)


def wrong_digest(place: Place) -> Error:
    """A wrong size is always noticed. A wrong byte in the middle is noticed only if the options ask to verify."""
    verify = Options(ctypes.sizeof(Options), 1, 1, None)
    whole = place.weights.read_bytes()
    assert place.open_manifest(lambda manifest: None, verify).status == 0
    try:
        place.weights.write_bytes(whole[:-512])
        assert place.open_manifest(lambda manifest: None).status == 13
        place.weights.write_bytes(whole[:5_000_000] + bytes([whole[5_000_000] ^ 1]) + whole[5_000_001:])
        assert place.open_manifest(lambda manifest: None).status == 0
        return place.open_manifest(lambda manifest: None, verify)
    finally:
        place.weights.write_bytes(whole)


def invalid_weights(place: Place) -> Error:
    damaged = place.weights.with_name("damaged.safetensors")
    damaged.write_bytes(b"")
    assert place.open(damaged).status == 10
    damaged.write_bytes(place.weights.read_bytes()[:5_000_000])
    return place.open(damaged)


def invalid_manifest(place: Place) -> Error:
    assert place.open(place.weights, None, "g2p_open_manifest").status == 11
    return place.open_manifest(lambda manifest: manifest["model"].update(eos_id=2))


# Status → how to reach it, a part of its message, the word that it names.
REACH: dict[str, tuple[Callable[[Place], Error], str, int | None]] = {
    "G2P_OK": (lambda place: place.stream("talo", "kissa"), "", None),
    "G2P_CANCELLED": (cancelled, "the call was cancelled", None),
    "G2P_NO_MEMORY": (no_memory, "no memory", None),
    "G2P_INVALID_ARGUMENT": (invalid_arguments, "set its size to sizeof", None),
    "G2P_EMPTY_WORD": (lambda place: place.stream("talo", "  "), "'  ' is empty", 1),
    "G2P_INVALID_WORD": (invalid_words, r"'ta\\x0alo' holds a control character", 2),
    "G2P_WORD_TOO_LONG": (lambda place: place.stream("talo" * 40), "160 bytes, 167 with its prompt", 0),
    "G2P_UNKNOWN_LANGUAGE": (lambda place: place.stream("talo", lang="fins"), "did you mean fin", 0),
    "G2P_TOO_SMALL": (lambda place: place.pronounce(3), "the buffer has 3", None),
    "G2P_NO_FILE": (lambda place: place.open(Path("/no/such.tar")), "there is no file at /no/such.tar", None),
    "G2P_INVALID_WEIGHTS": (invalid_weights, "ends within a member", None),
    "G2P_INVALID_MANIFEST": (invalid_manifest, "changed after it was built", None),
    "G2P_NEWER_MANIFEST": (
        lambda place: place.open_manifest(lambda manifest: manifest.update(schema_version=9)),
        "version 9 is newer than 2",
        None,
    ),
    "G2P_WRONG_DIGEST": (wrong_digest, "another SHA-256", None),
    "G2P_UNSUPPORTED_CPU": (lambda place: place.toy_error("g2p_open_memory", b"any"), "lacks no-such-feature", None),
    "G2P_UNSUPPORTED": (lambda place: place.toy_error("g2p_open", b"any"), "open from memory", None),
    "G2P_FOREIGN_CHARACTER": (
        lambda place: place.stream("talo", "ta1o"),
        r"'1' \(U\+0031, a digit\) at byte 2 of the word 'ta1o' is not in the alphabet of fin: write numbers out",
        1,
    ),
    "G2P_INVALID_DRAFT": (invalid_draft, "the draft table: damaged", None),
    "G2P_INVALID_LEXICON": (invalid_lexicon, "line 3: 'talo' has no tab", None),
}


@pytest.mark.parametrize("name", STATUSES)
def test_every_status_is_reached(place: Place, name: str) -> None:
    reach, says, word = REACH[name]
    error = reach(place)
    assert error.status == int(STATUSES[name])
    assert place.library.g2p_status_name(error.status).decode() == name
    assert re.search(says, error.message.decode()) if says else not error.message
    assert error.word == (2**64 - 1 if word is None else word)


def test_numbers_that_are_no_status_have_no_name(place: Place) -> None:
    assert place.library.g2p_status_name(len(ALL)) is None
    assert place.library.g2p_status_name(-1) is None
