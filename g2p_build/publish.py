"""Puts what was built where apps look for it: archives in `dist/`, manifests and their index in `manifests/`."""

import json
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from g2p_build import build
from g2p_build.graph import Node
from g2p_build.runtime import manifest as contract
from g2p_build.runtime.errors import InvalidManifest
from g2p_build.store.digests import digest_of, file_digest
from g2p_build.store.files import write_atomically

__all__ = ["publish", "published", "render"]


def render(value: Any) -> bytes:
    """The one spelling of the JSON files that people and apps read."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def published(root: Path, tree: Path, nodes: dict[str, Node], default: str) -> bool:
    """Whether a variant's archives and manifest are in the tree, byte for byte, and its manifest is in the index.

    Args:
        root: the cache's folder.
        tree: the folder that holds `dist/` and `manifests/`.
        nodes: the variant's stages, by role; up to date.
        default: name of the default variant, which the index states.
    """
    manifest = _manifest(root, tree, nodes["manifest"])
    folder = tree / "manifests"
    try:
        return (
            (folder / f"{manifest['name']}.json").read_bytes() == render(manifest)
            and all(
                file_digest(root, tree / "dist" / archive["file"]) == archive["sha256"]
                for archive in manifest["archives"].values()
            )
            and (folder / "index.json").read_bytes() == render(_index(folder, default))
        )
    except OSError:
        return False


def publish(
    root: Path, tree: Path, nodes: dict[str, Node], default: str, verification: dict[str, Any] | None = None
) -> Path:
    """Writes a variant's archives, then its manifest, then the index; each whole or not at all.

    Args:
        root: the cache's folder.
        tree: the folder that holds `dist/` and `manifests/`.
        nodes: the variant's stages, by role; up to date.
        default: name of the default variant, which the index states.
        verification: what `doit verify` saw of these very archives; None keeps what the manifest already says of them.

    Returns:
        The manifest's path.

    Raises:
        OSError: the tree cannot be written.
    """
    folder, dist = tree / "manifests", tree / "dist"
    (root / "locks").mkdir(parents=True, exist_ok=True)
    with FileLock(root / "locks" / f"tree-{digest_of(str(tree.resolve()))[:16]}.lock"):
        manifest = _manifest(root, tree, nodes["manifest"])
        if verification is not None:
            manifest = manifest | {"verification": verification}
            manifest["digest"] = contract.digest(manifest)
        contract.validate(manifest)
        dist.mkdir(parents=True, exist_ok=True)
        for part in (dist, folder):
            for left in part.glob(".*.tmp"):  # by a build that was killed; nobody else writes while we hold the lock
                left.unlink()
        for role, archive in manifest["archives"].items():
            made = build.files(root, nodes[f"{role}_archive"])["archive.tar"]
            _copy(root, made, dist / archive["file"], archive["sha256"])
        path = folder / f"{manifest['name']}.json"
        _replace(path, render(manifest))
        index = _index(folder, default)
        contract.validate_index(index)
        _replace(folder / "index.json", render(index))
    return path


def _manifest(root: Path, tree: Path, node: Node) -> dict[str, Any]:
    """The manifest as it should be: as the stage made it, with the verification of these archives if there is one."""
    made: dict[str, Any] = json.loads(build.files(root, node)["manifest.json"].read_bytes())
    there = _read(tree / "manifests" / f"{made['name']}.json")
    if there is None or there | {"verification": None, "digest": made["digest"]} != made:
        return made
    return there


def _read(path: Path) -> dict[str, Any] | None:
    """A manifest whose digest is right, else None. What has our digest was validated when it was written."""
    try:
        manifest = json.loads(path.read_bytes())
        return manifest if manifest["digest"] == contract.digest(manifest) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidManifest):
        return None


def _index(folder: Path, default: str) -> dict[str, Any]:
    """The index of the manifests in a folder. Damaged ones are not in it."""
    found = [_read(path) for path in folder.glob("*.json") if path.name != "index.json"]
    entries = sorted((_entry(manifest) for manifest in found if manifest), key=lambda entry: entry["name"])
    return {
        "schema_version": contract.SCHEMA_VERSION,
        "default": default if default in [entry["name"] for entry in entries] else None,
        "manifests": entries,
    }


def _entry(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the index says of a manifest: enough to choose by."""
    chosen = {name: manifest["variant"][name] for name in ("checkpoint", "batch", "max_lens", "dtype", "kv_cache")}
    return {
        "name": manifest["name"],
        "file": f"{manifest['name']}.json",
        "digest": manifest["digest"],
        "target": manifest["target"],
        "size": sum(archive["size"] for archive in manifest["archives"].values()),
    } | chosen


def _copy(root: Path, source: Path, path: Path, digest: str) -> None:
    if path.is_file() and file_digest(root, path) == digest:
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
