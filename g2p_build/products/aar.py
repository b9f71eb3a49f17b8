"""An Android archive (AAR) of a variant for one or two processors: libraries, weights (and voices) and Kotlin classes.

It is made of what is published, as a wheel is, and holds the manifests.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from g2p_build.config.family import Native, family
from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.products.android import beside, libraries, refuse_others, version
from g2p_build.products.kotlin import classes_jar
from g2p_build.products.members import named, published, zipped
from g2p_build.store import trees
from g2p_build.store.files import readable_json
from g2p_build.store.workspace import Workspace

__all__ = ["aars_of", "write_aar"]

_MANIFESTS = "META-INF/g2p"

# The version is that of Android 5.0, the first for 64-bit processors.
_ANDROID_MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="{library}.runtime">
  <uses-sdk android:minSdkVersion="21" />
</manifest>
"""

_KEEP = """# C calls these by name.
-keepclasseswithmembers,includedescriptorclasses class {library}.runtime.Native {{
  native <methods>;
}}
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
        BuildError: a variant is not for Android or not published, its family has no classes, there is no Kotlin
            compiler, or the tree cannot be written.
    """
    tree = workspace.tree
    with trees.lock(workspace):
        manifests = [published(tree, name) for name in names]
        native = family(manifests[0]["family"]).native
        if native.kotlin is None:
            raise BuildError(f"{names[0]} is of the family {manifests[0]['family']!r}, which has no classes for an AAR")
        for manifest in manifests:
            refuse_others(manifest, "an AAR")
        members = _members(tree, manifests, native) | {"classes.jar": classes_jar(native.name, native.kotlin)}
        package = named(manifests[0])
        path = tree / "dist" / f"{package}-{version(manifests)}.aar"
        zipped(members, path)
        for left in aars_of(tree, names[0]):
            if left != path and _variants(left) == set(names):
                left.unlink()
    return path


def aars_of(tree: Path, name: str) -> list[Path]:
    """The AARs in `dist/` that were made of a variant and perhaps another, of whatever build."""
    return [path for path in sorted((tree / "dist").glob("*.aar")) if name in _variants(path)]


def _variants(path: Path) -> set[str]:
    """The names of the variants in an AAR; none in somebody else's."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.startswith(f"{_MANIFESTS}/")]
        return {name.removeprefix(f"{_MANIFESTS}/").removesuffix(".json") for name in found}
    except (OSError, zipfile.BadZipFile):
        return set()


def _members(tree: Path, manifests: Sequence[dict[str, Any]], native: Native) -> dict[str, bytes]:
    """All members but the classes, whose `Android.kt` names the folder of the assets too."""
    name = native.name
    members = {
        "AndroidManifest.xml": _ANDROID_MANIFEST.format(library=name).encode(),
        "META-INF/com/android/build/gradle/aar-metadata.properties": _METADATA.encode(),
        "R.txt": b"",
        "proguard.txt": _KEEP.format(library=name).encode(),
    }
    members |= {f"jni/{abi}/lib{name}.so": library for abi, library in libraries(tree, manifests).items()}
    members |= {f"assets/{name}/{file}": content for file, content in beside(tree, manifests[0]).items()}
    return members | {f"{_MANIFESTS}/{each['name']}.json": readable_json(each) for each in manifests}
