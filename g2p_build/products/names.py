"""Names that a tree gives to what lies in the user's own folders, so that no two of them share one.

A checkpoint in a folder has the folder's name, and a lexicon or a draft its file's: `runA/checkpoint-500` and
`runB/checkpoint-500` are both `checkpoint-500`. Where that name is another's already, in the tree or on the command
line, eight hex digits of the contents follow: `checkpoint-500+1a2b3c4d`. A folder keeps the name that it has had in the
tree, whatever it holds by now: what is trained further replaces what was published of it.

Which folder has which name is in the tree's record (`store.trees`). No path goes into a manifest.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from g2p_build import graph
from g2p_build.config.fields import own_name
from g2p_build.config.resolve import DRAFT_WORDS, LEXICON_WORDS, names
from g2p_build.config.variant import Checkpoint, Draft, Lexicon, Variant
from g2p_build.engine.build import Build, stage_of
from g2p_build.errors import BuildError
from g2p_build.products.publish import read_manifest
from g2p_build.store import trees
from g2p_build.store.digests import digest_of, file_digest
from g2p_build.store.trees import Origin

__all__ = ["not_of", "origins", "settled"]

Noun = Checkpoint | Lexicon | Draft

KINDS = ("checkpoint", "lexicon", "draft")  # fields of a variant


def settled(
    build: Build,
    variants: Iterable[Variant],
    conf: Path,
    known: Mapping[str, trees.Published] | None = None,
) -> dict[Variant, Variant]:
    """Gives each checkpoint, each lexicon and each draft a name of its own.

    Args:
        build: the command's build; the record of its tree is read.
        variants: as configured: `compose.variants(..., named=False)`.
        conf: the folder that they were configured from.
        known: what counts as the tree's record. None: the record.

    Returns:
        Variant with its names → the variant as configured, in the order of `variants`.

    Raises:
        ConfigError: two things have been given the same name on the command line.
    """
    variants = list(dict.fromkeys(variants))
    nouns = {(kind, getattr(each, kind)): each for each in variants for kind in KINDS}
    mine = {key: each for key, each in nouns.items() if _is_named_after_folder(*key)}
    instead: dict[tuple[str, Noun], Noun] = {}
    if mine:
        known = trees.published(build.workspace) if known is None else known
        for (kind, noun), variant in mine.items():
            instead[kind, noun] = _named(noun, _in_tree(build, kind, noun, variant, conf, known))
        _told_apart(build, nouns, instead)
    found: dict[Variant, Variant] = {}
    for each in variants:
        named = replace(each, **{kind: instead.get((kind, getattr(each, kind)), getattr(each, kind)) for kind in KINDS})
        found.setdefault(named, each)
    names(found)
    return found


def origins(build: Build, variant: Variant, configured: Variant) -> dict[str, Origin]:
    """Where a variant's checkpoint, lexicon and draft come from, for the tree's record.

    Args:
        build: the command's build.
        variant: with its names.
        configured: the same, as configured.
    """
    return {kind: _origin(build, kind, variant, _label(getattr(configured, kind))) for kind in KINDS}


def not_of(build: Build, variant: Variant, mine: Mapping[str, Origin]) -> str | None:
    """Why a published manifest with a variant's name is not known to be of that variant. None: it is, or there is none.

    Args:
        build: the command's build; its tree is looked at.
        variant: the variant.
        mine: its `origins`.
    """
    nodes = graph.nodes(variant)
    path = build.workspace.tree / "manifests" / f"{variant.name}.json"
    if not path.exists():
        return None
    there = read_manifest(path)
    params = nodes["manifest"].params
    if there is not None:
        was, asked = there["checkpoint"], params["checkpoint"]
        if (was["source"], was["repo"]) != (asked["source"], asked["repo"]):
            return f"it is of a checkpoint whose source is {was['repo'] or was['source']}"
        if there["target"]["triple"] != params["target"]["triple"]:
            return f"it is for {there['target']['triple']}"
    if not any(origin.paths for origin in mine.values()):
        return None
    record = trees.published(build.workspace).get(variant.name)
    if record is not None and record.origins:
        other = trees.another(record.origins, mine)
        return None if other is None else f"it was made from {' and '.join(other.paths) or other.name}"
    made = build.current(nodes["manifest"])
    if made is not None and there is not None:
        stage = read_manifest(build.files(nodes["manifest"])["manifest.json"])
        if stage is not None and there | {"verification": None, "digest": stage["digest"]} == stage:
            return None
    return "nobody knows from which folder it was made"


def _in_tree(
    build: Build, kind: str, noun: Noun, variant: Variant, conf: Path, known: Mapping[str, trees.Published]
) -> str:
    """The name of something that lies in a folder, as far as the tree has a say in it."""
    label, paths = _label(noun), _paths(noun)
    owners = [made.origins[kind] for made in known.values() if kind in made.origins]
    had = sorted({owner.name for owner in owners if owner.paths == paths and owner.label == label}, key=len)
    if had:
        return had[0]
    others = [owner for owner in owners if owner.name.casefold() == label.casefold() and owner.paths != paths]
    if others and any(owner.content != _content(build, paths, variant) for owner in others):
        return _with_digest(build, label, paths, variant)
    return _with_digest(build, label, paths, variant) if _is_reserved(kind, label, conf) else label


def _told_apart(build: Build, nouns: Mapping[tuple[str, Noun], Variant], instead: dict[tuple[str, Noun], Noun]) -> None:
    """Changes `instead` so that different things on one command line have different names, and copies the same."""
    groups: dict[tuple[str, str], list[tuple[str, Noun]]] = {}
    for key in nouns:
        groups.setdefault((key[0], _label(instead.get(key, key[1])).casefold()), []).append(key)
    for group in groups.values():
        ours = [key for key in group if key in instead]  # others are named by the user, or by their option
        contents = {key: _content(build, _paths(key[1]), nouns[key]) or str(key) for key in ours}
        first: dict[str, tuple[str, Noun]] = {}
        for key, content in contents.items():
            first.setdefault(content, key)
        if len(first) + len(group) - len(ours) > 1:
            for kind, noun in first.values():
                if _label(instead[kind, noun]) == _label(noun):
                    name = _with_digest(build, _label(noun), _paths(noun), nouns[kind, noun])
                    instead[kind, noun] = _named(noun, name)
        for key, content in contents.items():
            instead[key] = instead[first[content]]


def _origin(build: Build, kind: str, variant: Variant, label: str) -> Origin:
    noun = getattr(variant, kind)
    paths = _paths(noun)
    given = not _is_named_after_folder(kind, noun)
    return Origin(_label(noun), label, paths, _content(build, paths, variant) if paths else "", given)


def _content(build: Build, paths: Sequence[str], variant: Variant) -> str:
    """SHA-256 (hex) of the files that stages read in some folders; empty if they cannot be read: a stage says why."""

    def read() -> str:
        found: dict[str, str] = {}
        try:
            for node in graph.nodes(variant).values():
                if any(_absolute(folder) in paths for folder in node.folders):
                    files = stage_of(node).source_files(tuple(map(Path, node.folders)))
                    found |= {f"{node.stage}/{name}": file_digest(build.cache, path) for name, path in files.items()}
        except (BuildError, OSError):
            return ""
        return digest_of(found)

    found: str = build.once(("content", tuple(paths)), read)
    return found


def _with_digest(build: Build, label: str, paths: Sequence[str], variant: Variant) -> str:
    content = _content(build, paths, variant)
    return f"{label}+{content[:8]}" if content else label


def _is_reserved(kind: str, label: str, conf: Path) -> bool:
    """Whether a name is that of something that lies in no folder, in this command or another."""
    if kind == "lexicon":
        return label in {f"lexicon.{word}" for word in LEXICON_WORDS}
    if kind == "draft":
        return label in {f"draft.{word}" for word in DRAFT_WORDS}
    options = [path.stem for path in (conf / "checkpoint").glob("*.yaml")]
    return label.casefold() in map(str.casefold, options)


def _is_named_after_folder(kind: str, noun: Noun) -> bool:
    if not isinstance(noun, Checkpoint):
        return bool(_paths(noun))
    return noun.source == "path" and noun.name.split("+")[0] == own_name(noun.path or "").split("+")[0]


def _paths(noun: Noun) -> tuple[str, ...]:
    """The files and folders of the user's that something is made from, absolute."""
    if isinstance(noun, Checkpoint):
        return (_absolute(noun.path),) if noun.path else ()
    if isinstance(noun, Draft):
        given = [noun.path if noun.path not in DRAFT_WORDS else None, noun.words]
    else:
        given = [*(file for file in noun.files if file not in LEXICON_WORDS), noun.exceptions, noun.use]
    return tuple(_absolute(path) for path in given if path)


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 (resolve() would follow links)


def _label(noun: Noun) -> str:
    return noun.name if isinstance(noun, Checkpoint) else noun.label


def _named(noun: Noun, name: str) -> Noun:
    return replace(noun, name=name) if isinstance(noun, Checkpoint) else replace(noun, label=name)
