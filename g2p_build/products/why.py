"""Why a stage would run: the parts of its key today, compared with when this tree was last up to date."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g2p_build import graph
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError
from g2p_build.graph import Node
from g2p_build.products import publish
from g2p_build.store import actions, blobs, trees
from g2p_build.store.layers import layers
from g2p_build.store.sources import kept_sources, source_files, source_path

__all__ = ["Explanation", "Reason", "against", "explain", "identities"]

# By stage: (prefix of a parameter's name, prefix of the field in conf/). The first prefix that fits is replaced.
# Parameters that no prefix fits have the same name in conf/. What "family." begins is no field: the family gives it.
FIELDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "checkpoint": (("", "checkpoint."),),
    "tokenizer": (("max_lens.", "max_lens."), ("", "checkpoint.")),
    "program": (("engine", "target.engine"),),
    "code": (("", "target."),),
    "library": (
        ("name", "family.library"),
        ("description", "family.description"),
        ("loaders", "family.loaders"),
        ("", "target."),
    ),
    "exceptions": (("", "lexicon."),),
    "lexicon": (("", "checkpoint."),),
    "drafts": (("max_bytes", "draft.max_bytes"), ("", "checkpoint.")),
    "manifest": (
        ("family", "checkpoint.family"),
        ("variant.checkpoint", "checkpoint.name"),
        ("variant.target", "target.name"),
        ("variant.", ""),
    ),
}


@dataclass(frozen=True)
class Reason:
    """One thing that has changed."""

    # "config": a field, or what the family gives; "input": a file that the stage takes; "source": a module; "tool": a
    # version; "blob": an output in the cache; "record": an entry of the cache; "product": a file in the tree
    kind: str
    name: str  # "target.cpu", "config.json", "compiler/link.py", "apache-tvm", "dist/….tar"
    old: Any  # plain JSON: a config's value, a tool's version, a file's digest; None if there was none or it is unknown
    new: Any

    def __str__(self) -> str:
        if self.kind in ("config", "tool"):
            old, new = _shown(self.old, self.new)
            return f"{self.name}: {old} → {new}"
        if self.kind in ("input", "source"):
            return f"{self.name} {'added' if self.old is None else 'removed' if self.new is None else 'changed'}"
        return self.name


@dataclass(frozen=True)
class Explanation:
    """What a build would do with a node, or with a variant's files in the tree (stage "publish"), and why."""

    name: str  # the node's, or "publish:" and the variant's
    stage: str
    # "current"; "stale": the reasons say what changed; "never built": not for this tree; "blob gone": an output is
    # missing or damaged; "waits": an input is stale, so nobody knows yet whether it will run; "refused": it cannot run
    state: str
    reasons: tuple[Reason, ...] = ()
    waits_for: tuple[str, ...] = ()  # for "waits": names of the nodes that come first
    seconds: float | None = None  # how long it took last time; None if unknown
    error: str | None = None  # for "refused": what is wrong, in one line


def explain(build: Build, variants: Iterable[Variant], default: str) -> Iterator[Explanation]:
    """Explains every distinct node of some variants in the order of the graph, then each variant's files in the tree.

    It runs nothing and writes nothing.

    Args:
        build: the command's build.
        variants: the variants asked for.
        default: name of the default variant, which the index must name.
    """
    variants = list(variants)
    last = trees.keys(build.workspace)
    states: dict[str, str] = {}
    for node in graph.order(variants):
        explanation = _explain(build, node, last.get(node.name), states)
        states[node.name] = explanation.state
        yield explanation
    for variant in variants:
        nodes = graph.nodes(variant)
        manifest = nodes["manifest"].name
        name = f"publish:{variant.name}"
        if states[manifest] != "current":
            yield Explanation(name, "publish", "waits", waits_for=(manifest,))
            continue
        wrong = [Reason("product", phrase, None, None) for phrase in publish.unpublished(build, nodes, default)]
        yield Explanation(name, "publish", "stale" if wrong else "current", tuple(wrong))


def identities(build: Build, variants: Iterable[Variant]) -> dict[str, dict[str, Any]]:
    """What the key of each distinct node is made of, by the node's name, as plain JSON.

    Of an input that is not built the digest is None, and then the key is None too. A node is left out if source files
    that should be there are not: `explain` says so.

    Args:
        build: the command's build.
        variants: the variants asked for.
    """
    found = {}
    for node in graph.order(variants):
        try:
            depends = build.known_components(node)
        except BuildError:
            continue
        sources = {source_path(module): digest for module, digest in source_files(build.cache, node.module).items()}
        components = {name: depends[name] for name in ("params", "inputs", "tools")} | {"sources": sources}
        found[node.name] = {"key": build.key(node), "components": components}
    return found


def against(build: Build, variants: Iterable[Variant], other: Mapping[str, Mapping[str, Any]]) -> Iterator[Explanation]:
    """Explains why nodes have other keys here than elsewhere: state "same", "differs" or "unknown there".

    Args:
        build: the command's build.
        variants: the variants asked for.
        other: what `identities` gave there.
    """
    variants = list(variants)
    here = identities(build, variants)
    for node in graph.order(variants):
        mine, theirs = here[node.name], other.get(node.name)
        if theirs is None:
            yield Explanation(node.name, node.stage, "unknown there")
            continue
        if mine["key"] == theirs["key"] and mine["key"] is not None:
            yield Explanation(node.name, node.stage, "same")
            continue
        was, now = theirs["components"], mine["components"]
        reasons = [
            *(Reason("config", _field(node.stage, name), *values) for name, *values in _unlike(was, now, "params")),
            *(Reason("input", _input(node, name), *values) for name, *values in _unlike(was, now, "inputs")),
            *(Reason("source", name, *values) for name, *values in _unlike(was, now, "sources")),
            *(Reason("tool", name, *values) for name, *values in _unlike(was, now, "tools")),
        ]
        yield Explanation(node.name, node.stage, "differs" if reasons else "same", tuple(reasons))


def _unlike(old: Mapping[str, Any], new: Mapping[str, Any], part: str) -> Iterator[tuple[str, Any, Any]]:
    yield from _differing(_flat(old[part]), _flat(new[part]))


def _explain(build: Build, node: Node, last_key: str | None, states: Mapping[str, str]) -> Explanation:
    """Explains a node. `states` holds the states of the nodes that it takes inputs from."""
    waits_for = tuple(
        sorted({upstream.name for upstream, _ in node.inputs.values() if states[upstream.name] != "current"})
    )
    cache = build.workspace.cache
    last = actions.read(cache, last_key) if last_key else None
    seconds = last.seconds if last else None
    try:
        depends = build.known_components(node)
    except BuildError as error:
        if waits_for:  # an input is refused, and its own explanation says why
            return Explanation(node.name, node.stage, "waits", (), waits_for, seconds)
        return Explanation(node.name, node.stage, "refused", error=str(error))
    changed = tuple(_changes(cache, node, last.components, depends)) if last else ()
    if waits_for:
        never = () if last_key else (Reason("record", "never built here", None, None),)
        return Explanation(node.name, node.stage, "waits", changed or never, waits_for, seconds)
    key = actions.key_of(depends)
    made = actions.read(cache, key)
    if made is not None and build.current(node) is not None:
        return Explanation(node.name, node.stage, "current", seconds=made.seconds)
    if made is not None:  # there is an entry, so an output is missing
        lost = tuple(_lost(cache, made.outputs))
        return Explanation(node.name, node.stage, "blob gone", lost, seconds=made.seconds)
    if any(actions.path_of(layer, key).exists() for layer in layers(cache)):
        changed = (Reason("record", "its entry in the cache is damaged", None, None),)
    elif last_key is None:
        return Explanation(node.name, node.stage, "never built")
    unknown = (Reason("record", "the cache no longer holds what it was made from", None, None),)
    return Explanation(node.name, node.stage, "stale", changed or unknown, seconds=seconds)


def _changes(cache: Path, node: Node, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Reason]:
    """What changed between two states of a node's dependencies, as far as it is known."""
    for name, was, now in _differing(_flat(old["params"]), _flat(new["params"])):
        yield Reason("config", _field(node.stage, name), was, now)
    for name, was, now in _differing(old["inputs"], new["inputs"]):
        if not (name in new["inputs"] and now is None):  # a stale input's digest is not known yet
            yield Reason("input", _input(node, name), was, now)
    yield from _source_changes(cache, node, old["source"], new["source"])
    for name, was, now in _differing(old["tools"], new["tools"]):
        yield Reason("tool", name, was, now)


def _source_changes(cache: Path, node: Node, old: str, new: str) -> Iterator[Reason]:
    if old == new:
        return
    was = kept_sources(cache, old)
    if was is None:
        yield Reason("source", "its source", old, new)
        return
    now = source_files(cache, node.module)
    for module, before, after in _differing(was, now):
        yield Reason("source", source_path(module), before, after)


def _lost(cache: Path, outputs: Mapping[str, str]) -> Iterator[Reason]:
    for name, digest in sorted(outputs.items()):
        if blobs.find(cache, digest) is None:
            gone = not any(blobs.path_of(layer, digest).exists() for layer in layers(cache))
            yield Reason("blob", f"{name} is {'gone from' if gone else 'damaged in'} the cache", digest, None)


def _input(node: Node, name: str) -> str:
    """The name of an input for people: a source file's own name, or "FILE of NODE"."""
    if name not in node.inputs:
        return name
    upstream, file = node.inputs[name]
    return f"{file} of {upstream.name}"


def _field(stage: str, name: str) -> str:
    """The name that a stage's parameter has in conf/ and on the command line."""
    for prefix, instead in FIELDS.get(stage, ()):
        if name.startswith(prefix):
            return instead + name.removeprefix(prefix)
    return name


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted name → value; lists are values."""
    found: dict[str, Any] = {}
    for name, value in params.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _shown(*values: Any) -> list[str]:
    """Values as on a command line. Text is in quotes if it is empty or has spaces, so that one sees where it ends."""
    bare = all(value and not any(char.isspace() for char in value) for value in values if isinstance(value, str))
    return [
        "none" if value is None else value if bare and isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
    ]
