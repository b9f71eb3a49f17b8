"""A Swift package of a variant with its weights: what an app's developer unpacks and adds to a project.

It is made of what is published, as a wheel is, and holds the manifest.
"""

import importlib.metadata
import json
import tarfile
import zipfile
from contextlib import ExitStack
from pathlib import Path

from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.native.kit import RESOURCES
from g2p_build.products.members import licences, named, notices, pronouncing, zipped
from g2p_build.store import trees
from g2p_build.store.files import readable_json
from g2p_build.store.workspace import Workspace

__all__ = ["packages_of", "write_package"]

FOLDER = "G2P"
"""The folder that the zip file holds, and the package's name."""


@os_errors_explained()
def write_package(workspace: Workspace, name: str) -> Path:
    """Writes the Swift package of a published variant into `dist/`; the same archives always give the same bytes.

    Packages of earlier builds of the variant are removed.

    Args:
        workspace: the tree.
        name: the variant's.

    Returns:
        The zip file's path.

    Raises:
        BuildError: the variant is not for Apple's platforms or not published, or the tree cannot be written.
    """
    tree = workspace.tree
    with trees.lock(workspace):
        manifest = pronouncing(tree, name, "a Swift package with weights")
        target, files, parts = manifest["target"], manifest["files"], manifest["archives"]
        if "Package.swift" not in files["library"]:
            is_for = f"{target['triple']} with target.package={target['package']}"
            raise BuildError(f"{name} is for {is_for}: a Swift package is of target=iphone")
        with ExitStack() as stack:
            archives = {role: stack.enter_context(tarfile.open(tree / "dist" / parts[role]["file"])) for role in parts}
            members = {file: _content(archives["library"], file) for file in files["library"]}
            texts = licences() | notices(files["notices"], archives)
        members |= {file: text.encode() for file, text in texts.items()}
        members["manifest.json"] = readable_json(manifest)
        resources = RESOURCES.format(title=FOLDER)
        del members[f"{resources}/README.txt"]  # says to put there what is there
        members[f"{resources}/weights.tar"] = (tree / "dist" / parts["weights"]["file"]).read_bytes()
        package = named(manifest)
        version = f"{importlib.metadata.version('g2p-build')}+{manifest['digest'][:8]}"
        path = tree / "dist" / f"{package}-{version}-swift.zip"
        zipped({f"{FOLDER}/{file}": content for file, content in members.items()}, path)
        for left in packages_of(tree, name):
            if left != path:
                left.unlink()
    return path


def packages_of(tree: Path, name: str) -> list[Path]:
    """The Swift packages in `dist/` that were made of a variant, of whatever build."""
    found = []
    for path in sorted((tree / "dist").glob("g2p_*-swift.zip")):
        try:
            with zipfile.ZipFile(path) as opened:
                if json.loads(opened.read(f"{FOLDER}/manifest.json"))["name"] == name:
                    found.append(path)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            continue  # somebody else's
    return found


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    content = archive.extractfile(name)
    assert content is not None  # a link has none, and archives hold files
    return content.read()
