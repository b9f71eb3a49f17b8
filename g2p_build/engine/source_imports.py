"""Imports this package from its source files only, never from `__pycache__`.

Python trusts `__pycache__` as long as a source file keeps its size and its time in whole seconds. A key is taken of the
file's contents, so the code that runs under the key must come from those contents. `unlike` says whether it did: a file
may have been another when it was imported, and have been changed back since.
"""

import hashlib
import sys
from collections.abc import Mapping
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

__all__ = ["import_sources", "unlike"]

PACKAGE = Path(__file__).resolve().parents[1]


_imported: dict[str, bytes] = {}  # module → its source, as it was compiled


class _FromSource(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        _imported[fullname] = self.get_data(path)
        code: CodeType = self.source_to_code(_imported[fullname], path)
        return code


def unlike(sources: Mapping[str, tuple[str, str]]) -> list[str]:
    """The modules that this process has imported from other code than it should be.

    Args:
        sources: module → digests of its syntax tree and of its bytes, as from `store.sources.read_sources`.
    """
    return [name for name in _imported.keys() & sources.keys() if not _is_like(_imported[name], *sources[name])]


def _is_like(source: bytes, syntax: str, data: str) -> bool:
    if hashlib.sha256(source).hexdigest() == data:
        return True
    from g2p_build.store.sources import syntax_digest  # late: it, too, has to come from its source

    return syntax_digest(source) == syntax  # only comments, formatting or docstrings were other ones


def import_sources() -> None:
    """Makes this process compile, from source, every module of this package that it imports from now on."""

    def finder(folder: str) -> FileFinder:
        if not Path(folder).resolve().is_relative_to(PACKAGE):
            raise ImportError(f"{folder} is not ours")  # Python then asks the next hook
        return FileFinder(folder, (_FromSource, [".py"]))

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()
