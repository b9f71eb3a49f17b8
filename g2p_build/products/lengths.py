"""How long a list's words are for a model: tokens in and out, and the bounds that hold them."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from g2p_build import graph
from g2p_build.config.resolve import on_this_machine
from g2p_build.config.variant import MaxLens, Variant
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError
from g2p_build.runtime import G2PError, tokenizer
from g2p_build.runtime.errors import UnknownLanguage

__all__ = ["STEP", "Bound", "Lengths", "bounds", "holding", "measured", "quantile"]

STEP = 8
"""Suggested bounds are multiples of this: lists that differ by a word then have one variant."""

MOST = 0.999
"""The share of words that the smaller suggestion holds."""

_CHUNK = 2048  # words that are pronounced together
_ANY_LENGTH = 1 << 30

_MODEL = ("checkpoint", "weights", "tokenizer", "program", "code", "library")
"""The stages whose results pronounce words here."""

Say = Callable[[Sequence[str], str], list[int | None]]
"""Words and their language → the tokens out of each; None for one that the variant has no room for."""


@dataclass(frozen=True)
class Lengths:
    """The words of one language.

    Attributes:
        language: its code; "all" for several together.
        pairs: (tokens in, tokens out) → words. In: prompt, word, and the end token if the checkpoint wants one. Out:
            the start token, phonemes, the end token; the longest of a word's pronunciations.
        said: words without a pronunciation in the list, which the variant pronounced.
        cut: those of them that the variant has no room for. They count as one token more out than it has.
        refused: words that the model refuses whatever its bounds. They are in nothing else.
    """

    language: str
    pairs: Counter[tuple[int, int]] = field(default_factory=Counter)
    said: int = 0
    cut: int = 0
    refused: int = 0

    @property
    def words(self) -> int:
        """How many words have lengths."""
        return self.pairs.total()

    def side(self, which: int) -> Counter[int]:
        """Tokens in (0) or out (1) → words."""
        found: Counter[int] = Counter()
        for pair, count in self.pairs.items():
            found[pair[which]] += count
        return found

    def __add__(self, other: "Lengths") -> "Lengths":
        numbers = (self.said + other.said, self.cut + other.cut, self.refused + other.refused)
        return Lengths("all", self.pairs + other.pairs, *numbers)


@dataclass(frozen=True)
class Bound:
    """Values of `max_lens`, and how many words they hold."""

    input: int
    output: int
    words: int
    of: int


def measured(build: Build, variant: Variant, paths: Sequence[Path]) -> Iterator[Lengths]:
    """The lengths of the words in lists. Memory does not grow with the lists.

    Args:
        build: the command's build. It makes what is needed: the checkpoint's description, and for words without a
            pronunciation a library for this machine.
        variant: whose checkpoint, `max_lens` and `dtype` count.
        paths: files LANG.tsv, or folders of them. A line is a word, and perhaps a tab and pronunciations with commas
            between them.

    Yields:
        One for each file, in the order of the paths.

    Raises:
        BuildError: there is no such file, the model does not know its language, a line is malformed, or a stage failed.
    """
    here = on_this_machine(variant)
    nodes = graph.nodes(here)
    build.ensure([nodes["checkpoint"], nodes["tokenizer"]])
    model = json.loads(build.files(nodes["tokenizer"])["tokenizer.json"].read_bytes())
    opened: list[Any] = []

    def say(words: Sequence[str], lang: str) -> list[int | None]:
        if not opened:
            opened.append(_opened(build, nodes))
        found: list[int | None] = []
        for ids in opened[0].tokens(words, lang, threads=0):
            found.append(len(ids) + 1 if ids and ids[-1] == model["eos_id"] else None)
        return found

    for path in itertools.chain.from_iterable(map(_files, paths)):
        try:
            yield _lengths(path, model, say)
        except UnknownLanguage as error:
            raise BuildError(f"{path}: {error}: a list's name is its language, LANG.tsv") from None
        except G2PError as error:
            raise BuildError(f"{path}: the variant cannot pronounce it: {error}") from None


def holding(lengths: Lengths, bound: MaxLens) -> Bound:
    """How many words `max_lens` holds."""
    held = sum(count for pair, count in lengths.pairs.items() if pair[0] <= bound.input and pair[1] <= bound.output)
    return Bound(bound.input, bound.output, held, lengths.words)


def bounds(lengths: Lengths) -> tuple[Bound, Bound]:
    """The smallest multiples of `STEP` that hold `MOST` of the words, and all of them."""
    most = MaxLens(*(_stepped(quantile(lengths.side(which), MOST)) for which in (0, 1)))
    while (found := holding(lengths, most)).words < MOST * found.of:  # words too long on one side only add up
        wider = MaxLens(most.input + STEP, most.output), MaxLens(most.input, most.output + STEP)
        most = max(wider, key=lambda each: holding(lengths, each).words)
    return found, holding(lengths, MaxLens(*(_stepped(max(lengths.side(which))) for which in (0, 1))))


def quantile(lengths: Mapping[int, int], share: float) -> int:
    """The smallest length that at least this share of the words has, or less."""
    needed, seen = share * sum(lengths.values()), 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen >= needed:
            return length
    return max(lengths)


def _stepped(length: int) -> int:
    return -(-length // STEP) * STEP


def _files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.tsv")) if path.is_dir() else [path]
    if not files:
        raise BuildError(f"{path} has no lists: files named LANG.tsv are needed")
    return files


def _opened(build: Build, nodes: Mapping[str, graph.Node]) -> Any:
    from g2p_build.runtime.standalone import open_model

    build.ensure([nodes[role] for role in _MODEL])
    made = build.files(nodes["library"])
    [library] = [path for name, path in made.items() if name.endswith((".so", ".dylib"))]
    return open_model(library, build.files(nodes["weights"])["weights.safetensors"])


def _lengths(path: Path, model: Mapping[str, Any], say: Say) -> Lengths:
    lang, endless = path.stem, {**model, "max_input_len": _ANY_LENGTH}
    pairs: Counter[tuple[int, int]] = Counter()
    said = cut = refused = 0
    rows = _rows(path)
    while group := list(itertools.islice(rows, _CHUNK)):
        asked: list[tuple[str, int]] = []  # word, tokens in
        for word, pronunciations in group:
            try:
                tokens = len(tokenizer.encode(endless, word, lang))
            except UnknownLanguage:
                raise
            except G2PError:
                refused += 1
                continue
            if pronunciations:
                pairs[tokens, 2 + max(len(text.encode()) for text in pronunciations)] += 1
            else:
                asked.append((word, tokens))
        fitting = [word for word, tokens in asked if tokens <= model["max_input_len"]]
        out = iter(say(fitting, lang) if fitting else [])
        for _, tokens in asked:
            length = next(out) if tokens <= model["max_input_len"] else None
            pairs[tokens, length or model["max_output_len"] + 1] += 1
            cut += length is None
        said += len(asked)
    if not pairs:
        raise BuildError(f"{path} has no word that the model takes" + (f": it refuses {refused}" if refused else ""))
    return Lengths(lang, pairs, said, cut, refused)


def _rows(path: Path) -> Iterator[tuple[str, Iterable[str]]]:
    """Words with their pronunciations, as they are read."""
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                word, tab, rest = text.partition("\t")
                word = word.strip()
                pronunciations = [part.strip() for part in rest.split(",")] if tab else []
                if "\t" in rest or not all(pronunciations) or (text and not word):
                    what = "a word, or a word, a tab and its pronunciations with commas between them"
                    raise BuildError(f"{path}:{number}: a line is {what}: {text[:60]!r}")
                if word:
                    yield word, pronunciations
    except UnicodeDecodeError:
        raise BuildError(f"{path}:{number}: not UTF-8") from None
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}: a file named LANG.tsv, or a folder of them, is needed") from None
