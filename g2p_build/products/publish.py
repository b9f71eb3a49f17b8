"""Puts what was built where apps look for it: archives in `dist/`, manifests and their index in `manifests/`."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from g2p_build.config.family import family
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.graph import Node
from g2p_build.runtime import manifest as manifests
from g2p_build.runtime.errors import G2PError, InvalidManifest
from g2p_build.store import trees
from g2p_build.store.digests import file_digest, remember
from g2p_build.store.files import readable_json, write_atomically

__all__ = ["archives_left", "index_of", "publish", "published", "read_manifest", "unpublished"]

SUMMARY = "manifest-1"  # the name under which `remember` keeps a manifest's summary; the number is its version


def published(build: Build, nodes: dict[str, Node], default: str) -> bool:
    """Whether a variant's archives and manifest are in the tree, byte for byte, and its manifest is in the index.

    The arguments are those of `unpublished`.
    """
    return next(unpublished(build, nodes, default), None) is None


def unpublished(build: Build, nodes: dict[str, Node], default: str) -> Iterator[str]:
    """What is wrong with a variant's files in the tree: one phrase for each problem, nothing if all is well.

    Args:
        build: the command's build; its tree is looked at.
        nodes: the variant's nodes, by role; up to date.
        default: name of the default variant, which the index must name.
    """
    cache, tree = build.workspace.cache, build.workspace.tree
    made = remember(cache, build.files(nodes["manifest"])["manifest.json"], SUMMARY, _summary)
    file = f"manifests/{made['entry']['file']}"
    there = _there(cache, tree / file)
    if there is None or not there["rendered"]:
        yield f"{file} is {'damaged' if (tree / file).exists() else 'missing'}"
    elif there["unverified"] != made["unverified"]:
        yield f"{file} is of an earlier build"
    for archive, digest in made["archives"].items():
        path = tree / "dist" / archive
        try:
            if file_digest(cache, path) != digest:
                yield f"dist/{archive} is damaged"
        except OSError:
            yield f"dist/{archive} is {'damaged' if path.exists() else 'missing'}"
    try:
        listed = there is None or _indexed(build, default).get(there["entry"]["name"]) == there["entry"]
    except OSError:
        listed = False
    if not listed:
        yield "manifests/index.json is not the index of what is there"


@os_errors_explained()
def publish(
    build: Build,
    nodes: dict[str, Node],
    default: str,
    verification: dict[str, Any] | None = None,
    origins: Mapping[str, trees.Origin] | None = None,
) -> Path:
    """Writes a variant's archives, then its manifest, then the index; each whole or not at all.

    Archives that the manifest before this one named, and no other names, are removed.

    Args:
        build: the command's build; its tree is written to.
        nodes: the variant's nodes, by role; up to date.
        default: name of the default variant, which the index names.
        verification: what `doit verify` found for these archives. None keeps what the published manifest says of them.
        origins: where the variant comes from: `names.origins`. They are noted with the manifest. None: not known.

    Returns:
        The manifest's path.

    Raises:
        BuildError: the manifest is not one of its family, or the tree or the cache cannot be written. One line.
    """
    cache, tree = build.workspace.cache, build.workspace.tree
    folder, dist = tree / "manifests", tree / "dist"
    with trees.lock(build.workspace):
        manifest = _manifest(build, nodes["manifest"])
        if verification is not None:
            manifest = manifest | {"verification": verification}
            manifest["digest"] = manifests.digest(manifest)
        try:
            manifests.validate(manifest, family(manifest["family"]).section)
        except G2PError as error:
            raise BuildError(f"what was built makes no manifest: {error}") from None
        _check_free(build, manifest["name"], origins or {})
        dist.mkdir(parents=True, exist_ok=True)
        for part in (dist, folder):
            for left in part.glob(".*.tmp"):  # left by a killed build: while we hold the lock, nobody else writes
                left.unlink()
        for role, archive in manifest["archives"].items():
            made = build.files(nodes[f"{role}_archive"])["archive.tar"]
            _copy(cache, made, dist / archive["file"], archive["sha256"])
        path = folder / f"{manifest['name']}.json"
        _replace(path, readable_json(manifest))
        if origins:
            trees.claim(build.workspace, manifest["name"], origins)
        index = index_of(cache, folder, default)
        # The other entries were validated when they were written.
        mine = [entry for entry in index["manifests"] if entry["name"] == manifest["name"]]
        manifests.validate_index(index | {"default": None, "manifests": mine})
        _replace(folder / "index.json", readable_json(index))
        for left in archives_left(build.workspace.tree, nodes):
            left.unlink()  # of an earlier build, whose manifest this one has replaced
    return path


def _check_free(build: Build, name: str, origins: Mapping[str, trees.Origin]) -> None:
    """Refuses to replace what another command has published meanwhile of another thing with the same name."""
    made = trees.published(build.workspace).get(name)
    other = trees.another(made.origins, origins) if made else None
    if other is not None and not other.given and not all(origin.given for origin in origins.values()):
        raise BuildError(
            f"manifests/{name}.json is of {' and '.join(other.paths)} by now: run the command again, and this one gets "
            "another name"
        )


def archives_left(tree: Path, nodes: dict[str, Node], goes: bool = False) -> list[Path]:
    """The archives of a variant, of this build and earlier ones, that no manifest in the tree names.

    Args:
        tree: the folder of the build.
        nodes: the variant's nodes, by role.
        goes: whether the variant's own manifest counts for nothing, because it is about to go.
    """
    node = nodes["manifest"]
    mine = "|".join(
        re.escape(prefix) for prefix in (node.label, node.params["weights_name"], *node.params["assets"].values())
    )
    archive = re.compile(rf"({mine})-[0-9a-f]{{16}}\.tar")
    found = [path for path in sorted((tree / "dist").glob("*.tar")) if archive.fullmatch(path.name) and path.is_file()]
    own = tree / "manifests" / f"{node.label}.json"
    if not goes:
        named = set(_archives(own))
        found = [path for path in found if path.name not in named]
    if not found:
        return []  # without reading the other manifests, of which there may be hundreds
    others = (path for path in (tree / "manifests").glob("*.json") if path != own)
    elsewhere = {file for path in others for file in _archives(path)}
    return [path for path in found if path.name not in elsewhere]


def _archives(path: Path) -> Iterator[str]:
    """The archives that a manifest names, even if other parts of it are damaged."""
    try:
        for archive in json.loads(path.read_bytes())["archives"].values():
            yield archive["file"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return


def _manifest(build: Build, node: Node) -> dict[str, Any]:
    """The manifest to publish: as the stage made it, with the published verification if it is of the same archives."""
    made: dict[str, Any] = json.loads(build.files(node)["manifest.json"].read_bytes())
    there = read_manifest(build.workspace.tree / "manifests" / f"{made['name']}.json")
    if there is None or there | {"verification": None, "digest": made["digest"]} != made:
        return made
    return there


def read_manifest(path: Path) -> dict[str, Any] | None:
    """A manifest, or None if its digest is wrong. A right digest suffices: manifests are validated before writing."""
    try:
        manifest = json.loads(path.read_bytes())
        return manifest if manifest["digest"] == manifests.digest(manifest) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidManifest):
        return None


def _there(cache: Path, path: Path) -> dict[str, Any] | None:
    """The summary of a manifest in the tree, or None if the file is missing or damaged."""
    try:
        summary: dict[str, Any] | None = remember(cache, path, SUMMARY, _summary)
    except OSError:
        return None
    return summary


def _summary(path: Path) -> dict[str, Any] | None:
    """The facts about a manifest that `unpublished` decides by; None if the file is damaged."""
    manifest = read_manifest(path)
    if manifest is None:
        return None
    return {
        "unverified": manifests.digest(manifest | {"verification": None}),
        "archives": {archive["file"]: archive["sha256"] for archive in manifest["archives"].values()},
        "rendered": path.read_bytes() == readable_json(manifest),
        "entry": _entry(manifest),
    }


def _indexed(build: Build, default: str) -> dict[str, dict[str, Any]]:
    """The index's entries by name, as they were when this build first looked; none if the index is not up to date."""

    def read() -> dict[str, dict[str, Any]]:
        cache, folder = build.workspace.cache, build.workspace.tree / "manifests"
        index = remember(cache, folder / "index.json", "index-1", _parsed)
        if index is None or index != index_of(cache, folder, default):
            return {}
        return {entry["name"]: entry for entry in index["manifests"]}

    return build.once(("index", default), read)


def _parsed(path: Path) -> Any:
    try:
        index = json.loads(path.read_bytes())
        return index if path.read_bytes() == readable_json(index) else None
    except ValueError:
        return None


def index_of(cache: Path, folder: Path, default: str, without: str | None = None) -> dict[str, Any]:
    """The index of the manifests in a folder. It leaves out damaged ones, and the variant `without`."""
    files = [path for path in folder.glob("*.json") if path.name not in ("index.json", f"{without}.json")]
    found = [remember(cache, path, SUMMARY, _summary) for path in files]
    entries = sorted((summary["entry"] for summary in found if summary), key=lambda entry: entry["name"])
    return {
        "schema_version": manifests.SCHEMA_VERSION,
        "default": default if default in [entry["name"] for entry in entries] else None,
        "manifests": entries,
    }


def _entry(manifest: dict[str, Any]) -> dict[str, Any]:
    """The index's entry for a manifest: enough to choose a variant by."""
    chosen = {name: manifest["variant"][name] for name in ("checkpoint", "batch", "max_lens", "dtype", "kv_cache")}
    return {
        "name": manifest["name"],
        "file": f"{manifest['name']}.json",
        "digest": manifest["digest"],
        "target": manifest["target"],
        "size": sum(archive["size"] for archive in manifest["archives"].values()),
    } | chosen


def _copy(cache: Path, source: Path, path: Path, digest: str) -> None:
    if path.is_file() and file_digest(cache, path) == digest:
        return
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _replace(path: Path, data: bytes) -> None:
    write_atomically(path, data, path.with_name(f".{path.name}.tmp"))
