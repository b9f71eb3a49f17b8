"""What loading is for every family: the manifest is read, its family checked, its archives checked and unpacked."""

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from g2p_build.runtime import archive, index
from g2p_build.runtime.errors import InvalidArchive, InvalidManifest, NotLinked
from g2p_build.runtime.manifest import Section, read_again

__all__ = ["found", "unpacked"]

_LOADERS = {
    "g2p": "g2p_build.runtime.load, or the command `g2p`, pronounces words with it",
    "kokoro": "g2p_build.runtime.tts.load, or the command `tts`, speaks with it",
}
"""Family → what loads its manifests."""


def found(manifest: str | PathLike[str] | None, section: Section) -> tuple[Path, dict[str, Any]]:
    """Reads a manifest of a family whose library this machine can load. Returns its path and its data.

    Args:
        manifest: its path. None: the one that `index.choose` takes for this machine.
        section: what manifests of the family say.

    Raises:
        NoManifest, InvalidManifest, NewerManifest: it is not there, damaged, newer, or of another family.
        NotLinked: it has only object files.
        UnsupportedTarget, UnsupportedCPU: its library is for another machine.
    """
    path, digest = index.default_manifest(section.family) if manifest is None else (Path(manifest), None)
    data = read_again(path, section, archive.cache_folder() / "valid-manifests")
    if digest not in (None, data["digest"]):
        raise InvalidManifest(f"{path}: not the manifest that its index lists: build the variant again")
    if data["family"] != section.family:
        other = _LOADERS.get(data["family"], "update g2p-build, or build it again")
        raise InvalidManifest(
            f"{path}: a model of the family {data['family']!r}, and this loads {section.family!r}: {other}"
        )
    if data["target"]["package"] == "objects":
        raise NotLinked(
            f"{data['name']} holds object files for {data['target']['triple']}, for an app's own tools to link, and "
            "does not run here: load a variant whose target.package is 'shared'"
        )
    index.check_target(data["target"])
    return path, data


def unpacked(path: Path, data: Mapping[str, Any], members: Mapping[str, Iterable[str]]) -> dict[str, Path]:
    """Checks all archives of a manifest, and only then unpacks them. Returns the folders with their members, by role.

    Args:
        path: the manifest's.
        data: what it says.
        members: names that must be in an archive, by role.

    Raises:
        MissingArchive, TamperedArchive: an archive is not there, or not the one that the manifest names.
        InvalidArchive: it cannot be unpacked, lacks a member, or describes another model.
    """
    entries = {role: (archive.find(path, entry["file"]), entry) for role, entry in data["archives"].items()}
    for place, entry in entries.values():
        archive.verify(place, entry["sha256"], entry["size"])
    folders = {
        role: archive.unpack(place, entry["sha256"], entry["size"], members.get(role, ()))
        for role, (place, entry) in entries.items()
    }
    description = folders["library"] / data["files"]["model"]
    try:
        same = json.loads(description.read_bytes()) == data["model"]
    except ValueError:
        same = False
    if not same:
        raise InvalidArchive(f"{description.name} in the library archive is not the manifest's model object")
    return folders
