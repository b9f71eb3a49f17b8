"""From a manifest to an object that turns words into phonemes."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from g2p_build.runtime import archive, index, tokenizer, vm, weights
from g2p_build.runtime.errors import InvalidArchive, InvalidManifest, NotLinked
from g2p_build.runtime.greedy import Bound, States, bind, generate, plan
from g2p_build.runtime.manifest import read

__all__ = ["G2P", "load"]


def load(manifest: str | PathLike[str] | None = None) -> "G2P":
    """Opens the variant that a manifest describes.

    Both archives are checked against the manifest before either is opened; they are unpacked once, into a cache by
    digest; the weights are mapped, not copied.

    Args:
        manifest: path of the manifest; without it, the index's default for this machine: see `index.choose`.

    Raises:
        G2PError: one of its subclasses, a class for each cause.
    """
    found, digest = index.default_manifest() if manifest is None else (Path(manifest), None)
    data = read(found)
    if digest not in (None, data["digest"]):
        raise InvalidManifest(f"{found}: not the manifest that its index lists: build the variant again")
    if data["target"]["library"] == "objects":
        raise NotLinked(
            f"{data['name']} holds object files for {data['target']['triple']}, to be linked by an app's own tools: "
            "it does not run here, load a variant whose target.library is 'shared'"
        )
    index.check_target(data["target"])
    entries = {part: (archive.find(found, entry["file"]), entry) for part, entry in data["archives"].items()}
    for place, entry in entries.values():
        archive.verify(place, entry["sha256"], entry["size"])
    files = data["files"]
    members = {"library": [*files["library"], files["runtime"], files["tokenizer"]], "weights": [files["weights"]]}
    folders = {
        part: archive.unpack(place, entry["sha256"], entry["size"], members[part])
        for part, (place, entry) in entries.items()
    }
    _check_tokenizer(folders["library"] / files["tokenizer"], data["model"])
    mapped = weights.map_weights(folders["weights"] / files["weights"])
    library = vm.open_library(
        folders["library"] / files["library"][0], folders["library"] / files["runtime"], data["target"]["device_type"]
    )
    return G2P(data, library, mapped)


def _check_tokenizer(path: Path, model: Mapping[str, Any]) -> None:
    try:
        same = json.loads(path.read_bytes()) == model
    except ValueError:
        same = False
    if not same:
        raise InvalidArchive(f"{path.name} in the library archive is not the manifest's model object")


class G2P:
    """One loaded variant: a callable from words to phonemes.

    Threads may share one: a lock lets one group of words through at a time. Made by `load`.

    Attributes:
        manifest: the manifest, as read.
    """

    def __init__(self, data: dict[str, Any], library: Callable[[str], Any], mapped: dict[str, np.ndarray]) -> None:
        self.manifest = data
        self._library = library
        self._weights = mapped
        self._tensors = {name: vm.tensor_of(array) for name, array in mapped.items()}
        self._bound: dict[tuple[int, int], Bound] = {}
        self._states: States = {}
        self._lock = threading.Lock()
        self._bind(data["variant"]["batch"][0], data["model"]["input_buckets"][-1])  # what is wrong shows at load

    @property
    def languages(self) -> tuple[str, ...] | None:
        """The language codes that the checkpoint knows; None where it does not say, and then any code is taken."""
        languages = self.manifest["model"]["languages"]
        return None if languages is None else tuple(languages)

    @property
    def limits(self) -> dict[str, Any]:
        """``input``: bytes of the prompt with the word in it; ``output``: ids with the start id; ``batch``: sizes."""
        return {**self.manifest["variant"]["max_lens"], "batch": list(self.manifest["variant"]["batch"])}

    def info(self) -> dict[str, Any]:
        """What this variant is, as plain data: its name, fields, target, checkpoint, languages, sizes, verification."""
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

    def __call__(self, words: Iterable[str], lang: str = "eng-us") -> list[str]:
        """The phonemes of each word, in the order of the words.

        Raises:
            UnknownLanguage, EmptyWord, InvalidWord, WordTooLong: for the first word that is wrong; none is pronounced.
            TypeError: ``words`` is one string, or holds something else.
        """
        model = self.manifest["model"]
        return [tokenizer.decode(model, ids) for ids in self.tokens(words, lang)]

    def check(self, word: str, lang: str = "eng-us") -> None:
        """Raises what `__call__` would raise for this word, and does nothing else."""
        tokenizer.encode(self.manifest["model"], word, lang)

    def tokens(self, words: Iterable[str], lang: str = "eng-us") -> list[list[int]]:
        """The ids generated for each word, in the order of the words.

        They are those of transformers' greedy ``generate(max_length=max_output_len)`` after the start id: with the end
        id where it was produced (a pronunciation that reaches the bound has none), without padding.

        Raises:
            As `__call__`.
        """
        if isinstance(words, str):
            raise TypeError(f"words is a list of words, not one string: [{words!r}]")
        model = self.manifest["model"]
        prompts = [tokenizer.encode(model, word, lang) for word in words]
        # Words of like length together: their pronunciations end at about the same step.
        order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
        result: list[list[int]] = [[] for _ in prompts]
        for size in plan(len(prompts), self.manifest["variant"]["batch"]):
            group, order = order[:size], order[size:]
            bucket = min(length for length in model["input_buckets"] if length >= len(prompts[group[0]]))
            with self._lock:
                rows = generate(self._bind(size, bucket), [prompts[number] for number in group], model)
            for number, ids in zip(group, rows, strict=True):
                result[number] = ids
        return result

    def _bind(self, batch: int, bucket: int) -> Bound:
        if (batch, bucket) not in self._bound:
            output_len = self.manifest["model"]["max_output_len"]
            self._bound[batch, bucket] = bind(
                self.manifest["functions"],
                self._library,
                self._weights,
                self._tensors,
                batch,
                bucket,
                output_len,
                self._states,
            )
        return self._bound[batch, bucket]
