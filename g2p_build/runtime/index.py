"""Finds the index of manifests, and chooses the variant that this machine should run."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.runtime import cpu, manifest
from g2p_build.runtime.errors import NoManifest, UnsupportedCPU, UnsupportedTarget

__all__ = ["check_target", "choose", "default_manifest", "find_index"]

INDEX = "index.json"


def find_index() -> Path:
    """The path of the index: in ``$G2P_MANIFESTS``, else ``./manifests``, else ``manifests/`` beside the package.

    In an app that is one zip file, that is beside the file; in one that unpacks itself, among what it unpacks.

    Raises:
        NoManifest: none of these folders has an index.
    """
    if folder := os.environ.get("G2P_MANIFESTS"):
        places = [Path(folder)]
    else:
        root = Path(__file__).resolve().parents[2]
        places = [Path("manifests"), (root.parent if root.is_file() else root) / "manifests"]
    for place in places:
        if (place / INDEX).is_file():
            return place / INDEX
    looked = " nor ".join(str(place / INDEX) for place in places)
    raise NoManifest(f"no index of manifests at {looked}: build a variant with `doit`, or name a manifest")


def default_manifest(family: str) -> tuple[Path, str]:
    """Finds the index and chooses a variant of a family. Returns the manifest's path, and its digest in the index.

    Raises:
        NoManifest: there is no index, no variant of the family in it runs on this machine, or several do and none is
            the default.
        InvalidManifest, NewerManifest: the index is wrong.
    """
    path = find_index()
    entry = choose(manifest.read_index(path), path, family)
    return path.parent / entry["file"], entry["digest"]


def choose(index: Mapping[str, Any], path: Path, family: str) -> Mapping[str, Any]:
    """The entry to run here: the index's default if this machine can run it, else the only entry that it can run.

    Args:
        index: the index's data.
        path: the index's file, which its manifests are beside.
        family: the family of models that is wanted. Others' entries do not count.

    Raises:
        NoManifest: this machine can run no entry, or several of which none is the default.
    """
    entries = {entry["name"]: entry for entry in index["manifests"] if _runs_here(entry["target"])}
    families = {name: _family(path.parent / entry["file"]) for name, entry in entries.items()}
    # Of those that cannot be read nobody knows; whoever loads one says what is wrong with it.
    found = [name for name in entries if families[name] == family] or [name for name in entries if not families[name]]
    if index["default"] in found:
        return entries[index["default"]]
    if len(found) == 1:
        return entries[found[0]]
    if found:
        raise NoManifest(f"{path} has no default for this machine: name one of {', '.join(found)}")
    names = ", ".join(entry["name"] for entry in index["manifests"]) or "none at all"
    raise NoManifest(
        f"{path} lists no {family} variant that runs on {cpu.host_triple()}, but {names}: build target=host"
    )


def _family(path: Path) -> str | None:
    """The family of a manifest, or None: it cannot be read, or does not say."""
    try:
        return str(json.loads(path.read_bytes())["family"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None


def _runs_here(target: Mapping[str, Any]) -> bool:
    try:
        check_target(target)
    except UnsupportedTarget:
        return False
    return bool(target["package"] == "shared")


def check_target(target: Mapping[str, Any]) -> None:
    """Checks that this machine can run the code for a manifest's target.

    Raises:
        UnsupportedTarget: the code is for another architecture or system.
        UnsupportedCPU: the code needs CPU features that this machine lacks.
    """
    if not cpu.same_platform(target["triple"], cpu.host_triple()):
        raise UnsupportedTarget(
            f"target '{target['name']}' is for {target['triple']}, this machine is {cpu.host_triple()}"
        )
    if missing := cpu.missing_features(target["features"]):
        raise UnsupportedCPU(
            f"target '{target['name']}' is built for {target['cpu']}, this CPU lacks {', '.join(missing)}: "
            f"build one for {cpu.host_cpu()}"
        )
