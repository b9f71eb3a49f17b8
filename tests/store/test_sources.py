"""A stage's source digest covers its own syntax tree and those of its imports from the package, and nothing else."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from g2p_build.errors import BuildError
from g2p_build.store.digests import digest_of
from g2p_build.store.sources import keep_sources, kept_sources, source_digest, source_files, syntax_digest

FILES = {
    "__init__.py": '"""A package."""\n',
    "stages/__init__.py": "",
    "stages/one.py": (
        "from pkg.models import shape\n\ndef build():\n    from pkg.models.deep import inner\n    return inner, shape\n"
    ),
    "models/__init__.py": "",
    "models/shape.py": "WIDTH = 3\n",
    "models/deep/__init__.py": "from . import inner\n",
    "models/deep/inner.py": "import json\nDEPTH = 2\n",
    "models/other.py": "UNUSED = 1\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "pkg"


def digest(package: Path) -> str:
    return source_digest(package.parent / "cache", "pkg.stages.one", package)


def test_imports_are_followed_wherever_they_stand(package: Path) -> None:
    assert list(source_files(package.parent / "cache", "pkg.stages.one", package)) == [
        "pkg",
        "pkg.models",
        "pkg.models.deep",
        "pkg.models.deep.inner",
        "pkg.models.shape",
        "pkg.stages",
        "pkg.stages.one",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("models/shape.py", "WIDTH = 3", "WIDTH = 4", False),
        ("models/shape.py", "WIDTH = 3", "WIDTH  =  3  # elements", True),
        ("models/deep/inner.py", "DEPTH = 2", "DEPTH = 22", False),
        ("models/deep/inner.py", "DEPTH = 2", "DEPTH = (\n    2\n)", True),
        ("stages/one.py", "def build():", 'def build():\n    """Builds."""', True),
        ("stages/one.py", "return inner", "# both\n    return inner", True),
        ("stages/one.py", "return inner", '"no docstring"\n    return inner', False),
        ("stages/one.py", "return inner, shape", "return shape, inner", False),
        ("models/other.py", "UNUSED = 1", "UNUSED = 2", True),
        ("__init__.py", '"""A package."""', '"""The package."""', True),
        ("__init__.py", '"""A package."""', "VERSION = 2", False),
        ("models/deep/__init__.py", "from . import inner", "from . import inner\n\nKIND = 1", False),
    ],
)
def test_what_counts(package: Path, file: str, old: str, new: str, same: bool) -> None:
    before = digest(package)
    path = package / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert (digest(package) == before) is same


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("models/shape.py", "from pkg.models.other import UNUSED"),
        ("models/shape.py", "from pkg.models import other"),
        ("models/shape.py", "import pkg.models.other as other"),
        ("models/shape.py", "from . import other"),
        ("models/shape.py", "from .other import UNUSED"),
        ("models/shape.py", "def late():\n    from pkg.models import other"),
        ("models/__init__.py", "from . import other"),
        ("models/deep/inner.py", "from .. import other"),
        ("stages/__init__.py", "from ..models.other import *"),
    ],
)
def test_a_new_import_is_followed(package: Path, file: str, line: str) -> None:
    path = package / file
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")
    before = digest(package)
    (package / "models/other.py").write_text("UNUSED = 5\n", encoding="utf-8")
    assert digest(package) != before


def test_a_module_that_turns_up_where_one_was_imported_is_followed(package: Path) -> None:
    (package / "models/shape.py").write_text("from pkg.models import late\n", encoding="utf-8")
    before = digest(package)
    (package / "models/late.py").write_text("", encoding="utf-8")
    assert digest(package) != before


def test_an_import_that_is_gone_no_longer_counts(package: Path) -> None:
    (package / "models/deep/__init__.py").write_text("", encoding="utf-8")
    (package / "stages/one.py").write_text("from pkg.models import deep\n", encoding="utf-8")
    before = digest(package)
    (package / "models/deep/inner.py").write_text("DEPTH = 3\n", encoding="utf-8")
    assert digest(package) == before


def test_what_is_not_python_is_refused_by_name(package: Path) -> None:
    (package / "models/shape.py").write_text("WIDTH = = 3\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"models/shape\.py: not Python: .*line 1"):
        digest(package)


def test_threads_keep_the_same_sources_at_once(tmp_path: Path) -> None:
    """Two nodes of one stage run in two threads, and both end with the same sources to keep."""
    starting = threading.Barrier(8)

    def keep(digest: str, files: dict[str, str]) -> None:
        starting.wait()
        keep_sources(tmp_path, digest, files)

    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            files = {"pkg.stages.one": str(number) * 10_000}
            digest = digest_of(files)
            list(pool.map(keep, [digest] * 8, [files] * 8))
            assert kept_sources(tmp_path, digest) == files


SYNTAX = b'''
@decorated
def f(a, /, b=1, *c, d: int = 2, **e) -> None:
    """Doc."""
    x = [i for i in b if i]
    print(f"{x!r:>{a}} \xc3\xa9", *c, **{"k": None, **e})
    return None


class C(Base, metaclass=M):
    pass
'''


def test_every_version_of_python_gives_the_same_digest() -> None:
    """Machines with different ones share a cache. 3.12 has more fields in a syntax tree, and 3.13 dumps fewer."""
    assert (
        len({syntax_digest(source) for source in (b"x = []", b"x = ['']", b"x = ['', '']", b"x = None", b"x = f''")})
        == 5
    )
    assert syntax_digest(SYNTAX) == "d80760bab0a5939e9c3b8be5285da48befb806e87f337d9058fa73869c896948"
