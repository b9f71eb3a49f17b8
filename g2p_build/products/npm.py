"""An npm package of one variant: module, weights, its tables or voices, and what loads them in pages, workers and Node.

As a wheel, it is made of what is published.
"""

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
from g2p_build.native.files import RELAXED, relaxed_name
from g2p_build.products.members import licences, notices, published
from g2p_build.store import trees
from g2p_build.store.workspace import Workspace

__all__ = ["NpmPackage", "npm_packages_of", "write_npm_package"]

FILES = Path(__file__).with_name("npm_files")
"""The files that are the same in every package; a folder in it, named after a library, has those of one family."""

_SHARED = (
    "asking.mjs",
    "hearing.mjs",
    "index.mjs",
    "kept.mjs",
    "loading.mjs",
    "thread.mjs",
    "variant.mjs",
    "worker.mjs",
)


@dataclass(frozen=True)
class _Kind:
    """What the packages of a family have of their own."""

    library: str  # its name, with which the package's begins
    archives: tuple[str, ...]  # roles; they lie beside the module as ROLE.tar
    description: str
    readme: str  # with {name}, {variant} and what `_facts` has

    @property
    def from_library(self) -> tuple[str, ...]:
        """The members of the library's archive that a package has."""
        return (f"{self.library}.d.mts", f"{self.library}.mjs", *self.modules, "loading.mjs", RELAXED)

    @property
    def modules(self) -> tuple[str, str]:
        """The modules, of which a page loads one."""
        return (f"{self.library}.wasm", relaxed_name(self.library))

    @property
    def loaded(self) -> tuple[str, ...]:
        """The files that every page loads, besides a module."""
        return (*_SHARED, RELAXED, f"{self.library}.mjs", *(f"{role}.tar" for role in self.archives))


EPOCH = 499162500
"""The time of each file, in seconds: npm's own choice, in October 1985."""

_BLOCK = 0xFFFF  # bytes that a stored block of gzip holds at most

_WORDS = """# {name}

Words to phonemes, offline: the variant `{variant}` of g2p-build, with its weights, in WebAssembly.

```js
import {{ load }} from "{name}";

const g2p = await load();
g2p.pronounce([{word}], {lang});
```

In a page, `import {{ load }} from "{name}/worker"` has the same methods as promises, and computes in a worker. The
types document each function. Languages: {languages}.
"""

_SPEECH = """# {name}

Phonemes to sound, offline: the variant `{variant}` of g2p-build, with its weights and voices, in WebAssembly.

```js
import {{ loadSpeech }} from "{name}";

const speech = await loadSpeech();
const pieces = speech.speak("həlˈO wˈɜɹld.", {{ voice: {voice} }});
for await (const {{ samples }} of pieces) play(samples, speech.limits.sampleRate);
```

In a page, `import {{ loadSpeech }} from "{name}/worker"` has the same methods, and computes in a worker. The types
document each function. Voices: {voices}. Languages whose pronunciations it reads: {languages}.{weights}
"""

KINDS = {
    "g2p": _Kind("g2p", ("weights",), "Words to phonemes, offline: a WebAssembly module with its weights.", _WORDS),
    "kokoro": _Kind(
        "tts",
        ("weights", "voices"),
        "Phonemes to sound, offline: a WebAssembly module with its weights and voices.",
        _SPEECH,
    ),
}
"""What is packaged, by the family of a manifest."""


@dataclass(frozen=True)
class NpmPackage:
    """A package that was written."""

    path: Path
    name: str  # that npm knows it by
    page_bytes: int  # that a page loads at most, each file compressed with gzip as servers do


@os_errors_explained()
def write_npm_package(workspace: Workspace, name: str) -> NpmPackage:
    """Writes the npm package of a published variant into `dist/`; the same archives always give the same bytes.

    Packages of earlier builds of the variant are removed.

    Args:
        workspace: the tree.
        name: the variant's.

    Raises:
        BuildError: the variant is no WebAssembly module, is not published, or the tree cannot be written.
    """
    tree = workspace.tree
    with trees.lock(workspace):
        manifest = published(tree, name)
        if manifest["family"] not in KINDS:
            raise BuildError(
                f"{name} is of the family {manifest['family']!r}: an npm package holds one of {', '.join(KINDS)}"
            )
        if manifest["target"]["package"] != "module":
            has = manifest["target"]["package"]
            raise BuildError(f"{name} has target.package={has}: an npm package holds a module (target=wasm)")
        kind = KINDS[manifest["family"]]
        npm_name = f"{kind.library}-" + re.sub(r"[^a-z0-9]+", "-", manifest["checkpoint"]["name"].lower()).strip("-")
        version = f"{importlib.metadata.version('g2p-build')}+{manifest['digest'][:8]}"
        dist = tree / "dist"
        path = dist / f"{npm_name}-{version}.tgz"
        temporary = dist / f".{path.name}.tmp"  # publishing removes what a kill leaves of it
        with ExitStack() as stack:
            parts = manifest["archives"]
            archives = {role: stack.enter_context(tarfile.open(dist / parts[role]["file"])) for role in parts}
            beside = {f"{role}.tar": (dist / parts[role]["file"]).open("rb") for role in kind.archives}
            for opened in beside.values():
                stack.enter_context(opened)
            files = {**_members(kind, manifest, archives, npm_name, version), **beside}
            page = sum(_compressed(files[name]) for name in kind.loaded)
            page += max(_compressed(files[name]) for name in kind.modules)
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
    paths = [path for kind in KINDS.values() for path in (tree / "dist").glob(f"{kind.library}-*.tgz")]
    for path in sorted(paths):
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
    kind: _Kind, manifest: Mapping[str, Any], archives: Mapping[str, tarfile.TarFile], name: str, version: str
) -> dict[str, IO[bytes]]:
    """The files of a package but for its weights and voices, `package.json` first."""
    texts = licences() | notices(manifest["files"]["notices"], archives)
    folders = (FILES, FILES / kind.library)
    ours = {path.name: path.read_bytes() for folder in folders for path in sorted(folder.iterdir()) if path.is_file()}
    library = {}
    for file in (*kind.from_library, "package.json"):
        member = archives["library"].extractfile(file)
        assert member is not None  # a link has none, and archives hold files
        with closing(member):
            library[file] = member.read()
    engines = json.loads(library.pop("package.json"))["engines"]
    variant: dict[str, Any] = {"name": manifest["name"]}
    for role in kind.archives:
        archive = manifest["archives"][role]
        variant[role] = {"kind": role, "size": archive["size"], "sha256": archive["sha256"]}
    made = {
        "variant.mjs": "".join(f"export const {key} = {json.dumps(value)};\n" for key, value in variant.items()),
        "README.md": kind.readme.format(name=name, variant=manifest["name"], **_facts(manifest, archives)),
        **texts,
    }
    files = {**{file: text.encode() for file, text in made.items()}, **ours, **library}
    beside = [f"{role}.tar" for role in kind.archives]
    described = _described(kind, manifest, name, version, engines, sorted([*files, *beside]))
    return {file: io.BytesIO(data) for file, data in [("package.json", described), *sorted(files.items())]}


def _described(
    kind: _Kind, manifest: Mapping[str, Any], name: str, version: str, engines: Any, files: list[str]
) -> bytes:
    """The package.json."""
    library = kind.library
    package = {
        "name": name,
        "version": version,
        "description": kind.description,
        "license": "Apache-2.0",
        "type": "module",
        "types": "./index.d.mts",
        "exports": {
            ".": {"types": "./index.d.mts", "default": "./index.mjs"},
            "./worker": {"types": "./worker.d.mts", "default": "./worker.mjs"},
            "./core": {"types": f"./{library}.d.mts", "default": f"./{library}.mjs"},
            **{f"./{module}": f"./{module}" for module in kind.modules},
            **{f"./{role}.tar": f"./{role}.tar" for role in kind.archives},
            "./package.json": "./package.json",
        },
        "files": files,
        "engines": engines,
        "sideEffects": ["./thread.mjs"],
        "g2p": {"variant": manifest["name"], "digest": manifest["digest"]},
    }
    return (json.dumps(package, indent=2, ensure_ascii=False) + "\n").encode()


def _facts(manifest: Mapping[str, Any], archives: Mapping[str, tarfile.TarFile]) -> dict[str, str]:
    """What a README says of a variant."""
    languages = list(manifest["model"]["languages"] or [])
    facts = {"languages": ", ".join(languages) if languages else "those that the checkpoint was trained on"}
    if manifest["family"] == "g2p":
        return facts | {"word": json.dumps("word"), "lang": json.dumps(languages[0] if languages else "eng-us")}
    voices = _voices(archives["voices"], manifest["files"]["voices"])
    weights = f" Its weights: {manifest['model']['weights']}." if manifest["model"]["weights"] else ""
    return facts | {"voices": ", ".join(voices), "voice": json.dumps(voices[0]), "weights": weights}


def _voices(archive: tarfile.TarFile, file: str) -> list[str]:
    """The names of the voices in an archive: the tensors of a safetensors file."""
    member = archive.extractfile(file)
    assert member is not None
    with closing(member):
        (size,) = struct.unpack("<Q", member.read(8))
        return sorted(set(json.loads(member.read(size))) - {"__metadata__"})


def _entry(file: str, content: IO[bytes]) -> tarfile.TarInfo:
    """A member that depends on nothing but its name and content, as npm writes them."""
    entry = tarfile.TarInfo(f"package/{file}")
    entry.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    entry.mtime = EPOCH
    entry.mode = 0o644
    return entry


def _compressed(content: IO[bytes]) -> int:
    """How many bytes a server sends of a file: of gzip, at the level that servers take."""
    content.seek(0)
    compressor, size = zlib.compressobj(6, wbits=31), 0
    while data := content.read(1 << 20):
        size += len(compressor.compress(data))
    return size + len(compressor.flush())


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
