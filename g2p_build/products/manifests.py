"""Lists the manifests of a tree: what each is, how large, when it was built, and whether a build would change it."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from g2p_build import graph
from g2p_build.config import compose
from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError
from g2p_build.products import names, publish
from g2p_build.store import trees
from g2p_build.store.digests import file_digest, remember

__all__ = ["listed"]


def listed(build: Build, default: str) -> list[dict[str, Any]]:
    """One row for each manifest, sorted by name.

    The state is "current", "stale" (a build would make a stage or the manifest again), "archive missing", "archive
    damaged", "damaged" (the manifest itself), "not in the index", or "unknown": nobody knows which overrides give the
    variant, because it was built elsewhere or conf/ no longer describes it.

    Args:
        build: the command's build; its tree is looked at.
        default: name of the default variant, which the index must name.
    """
    known = trees.published(build.workspace)
    rows = []
    for path in sorted((build.workspace.tree / "manifests").glob("*.json")):
        if path.name != "index.json":
            manifest = remember(build.workspace.cache, path, "manifest", publish.read_manifest)
            asked = known[path.stem].overrides if path.stem in known else None
            rows.append(_row(build, path, manifest, asked, default))
    return rows


def _row(
    build: Build, path: Path, manifest: dict[str, Any] | None, asked: Sequence[str] | None, default: str
) -> dict[str, Any]:
    built = datetime.fromtimestamp(path.stat().st_mtime).astimezone().isoformat(timespec="seconds")
    fields = ("target", "dtype", "batch", "max_lens", "kv_cache")
    if manifest is None:
        empty: dict[str, Any] = dict.fromkeys((*fields, "library_bytes", "weights_bytes"))
        return {"name": path.stem} | empty | {"built": built, "state": "damaged", "overrides": None}
    overrides = _guessed(manifest["variant"]) if asked is None else tuple(asked)
    return (
        {"name": path.stem}
        | {field: manifest["variant"][field] for field in fields}
        | {f"{role}_bytes": archive["size"] for role, archive in sorted(manifest["archives"].items())}
        | {"built": built, "state": _state(build, path.stem, manifest, overrides, default)}
        | {"overrides": None if asked is None else list(asked)}
    )


def _state(build: Build, name: str, manifest: dict[str, Any], overrides: tuple[str, ...], default: str) -> str:
    cache, tree = build.workspace.cache, build.workspace.tree
    for archive in manifest["archives"].values():
        try:
            if file_digest(cache, tree / "dist" / archive["file"]) != archive["sha256"]:
                return "archive damaged"
        except OSError:
            return "archive missing"
    variant = _described(build, overrides).get(name)
    if variant is None:
        return "unknown"
    nodes = graph.nodes(variant)
    try:
        made = build.current(nodes["manifest"]) is not None
    except BuildError:  # its checkpoint is not where it was
        return "unknown"
    if not made:
        return "stale"
    # If the index is wrong about another manifest, this one is still current.
    wrong = publish.unpublished(build, nodes, default)
    if not all(line.startswith("manifests/index.json") for line in wrong):
        return "stale"
    return "current" if _indexed(build).get(name) == manifest["digest"] else "not in the index"


def _indexed(build: Build) -> dict[str, str]:
    """The digest that the index gives for each name."""

    def read() -> dict[str, str]:
        try:
            index = json.loads((build.workspace.tree / "manifests" / "index.json").read_bytes())
            return {entry["name"]: entry["digest"] for entry in index["manifests"]}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    return build.once("index", read)


def _described(build: Build, overrides: tuple[str, ...]) -> dict[str, Variant]:
    """The variants that the overrides give today, by name; none if the overrides are no longer valid."""

    conf = compose.conf_of(build.workspace.tree)

    def compose_all() -> dict[str, Variant]:
        try:
            configured = compose.variants(overrides, conf, named=False)
            return {variant.name: variant for variant in names.settled(build, configured, conf)}
        except BuildError:
            return {}

    return build.once(("variants", overrides), compose_all)


def _guessed(variant: dict[str, Any]) -> tuple[str, ...]:
    """Overrides that may give the variant of a manifest. They do if its names are options in conf/."""
    return (
        f"checkpoint={variant['checkpoint']}",
        f"target={variant['target']}",
        f"batch={variant['batch']}",
        f"dtype={variant['dtype']}",
        f"kv_cache={str(variant['kv_cache']).lower()}",
        *(f"max_lens.{side}={length}" for side, length in variant["max_lens"].items()),
    )
