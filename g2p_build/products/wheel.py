"""A Python wheel of one variant: library, weights, its tables and the thin runtime, and nothing that it depends on.

It is made of what is published, not by a stage: it holds the manifest, so the manifest cannot name it.
"""

import base64
import hashlib
import importlib.metadata
import io
import json
import re
import struct
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Any

from g2p_build import runtime
from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.products.members import entry, licences, named, notices, pronouncing
from g2p_build.store import trees
from g2p_build.store.workspace import Workspace

__all__ = ["platform_tag", "wheels_of", "write_wheel"]

RUNTIME = (
    "abi",
    "cancel",
    "engine",
    "errors",
    "form",
    "g2p",
    "joining",
    "language_tags",
    "languages",
    "lexicon",
    "results",
    "standalone",
    "tokenizer",
)
"""The modules of the runtime that a library beside its weights needs. None of them needs another distribution."""

MODULE = "packaged"
"""The module that becomes the package's `__init__.py`."""

OLDEST_GLIBC = (2, 17)
"""The oldest glibc that installers have a tag for on every processor."""

MUSL = "musllinux_1_2"  # the version of musl that libraries are linked for
_CHUNK = 1 << 20  # bytes
_BUILD_VERSION = 0x32  # a load command of Mach-O

_METADATA = """Metadata-Version: 2.4
Name: {name}
Version: {version}
Summary: Grapheme-to-phoneme: {variant}, with its weights. Pronounces words offline.
License-Expression: Apache-2.0
{licences}Requires-Python: >=3.11
Description-Content-Type: text/markdown

```python
import {package}

{package}.pronounce({word!r}, {lang!r})
```

Languages: {languages}.
"""

_WHEEL = """Wheel-Version: 1.0
Generator: g2p-build ({version})
Root-Is-Purelib: false
Tag: py3-none-{tag}
"""


@os_errors_explained()
def write_wheel(workspace: Workspace, name: str) -> Path:
    """Writes the wheel of a published variant into `dist/`; the same archives always give the same bytes.

    Wheels of earlier builds of the variant are removed.

    Args:
        workspace: the tree.
        name: the variant's.

    Returns:
        The wheel's path.

    Raises:
        BuildError: the variant is of another family than g2p, has no library that Python can load, or is not published;
            or the tree cannot be written.
    """
    tree = workspace.tree
    with trees.lock(workspace):
        manifest = pronouncing(tree, name, "a wheel")
        target = manifest["target"]
        if (target["package"], target["engine"]) != ("shared", "standalone"):
            has = f"target.package={target['package']} target.engine={target['engine']}"
            raise BuildError(f"{name} has {has}: a wheel holds a shared library (package=shared engine=standalone)")
        dist, parts = tree / "dist", manifest["archives"]
        with ExitStack() as stack:
            archives = {role: stack.enter_context(tarfile.open(dist / parts[role]["file"])) for role in parts}
            library = archives["library"].extractfile(manifest["files"]["library"][0])
            assert library is not None  # a link has none, and archives hold files
            with closing(library):
                tag = platform_tag(library.read(), target["triple"])
            package = named(manifest)
            version = f"{importlib.metadata.version('g2p-build')}+{manifest['digest'][:8]}"
            path = dist / f"{package}-{version}-py3-none-{tag}.whl"
            temporary = dist / f".{path.name}.tmp"  # publishing removes what a kill leaves of it
            with zipfile.ZipFile(temporary, "w") as wheel:
                _fill(wheel, manifest, archives, package, version, tag)
            temporary.replace(path)
        for left in wheels_of(tree, name):
            if left != path:
                left.unlink()
    return path


def wheels_of(tree: Path, name: str) -> list[Path]:
    """The wheels in `dist/` that were made of a variant, of whatever build."""
    found = []
    for path in sorted((tree / "dist").glob("g2p_*.whl")):
        try:
            with zipfile.ZipFile(path) as wheel:
                if json.loads(wheel.read(f"{path.name.partition('-')[0]}/manifest.json"))["name"] == name:
                    found.append(path)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            continue  # somebody else's
    return found


def platform_tag(library: bytes, triple: str) -> str:
    """The tag of the platforms that a shared library loads on, as installers know them.

    Args:
        library: the file.
        triple: the target's.

    Raises:
        BuildError: there is no tag for the platform.
    """
    architecture = triple.partition("-")[0]
    if triple.endswith("linux-gnu"):
        needed = [(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", library)]
        return "manylinux_{}_{}_{}".format(*max([OLDEST_GLIBC, *needed]), architecture)
    if triple.endswith("linux-musl"):
        return f"{MUSL}_{architecture}"
    if "apple-macos" in triple:
        return f"macosx_{_oldest_macos(library)}_0_{architecture}"
    raise BuildError(f"no wheel is known for {triple}: there are tags for Linux and macOS")


def _oldest_macos(library: bytes) -> int:
    """The major version of the oldest macOS that a Mach-O file says it is for. Its names since 11 end in a zero."""
    commands = struct.unpack_from("<I", library, 16)[0]
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", library, at)
        if command == _BUILD_VERSION:
            return int(struct.unpack_from("<I", library, at + 12)[0] >> 16)
        at += size
    raise BuildError("the library does not say which macOS it is for")


def _fill(
    wheel: zipfile.ZipFile,
    manifest: Mapping[str, Any],
    archives: Mapping[str, tarfile.TarFile],
    package: str,
    version: str,
    tag: str,
) -> None:
    files, info = manifest["files"], f"{package}-{version}.dist-info"
    record: list[str] = []

    def add(name: str, content: IO[bytes], size: int) -> None:
        digest = hashlib.sha256()
        with wheel.open(entry(name, size), "w") as out:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
        text = base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
        record.append(f"{name},sha256={text},{size}\n")

    def add_text(name: str, text: str) -> None:
        data = text.encode()
        add(name, io.BytesIO(data), len(data))

    for name, text in _modules(package):
        add_text(name, text)
    add_text(f"{package}/manifest.json", json.dumps(manifest, ensure_ascii=False, sort_keys=True, indent=1) + "\n")
    tables = filter(None, [files["lexicon"], files["draft"]])
    members = {"library": [files["library"][0]], "weights": [files["weights"], *tables]}
    for role, names in members.items():
        for name in names:
            member = archives[role].getmember(name)
            content = archives[role].extractfile(member)
            assert content is not None
            with closing(content):
                add(f"{package}/{name}", content, member.size)
    texts = {**licences(), **notices(files["notices"], archives)}
    for name, text in texts.items():
        add_text(f"{info}/licenses/{name}", text)
    languages = manifest["model"]["languages"]
    metadata = _METADATA.format(
        name=package.replace("_", "-"),
        package=package,
        version=version,
        variant=manifest["name"],
        licences="".join(f"License-File: {name}\n" for name in texts),
        word="word",
        lang=languages[0] if languages else "eng-us",
        languages=", ".join(languages) if languages else "those that the checkpoint was trained on",
    )
    add_text(f"{info}/METADATA", metadata)
    add_text(f"{info}/WHEEL", _WHEEL.format(version=version.partition("+")[0], tag=tag))
    record.append(f"{info}/RECORD,,\n")
    with wheel.open(entry(f"{info}/RECORD", len("".join(record).encode())), "w") as out:
        out.write("".join(record).encode())


def _modules(package: str) -> Iterator[tuple[str, str]]:
    """The Python files: name in the wheel, and text. Imports are those of the package's own copy of the runtime."""
    folder = Path(runtime.__file__).parent

    def text(module: str) -> str:
        return (folder / f"{module}.py").read_text(encoding="utf-8").replace("g2p_build.runtime", f"{package}._runtime")

    yield f"{package}/__init__.py", text(MODULE)
    yield f"{package}/py.typed", ""
    yield f"{package}/_runtime/__init__.py", '"""The runtime of g2p-build, as of the version of this package."""\n'
    for module in RUNTIME:
        yield f"{package}/_runtime/{module}.py", text(module)
