"""What goes into a package made of what is published: members of a zip file, licences, notices of others' work."""

import importlib.metadata
import io
import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import g2p_build
from g2p_build.errors import BuildError
from g2p_build.products.publish import read_manifest

__all__ = ["entry", "licences", "named", "notices", "pronouncing", "published", "zipped"]


def entry(name: str, size: int) -> zipfile.ZipInfo:
    """A member that depends on nothing but its name and content. It is stored: compressors differ between machines."""
    made = zipfile.ZipInfo(name)  # of 1980, the oldest that there is
    made.file_size = size
    made.create_system = 3  # Unix, whose modes these are
    made.external_attr = (stat.S_IFREG | 0o644) << 16
    return made


def published(tree: Path, name: str) -> dict[str, Any]:
    """The manifest of a published variant.

    Args:
        tree: the folder of the build.
        name: the variant's.

    Raises:
        BuildError: it is not published.
    """
    manifest = read_manifest(tree / "manifests" / f"{name}.json")
    if manifest is None:
        raise BuildError(f"manifests/{name}.json is missing or damaged: compile {name} first")
    return manifest


def pronouncing(tree: Path, name: str, what: str) -> dict[str, Any]:
    """The manifest of a published variant that pronounces words: most packages hold no others.

    Args:
        tree: the folder of the build.
        name: the variant's.
        what: what is made of it, such as "a wheel".

    Raises:
        BuildError: it is not published, or is of another family than g2p.
    """
    manifest = published(tree, name)
    if manifest["family"] != "g2p":
        raise BuildError(f"{name} is of the family {manifest['family']!r}: {what} holds one that pronounces words")
    return manifest


def named(manifest: Mapping[str, Any]) -> str:
    """The name of a variant's package: its library's and its checkpoint's, as an identifier."""
    library = manifest["files"]["header"].removesuffix(".h")
    return f"{library}_" + re.sub(r"[^a-z0-9]+", "_", manifest["checkpoint"]["name"].lower()).strip("_")


def licences() -> dict[str, str]:
    """The project's licence, and the notice of others' work."""
    root = Path(g2p_build.__file__).parents[1]
    found = {}
    for name in ("LICENSE", "NOTICE"):
        if (root / "pyproject.toml").exists() and (root / name).exists():
            found[name] = (root / name).read_text(encoding="utf-8")
            continue
        text = importlib.metadata.distribution("g2p-build").read_text(f"licenses/{name}")
        if text is None:
            raise BuildError(f"g2p-build was installed without its {name}, which a package ships: install it again")
        found[name] = text
    return found


def notices(names: Sequence[str], archives: Mapping[str, tarfile.TarFile]) -> dict[str, str]:
    """The notices that archives hold, by their names."""
    found = {}
    for name in names:
        for archive in archives.values():
            if name in archive.getnames():
                content = archive.extractfile(name)
                assert content is not None
                with closing(content):
                    found[name] = content.read().decode()
    return found


def zipped(members: Mapping[str, bytes | Path], out: Path) -> None:
    """Writes a zip file; the same members always give the same bytes.

    Args:
        members: name → content, or the file that has it.
        out: the file. It is whole or not there: what a kill leaves beside it, publishing removes.
    """
    temporary = out.with_name(f".{out.name}.tmp")
    with zipfile.ZipFile(temporary, "w") as archive:
        for name, content in sorted(members.items()):
            source = content.open("rb") if isinstance(content, Path) else io.BytesIO(content)
            with source, archive.open(entry(name, source.seek(0, io.SEEK_END)), "w") as member:
                source.seek(0)
                shutil.copyfileobj(source, member)
    temporary.replace(out)
