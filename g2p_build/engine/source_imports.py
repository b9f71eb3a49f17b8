"""Imports this package from its source files only, never from `__pycache__`.

Python trusts `__pycache__` as long as a source file keeps its size and its time in whole seconds. A key is taken of the
file's contents, so the code that runs under the key must come from those contents.
"""

import sys
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

__all__ = ["import_sources"]

PACKAGE = Path(__file__).resolve().parents[1]


class _FromSource(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def import_sources() -> None:
    """Makes this process compile, from source, every module of this package that it imports from now on."""

    def finder(folder: str) -> FileFinder:
        if not Path(folder).resolve().is_relative_to(PACKAGE):
            raise ImportError(f"{folder} is not ours")  # Python then asks the next hook
        return FileFinder(folder, (_FromSource, [".py"]))

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()
