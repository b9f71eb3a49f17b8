"""What packages for Android have in common: a library for each of its processors, the weights, one version."""

import hashlib
import importlib.metadata
import tarfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.products.members import licences, notices

__all__ = ["ABIS", "beside", "libraries", "refuse_others", "version"]

ABIS = {"aarch64-linux-android": "arm64-v8a", "x86_64-linux-android": "x86_64"}
"""A target's triple → Android's name for the processors."""


def refuse_others(manifest: dict[str, Any], what: str) -> None:
    """Refuses the manifest of a variant that is not for Android, or that nothing loads.

    Args:
        manifest: the variant's.
        what: what is made of it, such as "an AAR".

    Raises:
        BuildError: it is such a one.
    """
    target = manifest["target"]
    if target["triple"] not in ABIS or target["package"] != "shared":
        is_for = f"{target['triple']} with target.package={target['package']}"
        raise BuildError(f"{manifest['name']} is for {is_for}: {what} is of target=android_arm64,android_x86_64")


def version(manifests: Sequence[dict[str, Any]]) -> str:
    """This project's, with eight digits of the digest of the manifests."""
    digests = "".join(sorted(manifest["digest"] for manifest in manifests))
    return f"{importlib.metadata.version('g2p-build')}+{hashlib.sha256(digests.encode()).hexdigest()[:8]}"


def libraries(tree: Path, manifests: Sequence[dict[str, Any]]) -> dict[str, bytes]:
    """Android's name for the processors → the shared library.

    Raises:
        BuildError: two of the variants are for the same processors.
    """
    found: dict[str, bytes] = {}
    for manifest in manifests:
        triple = manifest["target"]["triple"]
        if ABIS[triple] in found:
            raise BuildError(f"two variants for {triple}: an app has one library for each processor")
        with tarfile.open(tree / "dist" / manifest["archives"]["library"]["file"]) as archive:
            content = archive.extractfile(manifest["files"]["library"][0])
            assert content is not None  # a link has none, and archives hold files
            with closing(content):
                found[ABIS[triple]] = content.read()
    return found


def beside(tree: Path, manifest: dict[str, Any]) -> dict[str, bytes]:
    """What comes with the libraries: the other archives as `ROLE.tar`, such as `weights.tar`; licences and notices."""
    parts = {role: tree / "dist" / archive["file"] for role, archive in manifest["archives"].items()}
    with ExitStack() as stack:
        archives = {role: stack.enter_context(tarfile.open(path)) for role, path in parts.items()}
        texts = licences() | notices(manifest["files"]["notices"], archives)
    found = {f"{role}.tar": path.read_bytes() for role, path in parts.items() if role != "library"}
    return found | {file: text.encode() for file, text in texts.items()}
