"""An npm package of one variant: module, weights, its tables, and what loads them in pages, workers and Node.

As a wheel, it is made of what is published.
"""

import gzip
import importlib.metadata
import io
import json
import re
import struct
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.products.members import licences, notices, pronouncing
from g2p_build.store import trees
from g2p_build.store.workspace import Workspace

__all__ = ["NpmPackage", "npm_packages_of", "write_npm_package"]

FILES = Path(__file__).with_name("npm_files")
"""The files that are the same in every package."""

FROM_LIBRARY = ("g2p.d.mts", "g2p.mjs", "g2p.wasm")
"""The members of the library's archive that a package has."""

LOADED = ("index.mjs", "variant.mjs", "worker.mjs", "thread.mjs", "g2p.mjs", "g2p.wasm", "weights.tar")
"""The files that a page loads."""

EPOCH = 499162500
"""The time of each file, in seconds: npm's own choice, in October 1985."""

_BLOCK = 0xFFFF  # bytes that a stored block of gzip holds at most

_README = """# {name}

Words to phonemes, offline: the variant `{variant}` of g2p-build, with its weights, in WebAssembly.

```js
import {{ load }} from "{name}";

const g2p = await load();
g2p.pronounce([{word}], {lang});
```

In a page, `import {{ load }} from "{name}/worker"` has the same methods as promises, and computes in a worker. The
types document each function. Languages: {languages}.
"""


@dataclass(frozen=True)
class NpmPackage:
    """A package that was written."""

    path: Path
    name: str  # that npm knows it by
    page_bytes: int  # that a page loads, each file compressed with gzip as servers do


@os_errors_explained()
def write_npm_package(workspace: Workspace, name: str) -> NpmPackage:
    """Writes the npm package of a published variant into `dist/`; the same archives always give the same bytes.

    Packages of earlier builds of the variant are removed.

    Args:
        workspace: the tree.
        name: the variant's.

    Raises:
        BuildError: the variant is no WebAssembly module of the family g2p, is not published, or the tree cannot be
            written.
    """
    tree = workspace.tree
    with trees.lock(workspace):
        manifest = pronouncing(tree, name, "an npm package")
        if manifest["target"]["package"] != "module":
            has = manifest["target"]["package"]
            raise BuildError(f"{name} has target.package={has}: an npm package holds a module (target=wasm)")
        npm_name = "g2p-" + re.sub(r"[^a-z0-9]+", "-", manifest["checkpoint"]["name"].lower()).strip("-")
        version = f"{importlib.metadata.version('g2p-build')}+{manifest['digest'][:8]}"
        dist = tree / "dist"
        path = dist / f"{npm_name}-{version}.tgz"
        temporary = dist / f".{path.name}.tmp"  # publishing removes what a kill leaves of it
        with ExitStack() as stack:
            parts = manifest["archives"]
            archives = {role: stack.enter_context(tarfile.open(dist / parts[role]["file"])) for role in parts}
            weights = stack.enter_context((dist / parts["weights"]["file"]).open("rb"))
            files = {**_members(manifest, archives, npm_name, version), "weights.tar": weights}
            page = sum(_compressed(files[name]) for name in LOADED)
            stored = stack.enter_context(_Stored(stack.enter_context(temporary.open("wb"))))
            with tarfile.open(fileobj=stored, mode="w|", format=tarfile.USTAR_FORMAT) as package:
                for file, content in files.items():
                    package.addfile(_entry(file, content), content)
        temporary.replace(path)
        for left in npm_packages_of(tree, name):
            if left != path:
                left.unlink()
    return NpmPackage(path, npm_name, page)


def npm_packages_of(tree: Path, name: str) -> list[Path]:
    """The npm packages in `dist/` that were made of a variant, of whatever build."""
    found = []
    for path in sorted((tree / "dist").glob("g2p-*.tgz")):
        try:
            with tarfile.open(path, "r:gz") as package:
                first = package.next()  # package.json, which says so
                content = package.extractfile(first) if first else None
                if content and json.loads(content.read())["g2p"]["variant"] == name:
                    found.append(path)
        except (OSError, EOFError, ValueError, KeyError, TypeError, tarfile.TarError, zlib.error):
            continue  # somebody else's
    return found


def _members(
    manifest: Mapping[str, Any], archives: Mapping[str, tarfile.TarFile], name: str, version: str
) -> dict[str, IO[bytes]]:
    """The files of a package but for its weights, `package.json` first."""
    texts = licences() | notices(manifest["files"]["notices"], archives)
    ours = {path.name: path.read_bytes() for path in sorted(FILES.iterdir()) if path.is_file()}
    library = {}
    for file in (*FROM_LIBRARY, "package.json"):
        member = archives["library"].extractfile(file)
        assert member is not None  # a link has none, and archives hold files
        with closing(member):
            library[file] = member.read()
    engines = json.loads(library.pop("package.json"))["engines"]
    weights = manifest["archives"]["weights"]
    variant = {"name": manifest["name"], "weights": {"size": weights["size"], "sha256": weights["sha256"]}}
    made = {
        "variant.mjs": "".join(f"export const {key} = {json.dumps(value)};\n" for key, value in variant.items()),
        "README.md": _readme(manifest, name),
        **texts,
    }
    files = {**{file: text.encode() for file, text in made.items()}, **ours, **library}
    described = _described(manifest, name, version, engines, sorted([*files, "weights.tar"]))
    return {file: io.BytesIO(data) for file, data in [("package.json", described), *sorted(files.items())]}


def _described(manifest: Mapping[str, Any], name: str, version: str, engines: Any, files: list[str]) -> bytes:
    """The package.json."""
    package = {
        "name": name,
        "version": version,
        "description": "Words to phonemes, offline: a WebAssembly module with its weights.",
        "license": "Apache-2.0",
        "type": "module",
        "types": "./index.d.mts",
        "exports": {
            ".": {"types": "./index.d.mts", "default": "./index.mjs"},
            "./worker": {"types": "./worker.d.mts", "default": "./worker.mjs"},
            "./core": {"types": "./g2p.d.mts", "default": "./g2p.mjs"},
            "./g2p.wasm": "./g2p.wasm",
            "./weights.tar": "./weights.tar",
            "./package.json": "./package.json",
        },
        "files": files,
        "engines": engines,
        "sideEffects": ["./thread.mjs"],
        "g2p": {"variant": manifest["name"], "digest": manifest["digest"]},
    }
    return (json.dumps(package, indent=2, ensure_ascii=False) + "\n").encode()


def _readme(manifest: Mapping[str, Any], name: str) -> str:
    languages = manifest["model"]["languages"]
    return _README.format(
        name=name,
        variant=manifest["name"],
        word=json.dumps("word"),
        lang=json.dumps(languages[0] if languages else "eng-us"),
        languages=", ".join(languages) if languages else "those that the checkpoint was trained on",
    )


def _entry(file: str, content: IO[bytes]) -> tarfile.TarInfo:
    """A member that depends on nothing but its name and content, as npm writes them."""
    entry = tarfile.TarInfo(f"package/{file}")
    entry.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    entry.mtime = EPOCH
    entry.mode = 0o644
    return entry


def _compressed(content: IO[bytes]) -> int:
    """How many bytes a server sends of a file."""
    content.seek(0)
    return len(gzip.compress(content.read(), mtime=0))


class _Stored(io.RawIOBase):
    """Writes gzip without compressing: compressors differ between machines. RFC 1951, 3.2.4, and RFC 1952."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out, self._sum, self._size = out, 0, 0
        self._held = bytearray()
        out.write(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._sum = zlib.crc32(data, self._sum)
        self._size += len(data)
        self._held += data
        while len(self._held) > _BLOCK:
            self._block(bytes(self._held[:_BLOCK]), last=False)
            del self._held[:_BLOCK]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._block(bytes(self._held), last=True)
            self._out.write(struct.pack("<II", self._sum, self._size & 0xFFFFFFFF))
        super().close()

    def _block(self, data: bytes, last: bool) -> None:
        self._out.write(struct.pack("<BHH", last, len(data), len(data) ^ 0xFFFF))
        self._out.write(data)
