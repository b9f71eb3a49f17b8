"""Loads a variant: reads its manifest, checks and unpacks its archives, and opens what runs it."""

import functools
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from g2p_build.runtime import archive, index, standalone
from g2p_build.runtime.errors import InvalidArchive, InvalidManifest, LibraryFailed, NotLinked
from g2p_build.runtime.g2p import G2P, checked_threads
from g2p_build.runtime.g2p_manifest import SECTION
from g2p_build.runtime.manifest import read_again

__all__ = ["load"]


def load(
    manifest: str | PathLike[str] | None = None, threads: int = 0, lexicon: bool = True, draft: bool = True
) -> G2P:
    """Opens the variant that a manifest describes.

    Both archives are checked against the manifest before either is opened. They are unpacked once, into a cache by
    digest. The weights are mapped, not copied; everything in the process that loads them shares them.

    Args:
        manifest: path of the manifest. The default is the one that `index.choose` takes for this machine.
        threads: how many threads may work on a list of words; 0: one for each processor that this process may use (its
            affinity, its container's quota). At most 256. A library for the virtual machine uses one.
        lexicon: whether the variant's own lexicon comes before its model, where it has one.
        draft: whether its draft table is used, where it has one. What is said is the same without, and comes later.

    Raises:
        G2PError: the variant cannot be loaded. Each cause has a subclass: see `errors`.
        ValueError: ``threads`` is below 0 or above 256.
    """
    checked_threads(threads)
    found, digest = index.default_manifest() if manifest is None else (Path(manifest), None)
    data = read_again(found, SECTION, archive.cache_folder() / "valid-manifests")
    if digest not in (None, data["digest"]):
        raise InvalidManifest(f"{found}: not the manifest that its index lists: build the variant again")
    if data["family"] != SECTION.family:
        raise InvalidManifest(
            f"{found}: a model of the family {data['family']!r}: this loads only the family {SECTION.family!r}"
        )
    if data["target"]["package"] == "objects":
        raise NotLinked(
            f"{data['name']} holds object files for {data['target']['triple']}, for an app's own tools to link, and "
            "does not run here: load a variant whose target.package is 'shared'"
        )
    index.check_target(data["target"])
    entries = {part: (archive.find(found, entry["file"]), entry) for part, entry in data["archives"].items()}
    for place, entry in entries.values():
        archive.verify(place, entry["sha256"], entry["size"])
    files = data["files"]
    own = files.get("lexicon") if lexicon else None
    guesses = files.get("draft") if draft else None
    again = (load, (str(found.absolute()), threads, lexicon, draft))
    wanted = [*files["library"], *filter(None, [files["runtime"]]), files["model"]]
    members = {"library": wanted, "weights": [*filter(None, [files["weights"], own, guesses])]}
    folders = {
        part: archive.unpack(place, entry["sha256"], entry["size"], members[part])
        for part, (place, entry) in entries.items()
    }
    _check_description(folders["library"] / files["model"], data["model"])
    library, mapped = folders["library"] / files["library"][0], folders["weights"] / files["weights"]
    table = folders["weights"] / own if own else None
    if data["target"]["engine"] == "standalone":
        tables = table, folders["weights"] / guesses if guesses else None
        private = functools.partial(standalone.open_model, library, mapped, *tables, shared=False)
        return G2P(data, standalone.open_model(library, mapped, *tables), threads, private, again)
    try:
        from g2p_build.runtime.vm.engine import VirtualMachine
    except ModuleNotFoundError as error:
        raise LibraryFailed(
            f"{data['name']} runs on TVM's virtual machine, which needs {error.name}: pip install 'g2p-build[vm]'"
        ) from None
    engine = VirtualMachine(data, library, folders["library"] / files["runtime"], mapped, table)
    return G2P(data, engine, threads, lambda: engine, again)


def _check_description(path: Path, model: Mapping[str, Any]) -> None:
    try:
        same = json.loads(path.read_bytes()) == model
    except ValueError:
        same = False
    if not same:
        raise InvalidArchive(f"{path.name} in the library archive is not the manifest's model object")
