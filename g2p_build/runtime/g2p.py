"""One loaded variant: an object that turns words into phonemes."""

import dataclasses
import functools
import itertools
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from g2p_build.runtime import standalone, tokenizer
from g2p_build.runtime.cancel import Cancel
from g2p_build.runtime.engine import Engine
from g2p_build.runtime.errors import Closed, ForeignCharacter, G2PError, InvalidLexicon, LibraryFailed, WordTooLong
from g2p_build.runtime.results import Part, Result, Search, Statistics

__all__ = ["G2P", "MOST_BEAMS"]

MOST_CACHED = 1 << 24  # words
MOST_BEAMS = 64

STREAMED = 512
"""Words that `G2P.stream` takes together."""


class G2P:
    """One loaded variant: a callable from words to phonemes. Threads may share one. Made by `load`.

    It can be sent to another process (pickled): it is loaded there again. Used in a `with` statement, it is closed at
    the end.

    Attributes:
        manifest: the manifest, as read.
    """

    def __init__(
        self,
        data: dict[str, Any],
        engine: Engine,
        threads: int,
        private: Callable[[], Engine],
        again: tuple[Callable[..., "G2P"], tuple[Any, ...]],
    ) -> None:
        """Made by `load`.

        Args:
            data: the manifest.
            engine: what runs the variant; others may share it.
            threads: how many threads may work on a list.
            private: gives an engine that nobody else has.
            again: what loads the same variant in another process, and its arguments.
        """
        self.manifest = data
        self._open: Engine | None = engine
        self._threads, self._again = threads, again
        self._cached = 0  # words
        self._private: Callable[[], Engine] | None = private  # until it has been called

    def __reduce__(self) -> tuple[Any, ...]:
        if self._private is None:
            raise TypeError(
                "a G2P with words of your own cannot be sent to another process: load it there, and add them"
            )
        return self._again

    def __enter__(self) -> "G2P":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the model. Its memory is freed when no other object of the same manifest, and no call, uses it."""
        self._open = None

    @property
    def _engine(self) -> Engine:
        if self._open is None:
            raise Closed(f"{self.manifest['name']} is closed: load it again")
        return self._open

    @property
    def languages(self) -> tuple[str, ...] | None:
        """The language codes that the checkpoint knows. None: it does not say, and any code is accepted."""
        languages = self.manifest["model"]["languages"]
        return None if languages is None else tuple(languages)

    @property
    def limits(self) -> dict[str, Any]:
        """The variant's bounds.

        ``input``: the most bytes of the prompt with its word. ``output``: the most ids, with the start id. ``batch``:
        the batch sizes.
        """
        return {**self.manifest["variant"]["max_lens"], "batch": list(self.manifest["variant"]["batch"])}

    def info(self) -> dict[str, Any]:
        """Facts about this variant as plain data: name, fields, target, checkpoint, languages, sizes, verification."""
        data = self.manifest
        return {
            "name": data["name"],
            **data["variant"],
            "target": data["target"],
            "checkpoint": data["checkpoint"],
            "prompt": data["model"]["prompt"],
            "languages": data["model"]["languages"],
            "sizes": {part: entry["size"] for part, entry in data["archives"].items()},
            "toolchain": data["toolchain"],
            "verification": data["verification"],
            "digest": data["digest"],
        }

    def __call__(
        self, words: Iterable[str], lang: str | Sequence[str] = "eng-us", *, cancel: Cancel | None = None
    ) -> list[str]:
        """The phonemes of each word, in the order of the words.

        Ctrl-C ends the call. What had been pronounced is lost then: see `stream`.

        Args:
            words: the words to pronounce.
            lang: one language for all words, or a list with one for each.
            cancel: stops the call from another thread.

        Raises:
            UnknownLanguage, EmptyWord, InvalidWord, WordTooLong: the first wrong word. Then no word is pronounced.
            TypeError: ``words`` is a single string, or something in it is not a string.
            ValueError: the number of languages is not the number of words.
            Cancelled: ``cancel`` stopped the call.
        """
        words = _listed(words)
        lang = _languages(lang, words)
        try:
            return self._engine.texts(words, lang, self._threads, cancel)
        except standalone.WordError as error:
            raise self._explained(words, lang, error) from None

    def results(
        self,
        words: Iterable[str],
        lang: str | Sequence[str] = "eng-us",
        *,
        scores: bool = False,
        cancel: Cancel | None = None,
    ) -> list[Result]:
        """As `__call__`, but with all that is known of each word. A wrong word has its own error, and ends nothing.

        Args:
            words: the words to pronounce.
            lang: one language for all words, or a list with one for each.
            scores: whether the results have scores. They cost some 2 % of a word's time.
            cancel: stops the call from another thread.

        Raises:
            TypeError, ValueError, Cancelled: as `__call__`.
        """
        words = _listed(words)
        lang = _languages(lang, words)
        found = self._engine.results(words, lang, self._threads, scores, cancel)
        return [result if result.error is None else self._with_own_error(result) for result in found]

    def best(
        self,
        words: Iterable[str],
        lang: str | Sequence[str] = "eng-us",
        *,
        n: int = 3,
        beams: int | None = None,
        early_stopping: bool = False,
        cancel: Cancel | None = None,
    ) -> list[list[Result]]:
        """The ``n`` best pronunciations of each word, the best first, with their scores.

        They are found by beam search: what is looked at, and the ids and scores that are found, are those of
        transformers' ``generate(num_beams=beams, num_return_sequences=n, early_stopping=early_stopping)``. Two of a
        word's pronunciations may have the same phonemes by different ids. A word that a lexicon has gets up to ``n``
        pronunciations from there, without scores. A wrong word has one result, with its error, and ends nothing.

        Args:
            words: the words to pronounce.
            lang: one language for all words, or a list with one for each.
            n: how many pronunciations of each word, at most ``beams``.
            beams: how many beginnings are kept at each step, 1 to 64. The default is 4, or ``n`` if that is more.
            early_stopping: whether a search ends as soon as ``beams`` pronunciations are whole. Otherwise it goes on
                until no beginning has a better score than the last of them.
            cancel: stops the call from another thread.

        Raises:
            ValueError: ``n`` or ``beams`` is out of its range.
            LibraryFailed: the variant was built with ``kv_cache=false``, or runs on the virtual machine.
            TypeError, Cancelled: as `__call__`.
        """
        if beams is None:
            beams = max(4, operator.index(n))
        if not 1 <= operator.index(beams) <= MOST_BEAMS:
            raise ValueError(f"beams={beams}: give 1 to {MOST_BEAMS}")
        if not 1 <= operator.index(n) <= beams:
            raise ValueError(f"n={n}: give 1 to {beams}, or more beams")
        words = _listed(words)
        lang = _languages(lang, words)
        found = self._engine.best(words, lang, self._threads, Search(n, beams, early_stopping), cancel)
        return [[one if one.error is None else self._with_own_error(one) for one in each] for each in found]

    def stream(
        self,
        words: Iterable[str],
        lang: str = "eng-us",
        *,
        scores: bool = False,
        cancel: Cancel | None = None,
    ) -> Iterator[Result]:
        """The results of any number of words, in their order, each soon after its word was taken.

        Words are taken some hundreds at a time, so memory stays the same however many there are. Whoever stops in the
        middle, by Ctrl-C too, keeps what came before.

        Args:
            words: the words to pronounce.
            lang: their language.
            scores: as `results`.
            cancel: stops the stream from another thread.

        Raises:
            TypeError, Cancelled: as `__call__`.
        """
        if isinstance(words, str):
            raise TypeError(f"words is a list of words, not one string: [{words!r}]")
        rest = iter(words)
        while group := list(itertools.islice(rest, STREAMED)):
            yield from self.results(group, lang, scores=scores, cancel=cancel)

    async def results_async(
        self, words: Iterable[str], lang: str | Sequence[str] = "eng-us", *, scores: bool = False
    ) -> list[Result]:
        """As `results`, for asyncio: other tasks go on meanwhile, and cancelling the task ends the call."""
        import asyncio  # late: most apps do without

        cancel = Cancel()
        call = functools.partial(self.results, words, lang, scores=scores, cancel=cancel)
        running = asyncio.get_running_loop().run_in_executor(None, call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            cancel.cancel()
            await asyncio.wait([running])
            running.exception()  # it was cancelled, or had just ended
            raise

    def text(
        self, text: str, lang: str = "eng-us", *, scores: bool = False, cancel: Cancel | None = None
    ) -> list[Part]:
        """The parts of a text: words with their pronunciations, and what is between them.

        Parts end at Unicode's word boundaries. Numbers are not pronounced: write them out. Letters of a script without
        spaces between words, such as Thai, are one word up to the next space or mark. ``docs/text.md`` has the rules.

        Args:
            text: of any length.
            lang: the language of its words.
            scores: as `results`.
            cancel: stops the call from another thread.

        Raises:
            TypeError: ``text`` is no string.
            InvalidWord: it holds half a surrogate pair.
            LibraryFailed: the variant runs on the virtual machine, which has no code for it.
            Cancelled: as `__call__`.
        """
        if not isinstance(text, str):
            raise TypeError(f"text is a string, not {type(text).__name__}")
        parts = self._engine.split(text)
        results = iter(self.results([p.text for p in parts if p.kind == "word"], lang, scores=scores, cancel=cancel))
        return [dataclasses.replace(part, result=next(results)) if part.kind == "word" else part for part in parts]

    def interface(self) -> standalone.Interface:
        """What a speech library calls of this variant's: for `tts.TTS.phonemes`.

        Raises:
            LibraryFailed: the variant runs on the virtual machine, which has no such library.
        """
        if not isinstance(self._engine, standalone.Model):
            raise LibraryFailed(
                f"{self.manifest['name']} runs on TVM's virtual machine, which splits no text: build a variant with "
                "target.engine=standalone"
            )
        return self._engine.interface()

    def add_lexicon(self, file: str | PathLike[str], lang: str | None = None) -> None:
        """Adds a file of words that are not left to the model. It comes before those that were added earlier.

        Only this object gets it, even if others were loaded from the same manifest.

        Args:
            file: a table (``*.g2plex``), or UTF-8 text with a word a line: the word, a tab, and its pronunciations with
                commas between them. The first of them is the answer.
            lang: the language of a text's words. None for a table, which has its own languages.

        Raises:
            InvalidLexicon: the file cannot be read, or is no lexicon. The message names the line.
            UnknownLanguage: the model does not know the language.
            ValueError: a text without a language, or a table with one.
        """
        from g2p_build.runtime.lexicon import MAGIC  # late: most apps add none

        place = Path(file)
        try:
            with place.open("rb") as opened:
                is_table = opened.read(len(MAGIC)).startswith(MAGIC[:-1])  # of any version
        except OSError as error:
            raise InvalidLexicon(f"{place}: cannot be read: {error.strerror}") from None
        if is_table and lang is not None:
            raise ValueError(f"{place.name} is a table, which has its own languages: give no lang")
        if not is_table and lang is None:
            raise ValueError(f"{place.name} is a list of words: give their language as lang")
        self._own_engine().add_lexicon(place, lang)

    def add_words(self, words: Mapping[str, str | Sequence[str]], lang: str) -> None:
        """Adds words with their pronunciations, as `add_lexicon` does with a file of them.

        Args:
            words: word → its pronunciation, or several, the first of which is the answer.
            lang: their language.

        Raises:
            InvalidLexicon: a word or a pronunciation is none. The message names its line, from 1.
        """
        lines = (_line(number, word, said) for number, (word, said) in enumerate(words.items(), 1))
        self._own_engine().add_lexicon("".join(lines).encode("utf-8", "surrogatepass"), lang)

    def language(self, lang: str) -> str:
        """The model's own code for a BCP 47 tag: ``eng-us`` for ``en-US``. Every call takes both.

        Raises:
            UnknownLanguage: the model does not know the language, or the tag may mean several. The message names them.
        """
        return tokenizer.language(self.manifest["model"], lang)

    def cache_words(self, words: int) -> None:
        """Keeps what the model said of the ``words`` words that were used last, so that it need not say it again.

        Nothing is kept unless this is called. Results are the same, ids and scores too; only `Result.passes`, `drafted`
        and `accepted` are 0. Words of your own come before what is kept. Objects of the same manifest share the cache.

        Args:
            words: how many; 0 for none. The memory for them is taken at once: half a kilobyte each, and more with
                larger bounds.

        Raises:
            ValueError: ``words`` is below 0 or above 16,777,216.
            LibraryFailed: there is no memory for so many; or the variant runs on the virtual machine, which keeps none.
        """
        if not 0 <= operator.index(words) <= MOST_CACHED:
            raise ValueError(f"words={words}: give 0 to {MOST_CACHED}")
        self._engine.cache_words(words)
        self._cached = words

    def look_up(self, word: str, lang: str = "eng-us") -> list[str]:
        """All pronunciations of a word in the first lexicon that has it, the answer first; none if no lexicon has it.

        Raises:
            UnknownLanguage, EmptyWord, InvalidWord: as `__call__`.
        """
        return self._engine.look_up(word, lang)[0]

    def guess(self, word: str, lang: str = "eng-us") -> str:
        """What the variant's draft table guesses for a word; empty where it has none. What is said is the model's own.

        Raises:
            UnknownLanguage, EmptyWord, InvalidWord, WordTooLong: as `__call__`.
        """
        return self._engine.guess(word, lang)

    @property
    def statistics(self) -> Statistics | None:
        """What the model has done since it was opened, for all that share it. None: what runs it does not count."""
        return self._engine.statistics()

    def check(self, word: str, lang: str = "eng-us") -> None:
        """Raises what `__call__` would raise for this word. Does nothing else."""
        try:
            tokenizer.encode(self.manifest["model"], word, lang)
        except (ForeignCharacter, WordTooLong):
            if not self.look_up(word, lang):
                raise

    def _own_engine(self) -> Engine:
        """The engine, after it has been made sure that nobody else has the same one."""
        if self._private is not None:
            self._engine  # noqa: B018 - not when it is closed
            self._open, self._private = self._private(), None
            if self._cached:
                self._open.cache_words(self._cached)
        return self._engine

    def _with_own_error(self, result: Result) -> Result:
        """The runtime's own error in place of the library's. It shows the word as Python prints it."""
        try:
            tokenizer.encode(self.manifest["model"], result.word, result.lang)
        except G2PError as better:
            return dataclasses.replace(result, error=better)
        return result

    def tokens(self, words: Iterable[str], lang: str | Sequence[str] = "eng-us") -> list[list[int]]:
        """The ids generated for each word, in the order of the words.

        They equal the ids that transformers' greedy ``generate(max_length=max_output_len)`` gives after the start id,
        without padding. The end id is included; only a pronunciation that reaches the bound has none.

        Raises:
            The same errors as `__call__`.
        """
        words = _listed(words)
        lang = _languages(lang, words)
        try:
            return self._engine.tokens(words, lang, self._threads)
        except standalone.WordError as error:
            raise self._explained(words, lang, error) from None

    def _explained(self, words: list[str], lang: str | list[str], error: standalone.WordError) -> Exception:
        """The runtime's own error for a word that the library refused. It shows the word as Python prints it."""
        try:
            self.check(words[error.word], lang if isinstance(lang, str) else lang[error.word])
        except G2PError as better:
            return better
        return error.error


def _line(number: int, word: str, said: str | Sequence[str]) -> str:
    """A line of a list. A tab or a line end would be taken for the end of something, a blank line would be skipped."""
    pronunciations = said if isinstance(said, str) else ",".join(said)
    if re.search(r"[\t\r\n]", word + pronunciations):
        wrong = "holds a tab or a line end: give a word and its pronunciations without them"
        raise InvalidLexicon(f"the lexicon: line {number}: {word!r} {wrong}")
    if not word.strip():
        raise InvalidLexicon(f"the lexicon: line {number}: {word!r} is no word: give at least one letter")
    return f"{word}\t{pronunciations}\n"


def _listed(words: Iterable[str]) -> list[str]:
    if isinstance(words, str):
        raise TypeError(f"words is a list of words, not one string: [{words!r}]")
    listed = list(words)
    for word in listed:
        if not isinstance(word, str):
            raise TypeError(f"a word is a string, not {word!r}")
    return listed


def _languages(lang: str | Sequence[str], words: list[str]) -> str | list[str]:
    """Checks `lang`. Returns one language for all words unchanged, or a list with one for each word."""
    if isinstance(lang, str):
        return lang
    listed = list(lang)
    for one in listed:
        if not isinstance(one, str):
            raise TypeError(f"a language is a string, not {one!r}")
    if len(listed) != len(words):
        raise ValueError(f"{len(listed)} languages for {len(words)} words: give one for all, or one for each")
    return listed
