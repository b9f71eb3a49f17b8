"""The build graph: which stages a variant is made of, what each takes, and from where.

             lexicon, draft ───────────────────────────────► archive (weights) ─┐
    checkpoint ─┬─► weights ─────────────────────────────────┘                  │
                ├─► description ───────────────┬─────────► archive (library) ─┼─► manifest
                └─► program ──► code ──► library ─────────┘                   │
                                  └─ functions, inspection ───────────────────┘

This is the one place where the graph is drawn. A family draws the left half (`Family.model`): the checkpoint, its
weights, its description (G2P's stage is called `tokenizer`) and its program. A node holds only the config fields that
its stage depends on, so two variants that agree on those fields share the node.

A family whose models take a lexicon or a draft table draws that too (`Family.lexicon`, `Family.draft`). If what the
model says goes into it, nodes of another variant, for this machine, come before it.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from g2p_build.config.family import Family, Model, family
from g2p_build.config.variant import Target, Variant
from g2p_build.native.files import SYSTEM, VARIANT, linked_files, loaders
from g2p_build.native.finding import finding_files
from g2p_build.stages.node import Node, files_of

__all__ = ["Node", "nodes", "order"]

LEXICON = "lexicon.g2plex"  # a member of the weights archive
DRAFT = "draft.g2pdraft"  # and another

TVM_NOTICES = ("TVM-LICENSE", "TVM-NOTICE")  # archives for the virtual machine hold libtvm_runtime.so, so also these


@dataclass(frozen=True)
class _Tables:
    """What a variant's weights archive has besides the weights."""

    lexicon: Node | None
    draft: Node | None


@cache
def nodes(variant: Variant) -> dict[str, Node]:
    """The nodes of a variant, by role, each after the nodes it takes its inputs from.

    A role is the stage's name. The two archives have roles of their own (`library_archive`, `weights_archive`), and so
    have the nodes that a lexicon or a draft is made from.
    """
    kind = family(variant.checkpoint.family)
    model = kind.model(variant)
    code = _code(variant, model)
    library = _library(variant, kind, model, code)
    archived = _library_archive(variant, model, library)
    words = kind.lexicon(variant, nodes) if kind.lexicon else {}
    words |= kind.draft(variant, nodes) if kind.draft else {}
    tables = _Tables(words.get("lexicon"), words.get("draft"))
    weights = _weights_archive(variant, model, tables)
    assets = {role: _asset_archive(variant, role, *asset) for role, asset in model.assets.items()}
    manifest = _manifest(variant, kind, model, code, library, archived, weights, tables, assets)
    drawn = (model.checkpoint, model.description, model.weights, model.program, code, library)
    by_stage = {node.stage: node for node in drawn} | words
    by_stage |= {role: node for role, (node, _) in model.assets.items()}
    archives = {"library_archive": archived, "weights_archive": weights}
    archives |= {f"{role}_archive": node for role, node in assets.items()}
    return by_stage | archives | {"manifest": manifest}


def order(variants: Iterable[Variant]) -> list[Node]:
    """Every distinct node of some variants, each after the nodes it takes its inputs from."""
    found: dict[str, Node] = {}
    for variant in variants:
        for node in nodes(variant).values():  # the roles are in topological order
            found.setdefault(node.name, node)
    return list(found.values())


def _code(variant: Variant, model: Model) -> Node:
    made = ["kernels.o", "program.inc"] if variant.target.engine == "standalone" else ["devc.o", "lib0.o"]
    if variant.target.engine == "standalone" and variant.target.triple.startswith("wasm"):
        made.append("relaxed.o")
    return Node(
        stage="code",
        label=variant.code_label,
        module="g2p_build.stages.code",
        params=_target(variant.target, "kind", "triple", "cpu", "features", "engine"),
        inputs=files_of(model.program),
        outputs=("functions.json", *made),
    )


def _library(variant: Variant, kind: Family, model: Model, code: Node) -> Node:
    target = variant.target
    if target.engine == "vm":
        linked = target.package == "shared"
        return Node(
            stage="library",
            label=variant.code_label,
            module="g2p_build.stages.library_vm",
            params=_target(target, "triple", "package"),
            inputs=files_of(code, "devc.o", "lib0.o"),
            outputs=("libtvm_runtime.so", "model.so", *TVM_NOTICES) if linked else ("devc.o", "lib0.o"),
        )
    native, module = kind.native, target.package == "module"
    besides = [*native.web] if module else []
    if target.package == "shared" and "android" in target.triple:
        besides = [SYSTEM, *native.android]
    if target.package == "objects" and "apple" in target.triple:
        besides = [*native.swift]
    made = linked_files(native.name, native.folders, native.web, native.swift, target.triple, target.package)
    return Node(
        stage="library",
        label=variant.code_label,
        module="g2p_build.stages.library",
        params=_target(target, "triple", "cpu", "features", "package")
        | {"name": native.name, "description": model.description_file}
        | ({"loaders": list(loaders(native.web))} if module else {}),
        inputs=files_of(code) | files_of(model.description),
        outputs=(*made, "inspection.json"),
        folders=tuple(map(str, [*native.folders, *besides])),
    )


def _library_archive(variant: Variant, model: Model, library: Node) -> Node:
    members = [file for file in library.outputs if file != "inspection.json"]
    return Node(
        stage="archive",
        label=f"library-{variant.name}",
        module="g2p_build.stages.archive",
        params={},
        inputs=files_of(library, *members) | files_of(model.description, model.description_file),
        outputs=("archive.tar",),
    )


def _weights_archive(variant: Variant, model: Model, tables: _Tables) -> Node:
    return Node(
        stage="archive",
        label=f"weights-{_weights_name(variant, model)}",
        module="g2p_build.stages.archive",
        params={},
        inputs=files_of(model.weights)
        | (files_of(tables.lexicon, *_members(tables.lexicon)) if tables.lexicon else {})
        | (files_of(tables.draft, DRAFT) if tables.draft else {}),
        outputs=("archive.tar",),
    )


def _asset_archive(variant: Variant, role: str, node: Node, file: str) -> Node:
    return Node(
        stage="archive",
        label=_asset_name(variant, role),
        module="g2p_build.stages.archive",
        params={},
        inputs=files_of(node, file),
        outputs=("archive.tar",),
    )


def _asset_name(variant: Variant, role: str) -> str:
    return f"{variant.checkpoint.name}-{role}"


def _members(lexicon: Node) -> list[str]:
    """What a weights archive has of a lexicon: the table, and notices of other people's work in it."""
    return [file for file in lexicon.outputs if file != "lexicon.json"]


def _weights_name(variant: Variant, model: Model) -> str:
    """Distinguishes what goes into weights archives: "embedded-float32"."""
    return "-".join(filter(None, [model.weights.label, variant.lexicon.label, variant.draft.label]))


def _manifest(
    variant: Variant,
    kind: Family,
    model: Model,
    code: Node,
    library: Node,
    archived: Node,
    weights: Node,
    tables: _Tables,
    assets: dict[str, Node],
) -> Node:
    standalone = variant.target.engine == "standalone"
    inputs = {
        "library.tar": (archived, "archive.tar"),
        "weights.tar": (weights, "archive.tar"),
        "model.json": (model.description, model.description_file),
        "checkpoint": (model.checkpoint, model.checkpoint_file),
        **files_of(code, "functions.json"),
        **(files_of(library, "inspection.json") if standalone else {}),
        **(files_of(tables.lexicon, "lexicon.json") if tables.lexicon else {}),
        **(files_of(tables.draft, "draft.json") if tables.draft and standalone else {}),
        **{f"{role}.tar": (node, "archive.tar") for role, node in assets.items()},
    }
    return Node(
        stage="manifest",
        label=variant.name,
        module="g2p_build.stages.manifest",
        params={
            "family": kind.name,
            "name": variant.name,
            "variant": {
                "checkpoint": variant.checkpoint.name,
                "target": variant.target.name,
                "batch": list(variant.batch),
                "max_lens": asdict(variant.max_lens),
                "dtype": variant.dtype,
                "kv_cache": variant.kv_cache,
            },
            "target": _target(variant.target, *asdict(variant.target)),
            "checkpoint": {
                "name": variant.checkpoint.name,
                "source": variant.checkpoint.source,
                "repo": variant.checkpoint.repo,
                "revision": variant.checkpoint.revision,
            },
            "files": _files(variant.target, kind, archived, model, tables),
            "weights_name": f"{_weights_name(variant, model)}-weights",
            "assets": {role: _asset_name(variant, role) for role in assets},
        },
        inputs=inputs,
        outputs=("manifest.json",),
    )


def _files(target: Target, kind: Family, archived: Node, model: Model, tables: _Tables) -> dict[str, Any]:
    """The manifest's `files`: what each member of the archives is."""
    standalone, linked, name = target.engine == "standalone", target.package != "objects", kind.native.name
    roles: dict[str, Any] = {
        "runtime": "libtvm_runtime.so" if linked and not standalone else None,
        "header": f"{name}.h" if standalone else None,
        "variant": VARIANT if standalone and target.package != "module" else None,
        "static": f"lib{name}.a" if target.package == "shared" and standalone else None,
        "sizes": "sizes.json" if linked and standalone else None,
    }
    lexicon = tables.lexicon
    notices = list(TVM_NOTICES) if roles["runtime"] else []
    found_by = list(finding_files(name)) if roles["static"] else []
    beside = {model.description_file, *notices, *found_by, *(roles.values() if linked else ())}
    roles |= {
        "notices": [*notices, *(file for file in (_members(lexicon) if lexicon else ()) if file != LEXICON)],
        "library": sorted(file for file in archived.inputs if file not in beside),
        "found_by": found_by,
        "weights": "weights.safetensors",
        "lexicon": LEXICON if lexicon else None,
        "draft": DRAFT if tables.draft and standalone else None,  # the virtual machine's loader guesses nothing
        "model": model.description_file,
    }
    return roles | {role: file for role, (_, file) in model.assets.items()}


def _target(target: Target, *fields: str) -> dict[str, Any]:
    """Some fields of a target as plain JSON."""
    found = {field: getattr(target, field) for field in fields}
    return found | ({"features": list(target.features)} if "features" in fields else {})
