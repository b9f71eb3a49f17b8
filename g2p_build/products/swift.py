"""A Swift package of a variant with its weights and voices: what an app's developer unpacks and adds to a project.

It is made of what is published, as a wheel is, and holds the manifest.
"""

import importlib.metadata
import json
import tarfile
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.native.kit import RESOURCES
from g2p_build.products.members import licences, named, notices, published, zipped
from g2p_build.store import trees
from g2p_build.store.files import readable_json
from g2p_build.store.workspace import Workspace

__all__ = ["SwiftPackage", "packages_of", "write_package"]


@dataclass(frozen=True)
class SwiftPackage:
    """A package that was written."""

    path: Path  # a zip file
    name: str  # of the package, of its module, and of the folder that the zip file holds


@os_errors_explained()
def write_package(workspace: Workspace, name: str) -> SwiftPackage:
    """Writes the Swift package of a published variant into `dist/`; the same archives always give the same bytes.

    Packages of earlier builds of the variant are removed.

    Args:
        workspace: the tree.
        name: the variant's.

    Raises:
        BuildError: the variant is not for Apple's platforms or not published, or the tree cannot be written.
    """
    tree = workspace.tree
    with trees.lock(workspace):
        manifest = published(tree, name)
        target, files, parts = manifest["target"], manifest["files"], manifest["archives"]
        if "Package.swift" not in files["library"]:
            is_for = f"{target['triple']} with target.package={target['package']}"
            raise BuildError(f"{name} is for {is_for}: a Swift package is of target=iphone")
        with ExitStack() as stack:
            archives = {role: stack.enter_context(tarfile.open(tree / "dist" / parts[role]["file"])) for role in parts}
            members: dict[str, bytes | Path] = {file: _content(archives["library"], file) for file in files["library"]}
            texts = licences() | notices(files["notices"], archives)
        members |= {file: text.encode() for file, text in texts.items()}
        members["manifest.json"] = readable_json(manifest)
        title = files["header"].removesuffix(".h").upper()
        resources = RESOURCES.format(title=title)
        del members[f"{resources}/README.txt"]  # says to put there what is there
        for role in parts.keys() - {"library"}:
            members[f"{resources}/{role}.tar"] = tree / "dist" / parts[role]["file"]
        package = named(manifest)
        version = f"{importlib.metadata.version('g2p-build')}+{manifest['digest'][:8]}"
        path = tree / "dist" / f"{package}-{version}-swift.zip"
        zipped({f"{title}/{file}": content for file, content in members.items()}, path)
        for left in packages_of(tree, name):
            if left != path:
                left.unlink()
    return SwiftPackage(path, title)


def packages_of(tree: Path, name: str) -> list[Path]:
    """The Swift packages in `dist/` that were made of a variant, of whatever build."""
    found = []
    for path in sorted((tree / "dist").glob("*-swift.zip")):
        try:
            with zipfile.ZipFile(path) as opened:
                folder = opened.namelist()[0].partition("/")[0]
                if json.loads(opened.read(f"{folder}/manifest.json"))["name"] == name:
                    found.append(path)
        except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile):
            continue  # somebody else's
    return found


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    content = archive.extractfile(name)
    assert content is not None  # a link has none, and archives hold files
    return content.read()
