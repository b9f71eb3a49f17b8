"""Runs a library for the Relax virtual machine: the loop around its functions, with numpy and tvm_ffi."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from g2p_build.runtime import tokenizer
from g2p_build.runtime.cancel import Cancel
from g2p_build.runtime.errors import Cancelled, EmptyWord, G2PError, InvalidWord, LibraryFailed
from g2p_build.runtime.lexicon import Lexicon, look_up, read, read_file, spelled
from g2p_build.runtime.results import Part, Result, Search, Source, Statistics
from g2p_build.runtime.vm import weights
from g2p_build.runtime.vm.greedy import Bound, States, bind, generate, plan
from g2p_build.runtime.vm.library import open_library, tensor_of

__all__ = ["VirtualMachine"]


class VirtualMachine:
    """One loaded variant. Threads may share it, but a lock lets only one group of words through at a time."""

    def __init__(
        self, data: Mapping[str, Any], library: Path, runtime: Path, weights_file: Path, lexicon: Path | None
    ) -> None:
        """Opens a library.

        Args:
            data: the manifest.
            library: path of the shared library.
            runtime: path of TVM's runtime library.
            weights_file: path of the safetensors file.
            lexicon: path of the variant's own lexicon, or None.

        Raises:
            InvalidWeights: the weights are not the ones that the functions take.
            InvalidManifest: the functions do not fit together.
            InvalidLexicon: the lexicon is damaged.
            LibraryFailed: the library or its runtime does not load.
        """
        self._data = data
        self._weights = weights.map_weights(weights_file)
        self._library = open_library(library, runtime, data["target"]["device_type"])
        self._tensors = {name: tensor_of(array) for name, array in self._weights.items()}
        self._bound: dict[tuple[int, int], Bound] = {}
        self._states: States = {}
        self._lock = threading.Lock()
        self._lexicons: list[tuple[Lexicon, Source]] = []  # the first first
        if lexicon is not None:
            self.add_lexicon(lexicon, None)
        self._buckets = sorted({function["input_len"] for function in data["functions"]})
        self._bind(data["variant"]["batch"][0], self._buckets[-1])  # so that mistakes show at load

    def texts(
        self, words: Sequence[str], lang: str | Sequence[str], threads: int, cancel: Cancel | None = None
    ) -> list[str]:
        """The phonemes of each word. The arguments and the errors are those of `tokens`."""
        known = [self._known(word, code) for word, code in _pairs(words, lang)]
        left = [number for number, found in enumerate(known) if found is None]
        langs = lang if isinstance(lang, str) else [lang[number] for number in left]
        spoken = iter(self.tokens([words[number] for number in left], langs, threads, cancel))
        return [found[0] if found else tokenizer.decode(self._data["model"], next(spoken)) for found in known]

    def tokens(
        self, words: Sequence[str], lang: str | Sequence[str], threads: int, cancel: Cancel | None = None
    ) -> list[list[int]]:
        """The ids generated for each word.

        Args:
            words: the words to pronounce.
            lang: one language for all words, or a sequence with one for each.
            threads: not used: the functions of the virtual machine run one group of words at a time.
            cancel: stops the call after the group that runs.

        Raises:
            UnknownLanguage, EmptyWord, InvalidWord, WordTooLong: the first wrong word.
        """
        prompts = [tokenizer.encode(self._data["model"], word, code) for word, code in _pairs(words, lang)]
        return [ids for ids, _ in self._generated(prompts, False, cancel)]

    def results(
        self,
        words: Sequence[str],
        lang: str | Sequence[str],
        threads: int,
        scores: bool,
        cancel: Cancel | None = None,
    ) -> list[Result]:
        """All that is known of each word: `Engine.results`."""
        found: list[Result] = []
        prompts: dict[int, list[int]] = {}  # by the word's number
        for number, (word, code) in enumerate(_pairs(words, lang)):
            try:
                known = self._known(word, code)
                if known is None:
                    prompts[number] = tokenizer.encode(self._data["model"], word, code)
                found.append(Result(word, code, *(known or ("",))))
            except G2PError as error:
                found.append(Result(word, code, "", error=error))
        for number, (ids, score) in zip(prompts, self._generated(list(prompts.values()), scores, cancel), strict=True):
            ended = ids[-1:] == [self._data["model"]["eos_id"]]
            found[number] = replace(
                found[number],
                phonemes=tokenizer.decode(self._data["model"], ids),
                truncated=not ended,
                repeats=_ends_in_loop(ids[:-1] if ended else ids),
                score=score if scores else None,
            )
        return found

    def add_lexicon(self, source: Path | bytes, lang: str | None) -> None:
        """Adds a lexicon, which comes before those that were added earlier: `Engine.add_lexicon`."""
        if lang is not None:
            lang = tokenizer.language(self._data["model"], lang)
        name, data = ("the list", source) if isinstance(source, bytes) else (str(source), read_file(source))
        lexicon = read(data, name, lang, self._data["model"]["text"])
        self._lexicons.insert(0, (lexicon, "lexicon" if lang is None else "user"))

    def cache_words(self, words: int) -> None:
        """Raises `LibraryFailed`: words are kept by the core of a standalone library."""
        raise LibraryFailed("a variant for the virtual machine keeps no words: build it with target.engine=standalone")

    def guess(self, word: str, lang: str) -> str:
        """Nothing: this engine takes a token at a time."""
        tokenizer.encode(self._data["model"], word, lang)
        return ""

    def statistics(self) -> Statistics | None:
        """None: it does not count."""
        return None

    def best(
        self,
        words: Sequence[str],
        lang: str | Sequence[str],
        threads: int,
        search: Search,
        cancel: Cancel | None = None,
    ) -> list[list[Result]]:
        """Raises `LibraryFailed`: the search is in the core of a standalone library."""
        raise LibraryFailed("a variant for the virtual machine has no search: build it with target.engine=standalone")

    def split(self, text: str) -> list[Part]:
        """Raises `LibraryFailed`: texts are split by the core of a standalone library."""
        raise LibraryFailed("a variant for the virtual machine splits no texts: build it with target.engine=standalone")

    def look_up(self, word: str, lang: str) -> tuple[list[str], Source]:
        """All pronunciations of a word in the first lexicon that has it: `Engine.look_up`."""
        tokenizer.check(self._data["model"], word, lang)
        lexicons = [lexicon for lexicon, _ in self._lexicons]
        code = tokenizer.language(self._data["model"], lang)
        found = look_up(lexicons, self._data["model"]["text"], word, code)
        return (found[1], self._lexicons[found[0]][1]) if found else ([], "lexicon")

    def _known(self, word: str, lang: str) -> tuple[str, Source] | None:
        """What lexicons, or the names of letters, say of a word; None if it is left to the model."""
        try:
            pronunciations, source = self.look_up(word, lang)
        except (EmptyWord, InvalidWord):
            return None  # the model refuses it too
        if pronunciations:
            return pronunciations[0], source
        names = spelled(self._data["model"]["text"], word, tokenizer.language(self._data["model"], lang))
        return (names, "letters") if names else None

    def _generated(
        self, prompts: list[list[int]], scored: bool, cancel: Cancel | None
    ) -> list[tuple[list[int], float]]:
        """The ids generated for each prompt, and their score; 0 unless `scored`."""
        # Words of like length go together: their pronunciations end at about the same step.
        order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
        result: list[tuple[list[int], float]] = [([], 0.0)] * len(prompts)
        for size in plan(len(prompts), self._data["variant"]["batch"]):
            if cancel is not None and cancel.cancelled:
                raise Cancelled("the call was cancelled")
            group, order = order[:size], order[size:]
            bucket = min(length for length in self._buckets if length >= len(prompts[group[0]]))
            scores: list[float] = []
            with self._lock:
                bound, given = self._bind(size, bucket), [prompts[number] for number in group]
                rows = generate(bound, given, self._data["model"], scores if scored else None)
            for number, ids, score in zip(group, rows, scores if scored else [0.0] * len(rows), strict=True):
                result[number] = (ids, score)
        return result

    def _bind(self, batch: int, bucket: int) -> Bound:
        if (batch, bucket) not in self._bound:
            self._bound[batch, bucket] = bind(
                self._data["functions"],
                self._library,
                self._weights,
                self._tensors,
                batch,
                bucket,
                self._data["model"]["max_output_len"],
                self._states,
            )
        return self._bound[batch, bucket]


def _pairs(words: Sequence[str], lang: str | Sequence[str]) -> list[tuple[str, str]]:
    """Each word with its language."""
    return [(word, lang) for word in words] if isinstance(lang, str) else list(zip(words, lang, strict=True))


def _ends_in_loop(ids: Sequence[int]) -> bool:
    """Whether ids end in one part, of three or more, four times or more."""
    return any(list(ids[-4 * part :]) == list(ids[-part:]) * 4 for part in range(3, len(ids) // 4 + 1))
