"""Reads lexicons: tables that the build makes, and a user's own lists. docs/lexicon.md describes both.

The core has the same in C. This is for the virtual machine's path, and for the build, which merges lexicons.
"""

import struct
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, Protocol

from g2p_build.runtime.errors import InvalidLexicon
from g2p_build.runtime.form import form_of, in_form

__all__ = [
    "BLOCK_WORDS",
    "ESCAPE",
    "HEADER",
    "LANGUAGE",
    "LONGEST_PRONUNCIATIONS",
    "LONGEST_WORD",
    "MAGIC",
    "SYMBOLS",
    "SYMBOL_BYTES",
    "Lexicon",
    "List",
    "Table",
    "look_up",
    "read",
    "read_file",
    "read_list",
    "spelled",
    "spellings",
]

MAGIC = b"g2plex\0\1"  # the last two bytes are the format's version
HEADER = struct.Struct("<8sII")  # MAGIC, bytes of the table, languages
LANGUAGE = struct.Struct("<32sIIII")  # code, offset of symbols, offset of blocks' offsets, blocks, words
BLOCK_WORDS = 16
SYMBOLS = 255
SYMBOL_BYTES = 8  # the first says how many of the others are the symbol
ESCAPE = 255  # in a coded text: the byte behind it stands for itself
LONGEST_WORD = 255  # bytes
LONGEST_PRONUNCIATIONS = 1000  # bytes, of all pronunciations of a word with the commas between them


class Lexicon(Protocol):
    """Words with their pronunciations. Words are in their language's form, in all but case."""

    def find(self, lang: str, word: str) -> list[str]:
        """The pronunciations of a word, the answer first. None if it does not have the word exactly as it is given."""


@dataclass(frozen=True)
class List:
    """A lexicon in memory: language → word → pronunciations."""

    words: Mapping[str, Mapping[str, Sequence[str]]]

    def find(self, lang: str, word: str) -> list[str]:
        """As `Lexicon.find`."""
        return list(self.words.get(lang, {}).get(word, ()))


@dataclass(frozen=True)
class _Language:
    """One language of a table: where its parts are."""

    symbols: int  # offset
    offsets: int  # offset of the blocks' offsets
    blocks: int
    words: int


class Table:
    """A lexicon as the build makes it. Opening checks its header; a look-up reads a block, and checks what it reads.

    Attributes:
        words: language → how many words it has.
    """

    def __init__(self, data: bytes | memoryview, name: str) -> None:
        """Checks the header.

        Args:
            data: the table; may be a mapped file's.
            name: for messages.

        Raises:
            InvalidLexicon: it is no table, or a damaged one.
        """
        self._data, self._name = data, name
        self._symbols: dict[str, list[bytes]] = {}
        if bytes(data[: len(MAGIC)]) != MAGIC:
            self._damaged("it does not begin as one of this version does")
        if len(data) < HEADER.size or len(data) != HEADER.unpack_from(data)[1]:
            self._damaged(f"it has {len(data)} bytes, which is not what it says")
        count = HEADER.unpack_from(data)[2]
        if HEADER.size + count * LANGUAGE.size > len(data):
            self._damaged(f"it has no room for {count} languages")
        self._languages = dict(self._language(HEADER.size + i * LANGUAGE.size) for i in range(count))
        if len(self._languages) != count:
            self._damaged("a language is there twice")
        self.words = {code: language.words for code, language in self._languages.items()}

    def find(self, lang: str, word: str) -> list[str]:
        """As `Lexicon.find`.

        Raises:
            InvalidLexicon: the table is damaged.
        """
        language, wanted = self._languages.get(lang), word.encode("utf-8", "surrogatepass")
        if language is None or not language.blocks:
            return []
        low, high = 0, language.blocks  # the word is in a block of this range
        while high - low > 1:
            half = (low + high) // 2
            first, _ = next(self._block(lang, language, half))
            low, high = (half, high) if first <= wanted else (low, half)
        for found, coded in self._block(lang, language, low):
            if found == wanted:
                return self._pronunciations(lang, coded)
        return []

    def entries(self, lang: str) -> Iterator[tuple[str, list[str]]]:
        """All words of a language with their pronunciations, in the table's order.

        Raises:
            InvalidLexicon: the table is damaged.
        """
        language = self._languages[lang]
        for number in range(language.blocks):
            for word, coded in self._block(lang, language, number):
                yield self._text(word), self._pronunciations(lang, coded)

    def _language(self, at: int) -> tuple[str, _Language]:
        code, symbols, offsets, blocks, words = LANGUAGE.unpack_from(self._data, at)
        size = len(self._data)
        if symbols + SYMBOLS * SYMBOL_BYTES > size or offsets + 4 * (blocks + 1) > size:
            self._damaged("a language's parts are beyond its end")
        if blocks != -(-words // BLOCK_WORDS):
            self._damaged(f"{words} words are not in {blocks} blocks")
        return self._text(code.rstrip(b"\0")), _Language(symbols, offsets, blocks, words)

    def _block(self, lang: str, language: _Language, number: int) -> Iterator[tuple[bytes, bytes]]:
        """The words of a block, each with its coded pronunciations."""
        at, end = struct.unpack_from("<II", self._data, language.offsets + 4 * number)
        if not at < end <= len(self._data):
            self._damaged("a block is beyond its end")
        word = b""
        for _ in range(min(BLOCK_WORDS, language.words - number * BLOCK_WORDS)):
            if end - at < 3:
                self._damaged("a block ends in the middle of a word")
            same, rest = self._data[at], self._data[at + 1]
            if same > len(word):
                self._damaged("a word begins with more bytes than the word before it has")
            at += 2
            word = word[:same] + self._expanded(lang, at, at + rest, end)
            at += rest
            if at >= end or not 0 < len(word) <= LONGEST_WORD:
                self._damaged("a block ends in the middle of a word")
            size = self._data[at]
            at += 1
            if size > 127:
                if at == end:
                    self._damaged("a block ends in the middle of a word")
                size = size & 127 | self._data[at] << 7
                at += 1
            if at + size > end:
                self._damaged("a block ends in the middle of a word")
            yield word, bytes(self._data[at : at + size])
            at += size

    def _expanded(self, lang: str, at: int, stop: int, end: int) -> bytes:
        if stop > end:
            self._damaged("a block ends in the middle of a word")
        return self._decoded(lang, bytes(self._data[at:stop]))

    def _decoded(self, lang: str, coded: bytes) -> bytes:
        symbols = self._symbols.get(lang) or self._read_symbols(lang)
        codes = iter(coded)
        try:
            return b"".join(symbols[code] if code != ESCAPE else bytes([next(codes)]) for code in codes)
        except (StopIteration, RuntimeError):
            self._damaged("a text ends in the middle of a byte")

    def _read_symbols(self, lang: str) -> list[bytes]:
        at = self._languages[lang].symbols
        found = []
        for place in range(at, at + SYMBOLS * SYMBOL_BYTES, SYMBOL_BYTES):
            size = self._data[place]
            if size >= SYMBOL_BYTES:
                self._damaged(f"a symbol has {size} bytes")
            found.append(bytes(self._data[place + 1 : place + 1 + size]))
        self._symbols[lang] = found
        return found

    def _pronunciations(self, lang: str, coded: bytes) -> list[str]:
        text = self._decoded(lang, coded)
        if len(text) > LONGEST_PRONUNCIATIONS:
            self._damaged("a word's pronunciations are too long")
        found = self._text(text).split(",")
        if not all(found):
            self._damaged("a pronunciation is empty")
        return found

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            self._damaged("a text is not UTF-8")

    def _damaged(self, why: str) -> NoReturn:
        raise InvalidLexicon(f"{self._name} is not a whole lexicon: {why}: build it again, or copy it again")


def read_file(path: Path) -> bytes:
    """The content of a lexicon's file.

    Raises:
        InvalidLexicon: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidLexicon(f"lexicon {path} cannot be read: {error.strerror or error}") from None


def read(data: bytes, name: str, lang: str | None, text: Mapping[str, Any] | None) -> Lexicon:
    """A lexicon from its data.

    Args:
        data: a table, or a list as for `read_list`.
        name: the file's, for messages.
        lang: the language of a list's words; None for a table, which has its own.
        text: ``model.text`` of the manifest of the model beside it.

    Raises:
        InvalidLexicon: the data are neither.
    """
    if data.startswith(MAGIC[:7]):
        if lang is not None:
            raise InvalidLexicon(f"{name} is a table, which has its own languages: name none, not {lang!r}")
        return Table(data, name)
    if lang is None:
        raise InvalidLexicon(f"{name} is a list of words: name their language")
    return List({lang: read_list(data, name, lang, text)})


def read_list(data: bytes, name: str, lang: str, text: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """A list of words: word → pronunciations, in the list's order.

    A line is a word, a tab, and its pronunciations with commas between them. The first line of a word counts.

    Args:
        data: UTF-8. A byte order mark and blank lines are skipped.
        name: the file's, for messages.
        lang: the language of the words.
        text: ``model.text`` of a manifest. The words are brought into that form, in all but case.

    Raises:
        InvalidLexicon: a line is none. The message says which, and why.
    """
    form = replace(form_of(text, lang), case="keep")
    found: dict[str, list[str]] = {}
    # Bytes are split first: str.splitlines also splits at characters such as U+2028.
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            word, pronunciations = _entry(line)
        except ValueError as error:
            raise InvalidLexicon(f"{name}:{number}: {error}") from None
        if pronunciations:
            written = in_form(form, word)
            if not 0 < len(written.encode()) <= LONGEST_WORD:
                raise InvalidLexicon(f"{name}:{number}: the word {word[:40]!r} must have 1 to {LONGEST_WORD} bytes")
            found.setdefault(written, pronunciations)
    return found


def _entry(line: bytes) -> tuple[str, list[str]]:
    """A line's word and pronunciations; none if the line is blank.

    Raises:
        ValueError: it is no such line. The message says why.
    """
    try:
        text = line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if not text.strip():
        return "", []
    word, tab, rest = text.partition("\t")
    if not tab or "\t" in rest:
        raise ValueError(f"one tab is needed, between the word and its pronunciations: {text.strip()[:60]!r}")
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in word + rest):
        raise ValueError(f"a control character is in {text[:60]!r}: remove it")
    pronunciations = [part.strip(" ") for part in rest.split(",")]
    if not all(pronunciations):
        raise ValueError(f"a pronunciation is empty: {text[:60]!r}")
    if len(rest.encode()) > LONGEST_PRONUNCIATIONS:
        raise ValueError(f"the pronunciations of {word[:40]!r} have more than {LONGEST_PRONUNCIATIONS} bytes")
    return word, pronunciations


def spellings(text: Mapping[str, Any] | None, word: str, lang: str) -> list[str]:
    """The ways in which lexicons are asked for a word: as it was typed, in its language's form, then in lower case.

    Args:
        text: ``model.text`` of a manifest.
        word: as it was typed.
        lang: the language's code.
    """
    form = form_of(text, lang)
    return list(dict.fromkeys((in_form(replace(form, case="keep"), word), in_form(form, word))))


def look_up(
    lexicons: Sequence[Lexicon], text: Mapping[str, Any] | None, word: str, lang: str
) -> tuple[int, list[str]] | None:
    """The first lexicon that has a word: its place among `lexicons`, and the word's pronunciations.

    The arguments are those of `spellings`.

    Raises:
        InvalidLexicon: a table is damaged.
    """
    keys = spellings(text, word, lang) if lexicons else []
    for place, lexicon in enumerate(lexicons):
        for key in keys:
            if found := lexicon.find(lang, key):
                return place, found
    return None


def spelled(text: Mapping[str, Any] | None, word: str, lang: str) -> str | None:
    """The names of a word's letters, for a word of 2 to 5 capitals that all have names. None for any other word.

    It is for words that no lexicon has. The arguments are those of `spellings`.
    """
    names: Mapping[str, str] = text["languages"].get(lang, {}).get("letters", {}) if text else {}
    typed = spellings(text, word, lang)[0] if names else ""
    found = [names.get(letter.lower()) if letter.lower() != letter else None for letter in typed]
    return "".join(filter(None, found)) if 2 <= len(found) <= 5 and all(found) else None
