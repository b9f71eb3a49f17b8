"""A standalone library, called through its C interface (``g2p.h``) by ctypes. It needs neither numpy nor TVM.

A call releases the interpreter lock while it runs, and any number of threads may call at once.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from g2p_build.runtime import abi
from g2p_build.runtime.abi import Error, Text, close_at_end, encoded, failure, zeroless
from g2p_build.runtime.cancel import Cancel, interruptible
from g2p_build.runtime.errors import G2PError, LibraryFailed
from g2p_build.runtime.results import PARTS, SOURCES, Part, Result, Search, Source, Statistics

__all__ = ["ABI_VERSION", "Interface", "Model", "open_model"]

ABI_VERSION = 1
"""The version of ``g2p.h`` that this file was written for."""


class WordError(Exception):
    """A word of a request is wrong.

    Attributes:
        word: its index in the request, from 0.
        error: the error to raise, with the library's message.
    """

    def __init__(self, word: int, error: G2PError) -> None:
        super().__init__(str(error))
        self.word, self.error = word, error


@dataclass(frozen=True)
class Interface:
    """What another library calls of an open model's library.

    Attributes:
        model: the model, which stays open as long as this is held.
        handle: its address.
        next_part: the address of ``g2p_next_part``.
        pronounce: the address of ``g2p_pronounce``.
    """

    model: Model
    handle: int
    next_part: int
    pronounce: int


class _Options(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        ("threads", ctypes.c_uint32),
        ("allocator", ctypes.c_void_p),
    ]


class _Request(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("words", ctypes.c_void_p),
        ("count", ctypes.c_size_t),
        ("lang", ctypes.c_char_p),
        ("langs", ctypes.c_void_p),
        ("threads", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("most_ids", ctypes.c_size_t),
        ("cancel", ctypes.c_void_p),
    ]


class _Search(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("count", ctypes.c_uint32),
        ("beams", ctypes.c_uint32),
        ("early", ctypes.c_uint32),
    ]


class _Results(ctypes.Structure):
    """``g2p_texts`` and ``g2p_ids``."""

    _fields_ = [("data", ctypes.c_void_p), ("offsets", ctypes.POINTER(ctypes.c_size_t)), ("count", ctypes.c_size_t)]


class _Result(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("word", ctypes.c_size_t),
        ("phonemes", Text),
        ("ids", ctypes.c_void_p),
        ("ids_count", ctypes.c_size_t),
        ("logits", ctypes.c_void_p),
        ("status", ctypes.c_int),
        ("source", ctypes.c_int),
        ("truncated", ctypes.c_uint32),
        ("repeats", ctypes.c_uint32),
        ("score", ctypes.c_float),
        ("message", Text),
        ("passes", ctypes.c_uint32),  # from here on not in the first libraries
        ("drafted", ctypes.c_uint32),
        ("accepted", ctypes.c_uint32),
    ]


class _Statistics(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        *((field.name, ctypes.c_uint64) for field in fields(Statistics)),
    ]


class _ResultList(ctypes.Structure):
    """``g2p_results``."""

    _fields_ = [("data", ctypes.POINTER(_Result)), ("count", ctypes.c_size_t), ("memory", ctypes.c_void_p)]


_SCORES, _EACH = 2, 4  # flags of a request

_NO_PARTS = "the library is from before texts were split: build it again"


class Model:
    """An open model. It is closed when nobody holds it any more. Made by `open_model`."""

    def __init__(self, library: Any, handle: ctypes.c_void_p) -> None:
        self._library, self._handle, self._process = library, handle, os.getpid()
        self._lexicons: list[Any] = []
        close_at_end(self, library.g2p_close, handle)

    def texts(
        self, words: Sequence[str], lang: str | Sequence[str], threads: int, cancel: Cancel | None = None
    ) -> list[str]:
        """The phonemes of each word.

        Args:
            words: the words to pronounce.
            lang: one language for all words, or a sequence with one for each.
            threads: how many threads may work on them; 0: one for each processor that this process may use.
            cancel: stops the call.

        Raises:
            WordError: a word is wrong. Then no word is pronounced.
            G2PError: something else failed.
        """
        found = _Results()
        self._request(self._library.g2p_pronounce_all, words, lang, threads, found, cancel)
        try:
            ends = found.offsets[: found.count + 1]
            data = ctypes.string_at(found.data, ends[-1])
        finally:
            self._library.g2p_free_texts(self._handle, ctypes.byref(found))
        return [data[start:end].decode() for start, end in itertools.pairwise(ends)]

    def tokens(
        self,
        words: Sequence[str],
        lang: str | Sequence[str],
        threads: int,
        cancel: Cancel | None = None,
        most_ids: int = 0,
    ) -> list[list[int]]:
        """As `texts`, but returns the generated ids. If ``most_ids`` is not 0, a word gets at most so many."""
        found = _Results()
        self._request(self._library.g2p_tokens, words, lang, threads, found, cancel, most_ids)
        try:
            ends = found.offsets[: found.count + 1]
            ids = array("i", ctypes.string_at(found.data, ends[-1] * 4)).tolist()
        finally:
            self._library.g2p_free_ids(self._handle, ctypes.byref(found))
        return [ids[start:end] for start, end in itertools.pairwise(ends)]

    def results(
        self,
        words: Sequence[str],
        lang: str | Sequence[str],
        threads: int,
        scores: bool,
        cancel: Cancel | None = None,
    ) -> list[Result]:
        """All that is known of each word. A wrong word has its own error, and the others are pronounced.

        Args:
            words: the words to pronounce.
            lang: one language for all words, or a sequence with one for each.
            threads: as in `texts`.
            scores: whether the results have scores.
            cancel: stops the call.
        """
        found = _ResultList()
        flags = _EACH | (_SCORES if scores else 0)
        self._request(self._library.g2p_results_all, words, lang, threads, found, cancel, flags=flags)
        langs = [lang] * len(words) if isinstance(lang, str) else lang
        try:
            return [
                _result(word, code, result, scores)
                for word, code, result in zip(words, langs, _listed(found), strict=True)
            ]
        finally:
            self._library.g2p_free_results(self._handle, ctypes.byref(found))

    def best(
        self,
        words: Sequence[str],
        lang: str | Sequence[str],
        threads: int,
        search: Search,
        cancel: Cancel | None = None,
    ) -> list[list[Result]]:
        """Several pronunciations of each word: `Engine.best`."""
        if not hasattr(self._library, "g2p_best"):
            raise LibraryFailed("the library is from before words had several pronunciations: build it again")
        self._library.g2p_best.argtypes = [ctypes.c_void_p] * 5
        found = _ResultList()
        made = _Search(ctypes.sizeof(_Search), search.n, search.beams, search.early_stopping)
        call = functools.partial(_with_search, self._library.g2p_best, made)
        self._request(call, words, lang, threads, found, cancel, flags=_EACH, beams=search.beams)
        langs = [lang] * len(words) if isinstance(lang, str) else lang
        all_of: list[list[Result]] = [[] for _ in words]
        try:
            for result in _listed(found):
                all_of[result.word].append(_result(words[result.word], langs[result.word], result, True))
        finally:
            self._library.g2p_free_results(self._handle, ctypes.byref(found))
        return all_of

    def split(self, text: str) -> list[Part]:
        """The parts of a text: `Engine.split`."""
        next_part = getattr(self._library, "g2p_next_part", None)
        if next_part is None:
            raise LibraryFailed(_NO_PARTS)
        next_part.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, *[ctypes.c_void_p] * 3]
        data, found, start, place = encoded(text), list[Part](), 0, 0
        end, kind, error = ctypes.c_size_t(), ctypes.c_int(), Error()
        outputs = (ctypes.byref(end), ctypes.byref(kind), ctypes.byref(error))
        while start < len(data):
            if next_part(data, len(data), start, *outputs):
                raise failure(error.status, error.message)
            part = data[start : end.value].decode()
            found.append(Part(part, place, PARTS[kind.value]))
            start, place = end.value, place + len(part)
        return found

    def interface(self) -> Interface:
        """What another library may call of this one."""
        if not hasattr(self._library, "g2p_next_part"):
            raise LibraryFailed(_NO_PARTS)
        names = ("g2p_next_part", "g2p_pronounce")
        next_part, pronounce = (ctypes.cast(getattr(self._library, name), ctypes.c_void_p).value or 0 for name in names)
        return Interface(self, self._handle.value or 0, next_part, pronounce)

    def add_lexicon(self, source: Path | bytes, lang: str | None) -> None:
        """Adds a lexicon, which comes before those that were added earlier: `Engine.add_lexicon`."""
        code, error = None if lang is None else zeroless(lang), Error()
        if isinstance(source, bytes):
            # A table stays in use, so its bytes have to live as long as the model.
            memory = ctypes.create_string_buffer(source, len(source))
            self._lexicons.append(memory)
            given = (self._handle, memory, len(source), code, ctypes.byref(error))
            failed = self._library.g2p_add_lexicon_memory(*given)
        else:
            failed = self._library.g2p_add_lexicon(self._handle, os.fsencode(source), code, ctypes.byref(error))
        if failed:
            raise failure(error.status, error.message)

    def add_draft(self, source: Path) -> None:
        """Gives the model its draft table.

        Raises:
            InvalidDraft: it is damaged.
        """
        error = Error()
        if self._library.g2p_add_draft(self._handle, ctypes.c_char_p(os.fsencode(source)), ctypes.byref(error)):
            raise failure(error.status, error.message)

    def cache_words(self, words: int) -> None:
        """Keeps what was said of so many words: `Engine.cache_words`."""
        error = Error()
        if not hasattr(self._library, "g2p_cache_words"):
            raise LibraryFailed("the library is from before words were kept: build it again")
        if self._library.g2p_cache_words(self._handle, ctypes.c_size_t(words), ctypes.byref(error)):
            raise failure(error.status, error.message)

    def guess(self, word: str, lang: str) -> str:
        """What the draft table guesses for a word: `Engine.guess`."""
        error, capacity = Error(), 1 << 16
        if not hasattr(self._library, "g2p_guess_word"):
            return ""  # a library from before there were guesses
        memory = ctypes.create_string_buffer(capacity)
        texts = (ctypes.c_char_p(zeroless(text)) for text in (word, lang))
        given = (*texts, memory, ctypes.c_size_t(capacity), ctypes.byref(error))
        if self._library.g2p_guess_word(self._handle, *given):
            raise failure(error.status, error.message)
        return memory.value.decode()

    def statistics(self) -> Statistics | None:
        """What the model has done since it was opened."""
        if not hasattr(self._library, "g2p_get_statistics"):
            return None
        found, error = _Statistics(size=ctypes.sizeof(_Statistics)), Error()
        if self._library.g2p_get_statistics(self._handle, ctypes.byref(found), ctypes.byref(error)):
            raise failure(error.status, error.message)
        return Statistics(**{field.name: getattr(found, field.name) for field in fields(Statistics)})

    def look_up(self, word: str, lang: str) -> tuple[list[str], Source]:
        """All pronunciations of a word in the first lexicon that has it, and which kind of lexicon that is."""
        found, source, error = _Results(), ctypes.c_int(), Error()
        texts = (zeroless(text) for text in (word, lang))
        outputs = (ctypes.byref(found), ctypes.byref(source), ctypes.byref(error))
        if self._library.g2p_look_up(self._handle, *texts, *outputs):
            raise failure(error.status, error.message)
        try:
            if not found.count:
                return [], "lexicon"
            ends = found.offsets[: found.count + 1]
            data = ctypes.string_at(found.data, ends[-1])
        finally:
            self._library.g2p_free_texts(self._handle, ctypes.byref(found))
        return [data[start:end].decode() for start, end in itertools.pairwise(ends)], SOURCES[source.value]

    def _request(
        self,
        call: Any,
        words: Sequence[str],
        lang: str | Sequence[str],
        threads: int,
        results: ctypes.Structure,
        cancel: Cancel | None,
        most_ids: int = 0,
        flags: int = 0,
        beams: int = 1,
    ) -> None:
        spelled = [encoded(word) for word in words]
        text = b"".join(spelled)
        memory = ctypes.create_string_buffer(text, len(text) + 1)
        places, at = array("Q"), ctypes.addressof(memory)
        for word in spelled:
            places.extend((at, len(word)))
            at += len(word)
        places.append(0)  # an empty array has no address
        # Equal codes share one address: the library then checks a language once for consecutive words. A code with a
        # zero must be refused, but C would end it there. So another control character, which C refuses, replaces it.
        codes = {code: zeroless(code) for code in ([lang] if isinstance(lang, str) else set(lang))}
        each = [] if isinstance(lang, str) else [codes[code] for code in lang]
        langs = (ctypes.c_char_p * len(each))(*each)
        cancel = cancel or Cancel()
        request = _Request(
            size=ctypes.sizeof(_Request),
            words=places.buffer_info()[0],
            count=len(spelled),
            lang=codes[lang] if isinstance(lang, str) else None,
            langs=ctypes.addressof(langs) if each else None,
            most_ids=most_ids,
            flags=flags,
            cancel=ctypes.addressof(cancel.flag),
            # A forked child does not have its parent's threads, so it must not wait for them.
            threads=threads if os.getpid() == self._process else 1,
        )
        error = Error()
        given = (self._handle, ctypes.byref(request), ctypes.byref(results), ctypes.byref(error))
        held = (self, memory, places, codes, langs, cancel)

        def run() -> int:
            _ = held  # what the library reads lives as long as the call, after a second Ctrl-C too
            return int(call(*given))

        if interruptible(run, len(spelled) * beams, cancel):
            found = failure(error.status, error.message)
            if error.word < len(spelled):
                raise WordError(error.word, found)
            raise found


def _with_search(call: Any, search: _Search, model: Any, request: Any, results: Any, error: Any) -> int:
    return int(call(model, request, ctypes.byref(search), results, error))


def _listed(found: _ResultList) -> Iterator[_Result]:
    """The results of a list. They may be longer than this file knows, and each says how long."""
    start = ctypes.cast(found.data, ctypes.c_void_p).value or 0
    for place in range(found.count):
        yield _Result.from_address(start + place * found.data[0].size)


def _result(word: str, lang: str, found: _Result, scored: bool) -> Result:
    if found.status:
        message = ctypes.string_at(found.message.data, found.message.size)
        return Result(word, lang, "", error=failure(found.status, message))
    counts = found.size >= ctypes.sizeof(_Result)
    return Result(
        word,
        lang,
        ctypes.string_at(found.phonemes.data, found.phonemes.size).decode(),
        SOURCES[found.source],
        bool(found.truncated),
        bool(found.repeats),
        found.score if scored and found.ids_count else None,
        passes=found.passes if counts else 0,
        drafted=found.drafted if counts else 0,
        accepted=found.accepted if counts else 0,
    )


def open_model(
    library: Path, weights: Path, lexicon: Path | None = None, draft: Path | None = None, shared: bool = True
) -> Model:
    """Opens a model. As long as somebody holds it, the same files give the same model.

    Args:
        library: path of the shared library.
        weights: path of the safetensors file.
        lexicon: path of the variant's own lexicon, or None.
        draft: path of its draft table, or None.
        shared: whether others may have the same model. One that lexicons are added to is nobody else's.

    Raises:
        LibraryFailed: the library does not load, or has another version of the interface.
        InvalidWeights: the weights are not the ones that the library takes.
        InvalidLexicon, InvalidDraft: the lexicon or the draft table is damaged.
        UnsupportedCPU: the library uses instructions that this processor lacks.
    """
    opened = functools.partial(_opened, library, weights, lexicon, draft)
    return abi.shared((library, weights, lexicon, draft), opened) if shared else opened()


def _opened(path: Path, weights: Path, lexicon: Path | None, draft: Path | None) -> Model:
    library = abi.open_library(path, "g2p_abi_version", ABI_VERSION)
    for free in (library.g2p_free_texts, library.g2p_free_ids, library.g2p_free_results):
        free.restype = None
        free.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    for call in (library.g2p_pronounce_all, library.g2p_tokens, library.g2p_results_all):
        call.argtypes = [ctypes.c_void_p] * 4
    library.g2p_add_lexicon.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
    library.g2p_add_lexicon_memory.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t),
        *(ctypes.c_char_p, ctypes.c_void_p),
    ]
    library.g2p_look_up.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, *[ctypes.c_void_p] * 3]
    library.g2p_open.argtypes = [ctypes.c_char_p, *[ctypes.c_void_p] * 3]
    handle, failed = ctypes.c_void_p(), Error()
    options = _Options(size=ctypes.sizeof(_Options))
    given = ctypes.byref(options), ctypes.byref(handle), ctypes.byref(failed)
    if library.g2p_open(os.fsencode(weights), *given):
        raise failure(failed.status, failed.message)
    model = Model(library, handle)
    if lexicon is not None:
        model.add_lexicon(lexicon, None)
    if draft is not None:
        model.add_draft(draft)
    return model
