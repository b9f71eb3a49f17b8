"""A Flutter plugin of a variant for Android's processors: libraries, weights, and Dart over the C interface.

It is made of what is published, as a wheel is, and holds the manifests. No Dart has ever run it here.
"""

import json
import tarfile
import zipfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from g2p_build.errors import os_errors_explained
from g2p_build.native.dart_bindings import bindings
from g2p_build.native.files import DART
from g2p_build.products.android import beside, libraries, refuse_others, version
from g2p_build.products.members import named, pronouncing, zipped
from g2p_build.store import trees
from g2p_build.store.files import readable_json
from g2p_build.store.workspace import Workspace

__all__ = ["plugins_of", "write_plugin"]

FOLDER = "g2p"
"""The folder that the zip file holds, and the plugin's name."""

_MANIFESTS = f"{FOLDER}/manifests"

_PUBSPEC = """name: g2p
description: Grapheme to phoneme, with its weights. Pronounces words offline.
version: VERSION
publish_to: none

environment:
  sdk: ^3.3.0
  flutter: ">=3.19.0"

dependencies:
  ffi: ^2.1.0
  flutter:
    sdk: flutter

flutter:
  assets:
    - assets/weights.tar
  plugin:
    platforms:
      android:
        ffiPlugin: true
"""

_GRADLE = """group = "g2p.flutter"

apply plugin: "com.android.library"

android {
  namespace = "g2p.flutter"
  compileSdk = 35
  defaultConfig {
    minSdk = 21
  }
}
"""

_MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" />
"""


@os_errors_explained()
def write_plugin(workspace: Workspace, names: Sequence[str]) -> Path:
    """Writes a plugin of published variants into `dist/`; the same archives always give the same bytes.

    Plugins of earlier builds of the same variants are removed.

    Args:
        workspace: the tree.
        names: the variants', which differ in their target alone.

    Returns:
        The zip file's path.

    Raises:
        BuildError: a variant is not for Android or not published, or the tree cannot be written.
    """
    tree = workspace.tree
    with trees.lock(workspace):
        manifests = [pronouncing(tree, name, "a Flutter plugin") for name in names]
        for manifest in manifests:
            refuse_others(manifest, "a Flutter plugin")
        members = {path.name: path.read_bytes() for path in sorted(DART.iterdir()) if path.suffix == ".dart"}
        members = {f"lib/{file}": content for file, content in members.items()}
        members["lib/src/bindings.dart"] = bindings(_header(tree, manifests[0]), "g2p").encode()
        members["pubspec.yaml"] = _PUBSPEC.replace("VERSION", version(manifests)).encode()
        members["android/build.gradle"] = _GRADLE.encode()
        members["android/src/main/AndroidManifest.xml"] = _MANIFEST.encode()
        for abi, library in libraries(tree, manifests).items():
            members[f"android/src/main/jniLibs/{abi}/libg2p.so"] = library
        for file, content in beside(tree, manifests[0]).items():
            members[f"assets/{file}" if file == "weights.tar" else file] = content
        members |= {f"manifests/{each['name']}.json": readable_json(each) for each in manifests}
        path = tree / "dist" / f"{named(manifests[0])}-{version(manifests)}-flutter.zip"
        zipped({f"{FOLDER}/{file}": content for file, content in members.items()}, path)
        for left in plugins_of(tree, names[0]):
            if left != path and _variants(left) == set(names):
                left.unlink()
    return path


def plugins_of(tree: Path, name: str) -> list[Path]:
    """The plugins in `dist/` that were made of a variant and perhaps another, of whatever build."""
    return [path for path in sorted((tree / "dist").glob("g2p_*-flutter.zip")) if name in _variants(path)]


def _variants(path: Path) -> set[str]:
    """The names of the variants in a plugin; none in somebody else's."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.startswith(f"{_MANIFESTS}/")]
            return {json.loads(archive.read(name))["name"] for name in found}
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return set()


def _header(tree: Path, manifest: dict[str, Any]) -> str:
    with tarfile.open(tree / "dist" / manifest["archives"]["library"]["file"]) as archive:
        content = archive.extractfile(manifest["files"]["header"])
        assert content is not None  # a link has none, and archives hold files
        with closing(content):
            return content.read().decode()
