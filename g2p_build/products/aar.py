"""An Android archive (AAR) of a variant for one or two processors: libraries, weights and Kotlin classes.

It is made of what is published, as a wheel is, and holds the manifests.
"""

import hashlib
import importlib.metadata
import tarfile
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.products.kotlin import classes_jar
from g2p_build.products.members import licences, named, notices, zipped
from g2p_build.products.publish import read_manifest
from g2p_build.store import trees
from g2p_build.store.files import readable_json
from g2p_build.store.workspace import Workspace

__all__ = ["ABIS", "aars_of", "write_aar"]

ABIS = {"aarch64-linux-android": "arm64-v8a", "x86_64-linux-android": "x86_64"}
"""A target's triple → Android's name for the processors."""

ASSETS = "assets/g2p"
"""The folder of the weights, which `Android.kt` names too."""

_MANIFESTS = "META-INF/g2p"

# The version is that of Android 5.0, the first for 64-bit processors.
_ANDROID_MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="g2p.runtime">
  <uses-sdk android:minSdkVersion="21" />
</manifest>
"""

_KEEP = """# C calls these by name.
-keepclasseswithmembers,includedescriptorclasses class g2p.runtime.Native {
  native <methods>;
}
# The suspending functions alone need it.
-dontwarn kotlinx.coroutines.**
"""

_METADATA = """aarFormatVersion=1.0
aarMetadataVersion=1.0
minCompileSdk=21
"""


@os_errors_explained()
def write_aar(workspace: Workspace, names: Sequence[str]) -> Path:
    """Writes an AAR of published variants into `dist/`; the same archives and compiler always give the same bytes.

    Archives of earlier builds of the same variants are removed.

    Args:
        workspace: the tree.
        names: the variants', which differ in their target alone.

    Returns:
        The AAR's path.

    Raises:
        BuildError: a variant is not for Android or not published, there is no Kotlin compiler, or the tree cannot be
            written.
    """
    tree = workspace.tree
    with trees.lock(workspace):
        manifests = [_published(tree, name) for name in names]
        members = _members(tree, manifests) | {"classes.jar": classes_jar()}
        package = named(manifests[0])
        digests = "".join(sorted(manifest["digest"] for manifest in manifests))
        version = f"{importlib.metadata.version('g2p-build')}+{hashlib.sha256(digests.encode()).hexdigest()[:8]}"
        path = tree / "dist" / f"{package}-{version}.aar"
        zipped(members, path)
        for left in aars_of(tree, names[0]):
            if left != path and _variants(left) == set(names):
                left.unlink()
    return path


def aars_of(tree: Path, name: str) -> list[Path]:
    """The AARs in `dist/` that were made of a variant and perhaps another, of whatever build."""
    return [path for path in sorted((tree / "dist").glob("g2p_*.aar")) if name in _variants(path)]


def _variants(path: Path) -> set[str]:
    """The names of the variants in an AAR; none in somebody else's."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.startswith(f"{_MANIFESTS}/")]
        return {name.removeprefix(f"{_MANIFESTS}/").removesuffix(".json") for name in found}
    except (OSError, zipfile.BadZipFile):
        return set()


def _published(tree: Path, name: str) -> dict[str, Any]:
    manifest = read_manifest(tree / "manifests" / f"{name}.json")
    if manifest is None:
        raise BuildError(f"manifests/{name}.json is missing or damaged: compile {name} first")
    target = manifest["target"]
    if target["triple"] not in ABIS or target["package"] != "shared":
        is_for = f"{target['triple']} with target.package={target['package']}"
        raise BuildError(f"{name} is for {is_for}: an AAR is of target=android_arm64,android_x86_64")
    return manifest


def _members(tree: Path, manifests: Sequence[dict[str, Any]]) -> dict[str, bytes]:
    """All members but the classes."""
    members = {
        "AndroidManifest.xml": _ANDROID_MANIFEST.encode(),
        "META-INF/com/android/build/gradle/aar-metadata.properties": _METADATA.encode(),
        "R.txt": b"",
        "proguard.txt": _KEEP.encode(),
    }
    [weights] = {manifest["archives"]["weights"]["file"] for manifest in manifests}
    for manifest in manifests:
        name, files, parts = manifest["name"], manifest["files"], manifest["archives"]
        library = f"jni/{ABIS[manifest['target']['triple']]}/{files['library'][0]}"
        if library in members:
            raise BuildError(f"two variants for {manifest['target']['triple']}: an AAR has one for each processor")
        with ExitStack() as stack:
            archives = {role: stack.enter_context(tarfile.open(tree / "dist" / parts[role]["file"])) for role in parts}
            content = archives["library"].extractfile(files["library"][0])
            assert content is not None  # a link has none, and archives hold files
            with closing(content):
                members[library] = content.read()
            texts = licences() | notices(files["notices"], archives)
        members |= {f"{ASSETS}/{file}": text.encode() for file, text in texts.items()}
        members[f"{_MANIFESTS}/{name}.json"] = readable_json(manifest)
    return members | {f"{ASSETS}/weights.tar": (tree / "dist" / weights).read_bytes()}
