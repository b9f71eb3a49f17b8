"""Builds variants twice from nothing, under circumstances that differ but must not matter, and compares the results."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g2p_build.config.variant import Variant
from g2p_build.engine.build import Build
from g2p_build.errors import BuildError
from g2p_build.graph import nodes
from g2p_build.products import publish
from g2p_build.runtime import manifest as manifests
from g2p_build.store.files import readable_json

__all__ = ["Comparison", "build_apart", "compare", "compare_with_published"]

# The parts of a checkout that a build needs.
PARTS = ("conf", "dodo.py", "g2p_build", "tasks")


@dataclass(frozen=True)
class Circumstances:
    """What differs between two people who build the same thing."""

    folder: str
    umask: int
    processes: int
    environment: dict[str, str]


APART = (
    Circumstances(
        folder="one",
        umask=0o022,
        processes=1,
        environment={"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0", "USER": "root", "LOGNAME": "root"},
    ),
    Circumstances(
        folder="another place, longer",
        umask=0o077,
        processes=2,
        environment={
            "TZ": "Asia/Kathmandu",
            "LC_ALL": "C.UTF-8",
            "PYTHONHASHSEED": "4711",
            "USER": "somebody",
            "LOGNAME": "somebody",
        },
    ),
)


@dataclass(frozen=True)
class Comparison:
    """The result of comparing one file of the first build with another copy of it."""

    variant: str
    file: str  # in the first build, relative to its tree
    against: str  # "second build" or "published"
    result: str  # "identical", "differs"
    offset: int | None = None  # of the first byte that differs; the shorter file's length if the longer begins with it
    member: str | None = None  # for an archive: the first member that differs
    member_offset: int | None = None  # the same inside that member; None if only its header differs


def build_apart(tree: Path, overrides: Sequence[str], folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Builds in two copies of a tree, each with an empty cache, under different circumstances.

    Args:
        tree: the checkout.
        overrides: the command line's, anchored.
        folder: an empty folder, for the copies and the caches.
        say: called with one line before each build, which says where it builds.

    Returns:
        The folder of each copy.

    Raises:
        BuildError: a build failed. That build has printed the reason to the error stream.
    """
    copies = []
    for circumstances in APART:
        place = folder / circumstances.folder
        copy, home = place / "tree", place / "home"
        for part in PARTS:
            if (tree / part).is_dir():
                shutil.copytree(tree / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(tree / part, copy / part)
        home.mkdir()
        say(f"building in {copy}")
        environment = os.environ | circumstances.environment
        environment |= {"HF_HOME": os.environ.get("HF_HOME", str(Path.home() / ".cache" / "huggingface"))}
        environment |= {"HOME": str(home), "PYTHONPATH": str(copy)}
        environment |= {"G2P_BUILD_CACHE": str(place / "cache"), "G2P_BUILD_SHARED_CACHE": ""}
        command = [sys.executable, "-m", "doit", "-n", str(circumstances.processes), "compile"]
        result = subprocess.run(
            [*command, *overrides],
            cwd=copy,
            env=environment,
            umask=circumstances.umask,
            stdout=subprocess.DEVNULL,
        )
        if result.returncode != 0:
            raise BuildError(f"the build in {copy} failed (exit status {result.returncode})")
        shutil.rmtree(place / "cache")
        copies.append(copy)
    return copies


def compare(variant: Variant, one: Path, other: Path) -> list[Comparison]:
    """Compares a variant's archives and manifest in two trees.

    Raises:
        OSError: a product is missing.
    """
    file = f"manifests/{variant.name}.json"
    first, second = (_archives(tree / file) for tree in (one, other))
    pairs = [(first[role], second[role]) for role in first] + [(file, file)]
    return [_compared(variant.name, a, "second build", one / a, other / b) for a, b in pairs]


def compare_with_published(build: Build, variant: Variant, default: str, one: Path) -> list[Comparison]:
    """Compares a variant's products in a copy with the ones published in this tree. Skips them if they are not current.

    Args:
        build: the command's build.
        variant: the variant to compare.
        default: the default variant's name.
        one: the folder of a copy that `build_apart` built.
    """
    tree, graph = build.workspace.tree, nodes(variant)
    if build.current(graph["manifest"]) is None or not publish.published(build, graph, default):
        return []
    file = f"manifests/{variant.name}.json"
    first, published = (_archives(path / file) for path in (one, tree))
    found = [
        _compared(variant.name, first[role], "published", one / first[role], tree / "dist" / Path(published[role]).name)
        for role in first
    ]
    # What `doit verify` adds is not part of the build.
    manifest = json.loads((tree / file).read_bytes()) | {"verification": None}
    manifest["digest"] = manifests.digest(manifest)
    offset = _first_difference((one / file).read_bytes(), readable_json(manifest))
    return [*found, Comparison(variant.name, file, "published", "identical" if offset is None else "differs", offset)]


def _archives(manifest: Path) -> dict[str, str]:
    """An archive's role → its path in the tree."""
    data: dict[str, Any] = json.loads(manifest.read_bytes())
    return {role: f"dist/{archive['file']}" for role, archive in sorted(data["archives"].items())}


def _compared(variant: str, file: str, against: str, one: Path, other: Path) -> Comparison:
    offset = _first_difference(one.read_bytes(), other.read_bytes())
    if offset is None:
        return Comparison(variant, file, against, "identical")
    member, inside = _member(one, other) if one.suffix == ".tar" else (None, None)
    return Comparison(variant, file, against, "differs", offset, member, inside)


def _first_difference(one: bytes, other: bytes) -> int | None:
    if one == other:
        return None
    length = min(len(one), len(other))
    # By bisection: comparing slices is a thousand times faster than comparing single bytes.
    low, high = 0, length
    while low < high:
        middle = (low + high) // 2
        if one[low : middle + 1] == other[low : middle + 1]:
            low = middle + 1
        else:
            high = middle
    return low


def _member(one: Path, other: Path) -> tuple[str | None, int | None]:
    """The first member in which two archives differ, and the offset of the difference in it."""
    first, second = _members(one), _members(other)
    for name, data in first.items():
        if data != second.get(name):
            return name, _first_difference(data, second.get(name, b""))
    return next((name for name in second if name not in first), None), None


def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: file.read() for member in archive if (file := archive.extractfile(member))}
