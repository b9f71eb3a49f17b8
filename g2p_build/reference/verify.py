"""Compares built variants with transformers, and both with a dictionary."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError
from g2p_build.families.g2p.checkpoint import G2PCheckpoint, g2p_checkpoint
from g2p_build.graph import Node
from g2p_build.reference import golden
from g2p_build.reference.generate import Published, Reference
from g2p_build.reference.scores import Score, read_dictionary, score
from g2p_build.store.digests import digest_of

__all__ = ["Report", "WordSet", "as_manifest", "compare_prompts", "golden_set", "read_word_set", "verify"]


@dataclass(frozen=True)
class WordSet:
    """Words to pronounce, with their accepted pronunciations if they are known."""

    name: str
    words: Mapping[str, Sequence[tuple[str, tuple[str, ...]]]]  # language → (word, pronunciations)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the words and pronunciations."""
        return digest_of({language: list(rows) for language, rows in self.words.items()})


@dataclass(frozen=True)
class Report:
    """The result for one variant on one language of one set."""

    set: str
    language: str
    words: int  # how many were compared
    equal: int  # how many of these gave the same ids as transformers, at every batch size
    too_long: int  # how many were left out because they do not fit the variant's input bound
    score: Score | None  # against the dictionary; None if it has no pronunciations


def golden_set() -> WordSet:
    """The committed golden words, without dictionary pronunciations."""
    return WordSet("golden", {language: [(word, ()) for word in listed] for language, listed in golden.words().items()})


def read_word_set(path: Path) -> WordSet:
    """Reads a folder of LANG.tsv files, or one such file.

    Raises:
        BuildError: there is no such file, or one of its lines is malformed.
    """
    return WordSet(path.resolve().stem, read_dictionary(path))


def verify(
    build: Build, manifest: Path, variant: Variant, nodes: Mapping[str, Node], sets: Sequence[WordSet]
) -> Iterator[Report]:
    """Pronounces every word of some sets with a built variant, at each of its batch sizes, and with transformers.

    Args:
        build: the command's build.
        manifest: path of the variant's published manifest.
        variant: the variant that was built.
        nodes: its nodes, by role; up to date.
        sets: the words.

    Yields:
        A report for each language of each set. If the checkpoint lists its languages, others are skipped.

    Raises:
        BuildError: the variant cannot run on this machine, knows no language of the words, or says something else with
            its draft table than without.
    """
    from g2p_build import runtime

    try:
        g2p = runtime.load(manifest)
        alone = runtime.load(manifest, draft=False) if g2p.manifest.get("draft") else None
    except runtime.G2PError as error:
        raise BuildError(f"{variant.name} cannot be verified here: {error}") from None
    checkpoint = g2p_checkpoint(variant)
    known = checkpoint.languages
    if known and not any(language in known for words in sets for language in words.words):
        raise BuildError(
            f"{variant.name} cannot be verified: it knows {', '.join(known)}, and there are no words of these"
        )
    reference = _reference(build, checkpoint, nodes)
    for words in sets:
        for language, rows in words.words.items():
            if known and language not in known:
                continue
            fitting = [row for row in rows if reference.length(row[0], language) <= variant.max_lens.input]
            listed = [word for word, _ in fitting]
            expected = reference.tokens(listed, language, variant.max_lens.output)
            runs = [_tokens(g2p, listed, language, batch) for batch in variant.batch]
            if alone is not None:
                _check_drafts(variant, runs[0], _tokens(alone, listed, language, variant.batch[0]), listed)
            equal = sum(all(run[i] == ids for run in runs) for i, ids in enumerate(expected))
            scored = None
            if fitting and all(pronunciations for _, pronunciations in fitting):
                hypotheses = [reference.text(ids) for ids in runs[0]]
                scored = score(hypotheses, [pronunciations for _, pronunciations in fitting])
            yield Report(words.name, language, len(listed), equal, len(rows) - len(listed), scored)


def _check_drafts(
    variant: Variant, drafted: Sequence[Sequence[int]], alone: Sequence[Sequence[int]], words: Sequence[str]
) -> None:
    """A draft table must change no id."""
    for word, ids, expected in zip(words, drafted, alone, strict=True):
        if ids != expected:
            raise BuildError(f"{variant.name} says something else of {word!r} with its draft table than without")


def as_manifest(reports: Sequence[Report], sets: Sequence[WordSet]) -> dict[str, Any]:
    """The manifest's `verification`. It holds only counts, so that the same result always has the same bytes."""
    import transformers

    return {
        "reference": f"transformers {transformers.__version__}",
        "sets": [
            {
                "name": words.name,
                "sha256": words.digest,
                "words": sum(report.words for report in reports if report.set == words.name),
                "equal": sum(report.equal for report in reports if report.set == words.name),
                "languages": {
                    report.language: {
                        "words": report.words,
                        "equal": report.equal,
                        "wrong": report.score.wrong if report.score else None,
                        "edits": report.score.edits if report.score else None,
                        "characters": report.score.characters if report.score else None,
                    }
                    for report in reports
                    if report.set == words.name
                },
            }
            for words in sets
        ],
    }


def compare_prompts(
    build: Build, variant: Variant, nodes: Mapping[str, Node], words: WordSet
) -> Iterator[tuple[bool, bool, str, Score]]:
    """Scores the checkpoint in transformers with each way to prompt it. The way with the best score is the right one.

    Yields:
        Whether a space follows the colon, whether the input ends in the end token, the language, its score.
    """
    for space in (False, True):
        for append_eos in (False, True):
            checkpoint = replace(g2p_checkpoint(variant), space_after_colon=space, append_eos=append_eos)
            reference = _reference(build, checkpoint, nodes)
            for language, rows in words.words.items():
                ids = reference.tokens([word for word, _ in rows], language, variant.max_lens.output)
                yield (
                    space,
                    append_eos,
                    language,
                    score([reference.text(row) for row in ids], [known for _, known in rows]),
                )


def _reference(build: Build, checkpoint: G2PCheckpoint, nodes: Mapping[str, Node]) -> Reference:
    made = build.files(nodes["checkpoint"])
    return Reference(checkpoint, made["architecture.json"], made["model.safetensors"], _published(checkpoint, nodes))


def _published(checkpoint: G2PCheckpoint, nodes: Mapping[str, Node]) -> Published | None:
    if checkpoint.source == "hub":
        assert checkpoint.repo is not None
        return Published(checkpoint.repo, checkpoint.revision)
    folders = nodes["checkpoint"].folders
    return Published(folders[0]) if folders else None


def _tokens(g2p: Any, words: Sequence[str], language: str, batch: int) -> list[list[int]]:
    """The variant's ids. It gives the runtime `batch` words a call, so that the runtime chooses that batch size."""
    found: list[list[int]] = []
    for start in range(0, len(words), batch):
        found += g2p.tokens(words[start : start + batch], lang=language)
    return found
