"""The build graph: which stages a variant is made of, what each takes, and from where.

    checkpoint ─┬─► weights ────────────────────► archive (weights) ─┐
                ├─► tokenizer ─────────┬───────► archive (library) ──┼─► manifest
                └─► program ──► library ──► link ──────┘             │
                                   └── functions, proof ─────────────┘

A library for the virtual machine is linked where it is compiled, and has no stage `link`.

This is the one place where the graph is drawn. A node holds only the config fields of its row, so two variants that
agree on those fields share the node.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from g2p_build.checkpoints.files import EMBEDDED
from g2p_build.config.variant import Checkpoint, Variant
from g2p_build.native.files import CORE, linked_files

__all__ = ["Node", "nodes", "order"]


@dataclass(frozen=True)
class Node:
    """One stage with its parameters: a point of the graph."""

    stage: str  # the module in g2p_build.stages
    label: str  # tells it from the stage's other nodes; the same label means the same parameters and inputs
    params: Mapping[str, Any] = field(hash=False)  # plain JSON: all of the variant that the stage may look at
    inputs: Mapping[str, tuple["Node", str]] = field(hash=False)  # name the stage knows it by → (writer, its output)
    outputs: tuple[str, ...]  # the files it writes
    folder: str | None = None  # of source files that are inputs too; their contents are in the key, the path is not

    @property
    def name(self) -> str:
        """Unique in a graph: `library:embedded-host-b1-i64-o128-float32-kv`."""
        return f"{self.stage}:{self.label}"


@cache
def nodes(variant: Variant) -> dict[str, Node]:
    """The stages of a variant, by role, each after the stages it takes its inputs from.

    The roles are the stages' names, but for the two archives: `library_archive` and `weights_archive`.
    """
    standalone = variant.target.link == "standalone"
    # A standalone library's functions take any number of rows up to that of their batch, and inputs of any length.
    sizes = variant.batch[-1:] if standalone else variant.batch
    lens = f"i{variant.max_lens.input}-o{variant.max_lens.output}"
    batch = "b" + ".".join(map(str, sizes))
    cache = "kv" if variant.kv_cache else "nokv"
    program_label = f"{variant.checkpoint.name}-{batch}-{lens}-{variant.dtype}-{cache}{'' if standalone else '-vm'}"
    weights_label = f"{variant.checkpoint.name}-{variant.dtype}"

    checkpoint = Node(
        stage="checkpoint",
        label=variant.checkpoint.name,
        params=_source(variant.checkpoint),
        inputs={},
        outputs=("architecture.json", "model.safetensors"),
        folder=_folder(variant.checkpoint),
    )
    tokenizer = Node(
        stage="tokenizer",
        label=f"{variant.checkpoint.name}-{lens}",
        params=_prompting(variant.checkpoint) | {"max_lens": asdict(variant.max_lens)},
        inputs=_from(checkpoint, "architecture.json"),
        outputs=("tokenizer.json",),
    )
    weights = Node(
        stage="weights",
        label=weights_label,
        params={"dtype": variant.dtype},
        inputs=_from(checkpoint, "architecture.json", "model.safetensors"),
        outputs=("weights.safetensors",),
    )
    program = Node(
        stage="program",
        label=program_label,
        params={
            "batch": list(sizes),
            "max_lens": asdict(variant.max_lens),
            "dtype": variant.dtype,
            "kv_cache": variant.kv_cache,
            "link": variant.target.link,
        },
        inputs=_from(checkpoint, "architecture.json"),
        outputs=("functions.json", "program.json"),
    )
    target = asdict(variant.target) | {"features": list(variant.target.features)}
    label = target.pop("name")
    library_label = f"{variant.checkpoint.name}-{label}-{program_label.removeprefix(variant.checkpoint.name + '-')}"
    compiled = Node(
        stage="library",
        label=library_label,
        params={key: value for key, value in target.items() if not (standalone and key == "library")},
        inputs=_from(program, "program.json", "functions.json"),
        outputs=("functions.json", *_compiled(standalone, variant.target.library)),
    )
    found = {
        "checkpoint": checkpoint,
        "tokenizer": tokenizer,
        "weights": weights,
        "program": program,
        "library": compiled,
    }
    files = _from(compiled, *compiled.outputs[1:])
    if standalone:
        linked = found["link"] = Node(
            stage="link",
            label=library_label,
            params={key: target[key] for key in ("triple", "cpu", "features", "library")},
            inputs=_from(compiled, *compiled.outputs) | _from(tokenizer, "tokenizer.json"),
            outputs=(*linked_files(variant.target.triple, variant.target.library), "proof.json"),
            folder=str(CORE),
        )
        files = _from(linked, *linked.outputs[:-1])
    library_archive = Node(
        stage="archive",
        label=f"library-{variant.name}",
        params={},
        inputs=files | _from(tokenizer, "tokenizer.json"),
        outputs=("archive.tar",),
    )
    weights_archive = Node(
        stage="archive",
        label=f"weights-{weights_label}",
        params={},
        inputs=_from(weights, "weights.safetensors"),
        outputs=("archive.tar",),
    )
    manifest = Node(
        stage="manifest",
        label=variant.name,
        params={
            "name": variant.name,
            "variant": {
                "checkpoint": variant.checkpoint.name,
                "target": variant.target.name,
                "batch": list(variant.batch),
                "max_lens": asdict(variant.max_lens),
                "dtype": variant.dtype,
                "kv_cache": variant.kv_cache,
            },
            "target": target | {"name": label},
            "checkpoint": {
                "name": variant.checkpoint.name,
                "source": variant.checkpoint.source,
                "repo": variant.checkpoint.repo,
                "revision": variant.checkpoint.revision,
            },
            "files": _files(standalone, variant.target.library, files),
            "weights_name": f"{weights_label}-weights",
        },
        inputs={
            "library.tar": (library_archive, "archive.tar"),
            "weights.tar": (weights_archive, "archive.tar"),
            **(_from(found["link"], "proof.json") if standalone else {}),
            **_from(compiled, "functions.json"),
            **_from(tokenizer, "tokenizer.json"),
            **_from(checkpoint, "model.safetensors"),
        },
        outputs=("manifest.json",),
    )
    return found | {"library_archive": library_archive, "weights_archive": weights_archive, "manifest": manifest}


def _compiled(standalone: bool, library: str) -> tuple[str, ...]:
    """What the stage `library` writes besides the functions."""
    if standalone:
        return ("kernels.o", "program.c")
    return ("libtvm_runtime.so", "model.so") if library == "shared" else ("devc.o", "lib0.o")


def _files(standalone: bool, library: str, names: Iterable[str]) -> dict[str, Any]:
    """What the members of the library archive are, as the manifest says it."""
    linked, shared, beside = (
        library != "objects",
        library == "shared",
        {"libtvm_runtime.so", "libg2p.a", "g2p.h", "sizes.json"},
    )
    return {
        "library": sorted(set(names) - beside) if linked else sorted(names),
        "runtime": "libtvm_runtime.so" if shared and not standalone else None,
        "header": "g2p.h" if standalone else None,
        "static": "libg2p.a" if shared and standalone else None,
        "sizes": "sizes.json" if linked and standalone else None,
    }


def order(variants: Iterable[Variant]) -> list[Node]:
    """Every distinct node of some variants, each after the nodes it takes its inputs from."""
    found: dict[str, Node] = {}
    for variant in variants:
        for node in nodes(variant).values():  # the roles are in topological order
            found.setdefault(node.name, node)
    return list(found.values())


def _from(node: Node, *files: str) -> dict[str, tuple[Node, str]]:
    return {file: (node, file) for file in files}


def _folder(checkpoint: Checkpoint) -> str | None:
    return str(EMBEDDED) if checkpoint.source == "embedded" else checkpoint.path


def _source(checkpoint: Checkpoint) -> dict[str, Any]:
    """What says where a checkpoint comes from, with nothing of how it is prompted.

    Folders have no path here: two copies of one checkpoint are one checkpoint.
    """
    if checkpoint.source == "hub":
        return {"source": "hub", "repo": checkpoint.repo, "revision": checkpoint.revision}
    if checkpoint.source == "random":
        return {"source": "random", "shape": asdict(checkpoint)["shape"], "seed": checkpoint.seed}
    return {"source": "path"}


def _prompting(checkpoint: Checkpoint) -> dict[str, Any]:
    """What says how a checkpoint is prompted, with nothing of where it comes from."""
    return {
        "prompt": checkpoint.resolved_prompt,
        "append_eos": checkpoint.append_eos,
        "byte_offset": checkpoint.byte_offset,
        "pad_id": checkpoint.pad_id,
        "eos_id": checkpoint.eos_id,
        "unk_id": checkpoint.unk_id,
        "decoder_start_id": checkpoint.decoder_start_id,
        "languages": list(checkpoint.languages) if checkpoint.languages else None,
    }
