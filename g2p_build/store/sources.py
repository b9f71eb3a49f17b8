"""The digest of a stage's source: its own file and everything that it imports from this package."""

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError
from g2p_build.store.digests import digest_of, remember
from g2p_build.store.files import canonical_json, no_folder, write_atomically
from g2p_build.store.layers import layers
from g2p_build.store.scratch import temporary

__all__ = [
    "keep_sources",
    "kept_sources",
    "read_sources",
    "source_digest",
    "source_files",
    "source_path",
    "syntax_digest",
]

PACKAGE = Path(__file__).resolve().parents[1]


def source_digest(cache: Path, module: str, package: Path = PACKAGE) -> str:
    """SHA-256 (hex) over the syntax trees of a module and of everything it imports from this package.

    Comments, formatting and docstrings are left out: changing them makes nothing stale.

    Args:
        cache: the cache's folder, which remembers the parsed files.
        module: dotted name inside the package (`g2p_build.stages.code`).
        package: the package's folder.

    Raises:
        BuildError: one of the files is not Python.
    """
    return digest_of(source_files(cache, module, package))


def source_files(cache: Path, module: str, package: Path = PACKAGE) -> dict[str, str]:
    """A module and all modules of this package that it imports: dotted name → digest of the syntax tree.

    The arguments and the errors are those of `source_digest`.
    """
    return {name: syntax for name, (syntax, _) in read_sources(cache, module, package).items()}


def read_sources(cache: Path, module: str, package: Path = PACKAGE) -> dict[str, tuple[str, str]]:
    """A module and all modules of this package that it imports: name → digests of the syntax tree and of the bytes.

    The arguments and the errors are those of `source_digest`.
    """
    found: dict[str, tuple[str, str]] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        path = _file(name, package)
        if name in found or path is None:
            continue
        # The kind holds the module's name because relative imports are resolved against it.
        parsed = remember(cache, path, f"syntax-3 {name}", partial(_parse, module=name, package=package.name))
        found[name] = parsed["digest"], parsed["bytes"]
        todo += parsed["imports"]
    return dict(sorted(found.items()))


def source_path(module: str, package: Path = PACKAGE) -> str:
    """The path of a module's file inside the package, such as "stages/code.py". The file need not exist."""
    path = _file(module, package) or package.parent.joinpath(*module.split(".")).with_suffix(".py")
    return path.relative_to(package).as_posix()


def keep_sources(cache: Path, digest: str, files: Mapping[str, str]) -> None:
    """Keeps the files behind a source digest, so that `doit why` can say which of them changed.

    Args:
        cache: the cache's folder.
        digest: of `files`. If it is not (the source was edited meanwhile), nothing is kept.
        files: module → digest of its syntax tree.

    Raises:
        OSError: the cache cannot be written.
    """
    path = _sources_path(cache, digest)
    if digest_of(files) == digest and not path.is_file():
        write_atomically(no_folder(path), canonical_json({"files": files}) + b"\n", temporary(cache))


def kept_sources(cache: Path, digest: str) -> dict[str, str] | None:
    """The files behind a source digest (module → digest of its syntax tree), or None if they are not known."""
    for layer in layers(cache):
        try:
            files: dict[str, str] = json.loads(_sources_path(layer, digest).read_bytes())["files"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if digest_of(files) == digest:
            return files
    return None


def _sources_path(cache: Path, digest: str) -> Path:
    return cache / "sources" / f"{digest}.json"


def _file(module: str, package: Path) -> Path | None:
    base = package.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _parse(path: Path, module: str, package: str) -> dict[str, Any]:
    data = path.read_bytes()
    try:
        tree = ast.parse(data, filename=path.name)
    except (SyntaxError, ValueError) as error:
        raise BuildError(f"{path}: not Python: {error}") from None
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = module if path.name == "__init__.py" else module.rpartition(".")[0]
            for _ in range(node.level - 1):
                parent = parent.rpartition(".")[0]
            base = ".".join(filter(None, [parent if node.level else "", node.module or ""]))
            # `from a.b import c` may mean the module a.b.c or a name inside a.b. We follow both, if they exist.
            imports.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    imports = {name for name in imports if name.split(".")[0] == package}
    # Importing a.b.c runs a/__init__ and a.b/__init__ too.
    for name in [*imports, module]:
        parts = name.split(".")
        imports.update(".".join(parts[:end]) for end in range(1, len(parts)))
    return {
        "digest": _digest_of(tree),
        "bytes": hashlib.sha256(data).hexdigest(),
        "imports": sorted(imports - {module}),
    }


def syntax_digest(source: bytes) -> str:
    """SHA-256 (hex) of a Python file's syntax tree, without docstrings."""
    return _digest_of(ast.parse(source))


def _digest_of(tree: ast.Module) -> str:
    _drop_docstrings(tree)
    return hashlib.sha256(repr(_plain(tree)).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """A syntax tree as plain data, without its empty fields. `ast.dump` says the same in other words in each Python."""
    if isinstance(value, ast.JoinedStr):  # some versions put empty texts between the parts of an f-string
        value.values = [each for each in value.values if not (isinstance(each, ast.Constant) and each.value == "")]
    if isinstance(value, ast.AST):
        fields = [(name, field) for name, field in ast.iter_fields(value) if field is not None and field != []]
        return type(value).__name__, [(name, _plain(field)) for name, field in fields]
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
            and isinstance(node.body[0].value, ast.Constant)
            and isinstance(node.body[0].value.value, str)
        ):
            node.body = node.body[1:]
