"""Runs a library for the Relax virtual machine: the loop around its functions, with numpy and tvm_ffi."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from g2p_build.runtime import lexicon as lexicons
from g2p_build.runtime import tokenizer
from g2p_build.runtime.errors import G2PError
from g2p_build.runtime.results import Result, Source, ends_in_loop
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
            InvalidLexicon: the lexicon is damaged.
            InvalidManifest: the functions do not fit together.
            LibraryFailed: the library or its runtime does not load.
        """
        self._data = data
        self._weights = weights.map_weights(weights_file)
        self._library = open_library(library, runtime, data["target"]["device_type"])
        self._tensors = {name: tensor_of(array) for name, array in self._weights.items()}
        self._bound: dict[tuple[int, int], Bound] = {}
        self._states: States = {}
        self._lock = threading.Lock()
        self._buckets = sorted({function["input_len"] for function in data["functions"]})
        self._lexicons: list[lexicons.Lexicon] = []  # the first one comes first
        if lexicon is not None:
            self.add_lexicon(lexicon, None)
        self._bind(data["variant"]["batch"][0], self._buckets[-1])  # so that mistakes show at load

    def texts(self, words: Sequence[str], lang: str | Sequence[str], threads: int) -> list[str]:
        """The phonemes of each word. The arguments and the errors are those of `tokens`."""
        langs = _each(lang, words)
        for word, code in zip(words, langs, strict=True):
            wrong = self._prepared(word, code).error
            if wrong is not None:
                raise wrong
        return [result.phonemes for result in self.results(words, langs, threads, False)]

    def tokens(self, words: Sequence[str], lang: str | Sequence[str], threads: int) -> list[list[int]]:
        """The ids that the model generates for each word.

        Args:
            words: the words to pronounce.
            lang: one language for all words, or a sequence with one for each.
            threads: not used: the functions of the virtual machine run one group of words at a time.

        Raises:
            UnknownLanguage, EmptyWord, InvalidWord, ForeignCharacter, WordTooLong: the first wrong word.
        """
        model = self._data["model"]
        prompts = [tokenizer.encode(model, word, code) for word, code in zip(words, _each(lang, words), strict=True)]
        return [ids for ids, _ in self._generate(prompts, False)]

    def results(self, words: Sequence[str], lang: str | Sequence[str], threads: int, scores: bool) -> list[Result]:
        """All that is known of each word: `Engine.results`."""
        model = self._data["model"]
        found = [self._prepared(word, code) for word, code in zip(words, _each(lang, words), strict=True)]
        places = [place for place, one in enumerate(found) if one.error is None and one.source == "model"]
        prompts = [tokenizer.encode(model, found[place].word, found[place].lang) for place in places]
        for place, (ids, score) in zip(places, self._generate(prompts, scores), strict=True):
            ended = ids[-1] == model["eos_id"]
            found[place] = replace(
                found[place],
                phonemes=tokenizer.decode(model, ids),
                truncated=not ended,
                repeats=ends_in_loop(ids[:-1] if ended else ids),
                score=score / len(ids) if scores else None,
            )
        return found

    def add_lexicon(self, source: Path | bytes, lang: str | None) -> None:
        """Adds a lexicon, which comes before those that were added earlier: `Engine.add_lexicon`."""
        if isinstance(source, bytes):
            assert lang is not None
            text = self._data["model"]["text"]
            added: lexicons.Lexicon = lexicons.List({lang: lexicons.read_list(source, "the lexicon", lang, text)})
        else:
            added = lexicons.read(source, lang, self._data["model"]["text"])
        if lang is not None:
            tokenizer.check(self._data["model"], "a", lang)
        self._lexicons.insert(0, added)

    def look_up(self, word: str, lang: str) -> tuple[list[str], Source]:
        """All pronunciations of a word in the first lexicon that has it, and which kind of lexicon that is."""
        tokenizer.check(self._data["model"], word, lang)
        found = lexicons.look_up(self._lexicons, self._data["model"]["text"], word, lang)
        if found is None:
            return [], "lexicon"
        place, pronunciations = found
        return pronunciations, "lexicon" if isinstance(self._lexicons[place], lexicons.Table) else "user"

    def _prepared(self, word: str, lang: str) -> Result:
        """What is known of a word before the model is asked: it is wrong, or has a pronunciation, or neither."""
        model = self._data["model"]
        try:
            known, source = self.look_up(word, lang)
            if known:
                return Result(word, lang, known[0], source)
            spelled = lexicons.spelled(model["text"], word, lang)
            if spelled is not None:
                return Result(word, lang, spelled, "letters")
            tokenizer.encode(model, word, lang)
        except G2PError as error:
            return Result(word, lang, "", error=error)
        return Result(word, lang, "")

    def _generate(self, prompts: Sequence[list[int]], scores: bool) -> list[tuple[list[int], float]]:
        """The ids that the model generates after each prompt, and the sum of their log-probabilities, or 0."""
        # Words of like length go together: their pronunciations end at about the same step.
        order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
        result: list[tuple[list[int], float]] = [([], 0.0) for _ in prompts]
        for size in plan(len(prompts), self._data["variant"]["batch"]):
            group, order = order[:size], order[size:]
            bucket = min(length for length in self._buckets if length >= len(prompts[group[0]]))
            sums = [0.0] * len(group) if scores else None
            with self._lock:
                rows = generate(
                    self._bind(size, bucket), [prompts[number] for number in group], self._data["model"], sums
                )
            for number, ids, total in zip(group, rows, sums or [0.0] * len(group), strict=True):
                result[number] = ids, total
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


def _each(lang: str | Sequence[str], words: Sequence[str]) -> Sequence[str]:
    return [lang] * len(words) if isinstance(lang, str) else lang
