"""Runs a library for the Relax virtual machine: the loop around its functions, with numpy and tvm_ffi."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from g2p_build.runtime import tokenizer
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
        self._bind(data["variant"]["batch"][0], self._buckets[-1])  # so that mistakes show at load

    def texts(self, words: Sequence[str], lang: str | Sequence[str], threads: int) -> list[str]:
        """The phonemes of each word. The arguments and the errors are those of `tokens`."""
        return [tokenizer.decode(self._data["model"], ids) for ids in self.tokens(words, lang, threads)]

    def tokens(self, words: Sequence[str], lang: str | Sequence[str], threads: int) -> list[list[int]]:
        """The ids generated for each word.

        Args:
            words: the words to pronounce.
            lang: one language for all words, or a sequence with one for each.
            threads: not used: the functions of the virtual machine run one group of words at a time.

        Raises:
            UnknownLanguage, EmptyWord, InvalidWord, WordTooLong: the first wrong word.
        """
        model = self._data["model"]
        langs = [lang] * len(words) if isinstance(lang, str) else lang
        prompts = [tokenizer.encode(model, word, code) for word, code in zip(words, langs, strict=True)]
        # Words of like length go together: their pronunciations end at about the same step.
        order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
        result: list[list[int]] = [[] for _ in prompts]
        for size in plan(len(prompts), self._data["variant"]["batch"]):
            group, order = order[:size], order[size:]
            bucket = min(length for length in self._buckets if length >= len(prompts[group[0]]))
            with self._lock:
                rows = generate(self._bind(size, bucket), [prompts[number] for number in group], model)
            for number, ids in zip(group, rows, strict=True):
                result[number] = ids
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
