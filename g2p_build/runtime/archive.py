"""Archives: found beside a manifest, checked against it, unpacked once into a cache by digest.

The cache has one folder for each archive, named by its SHA-256, with its members and a record of their sizes, times and
digests. It appears by one rename, so a killed process leaves nothing that counts as unpacked and two processes may do
the same work at once. What a record says is trusted while size and times (of the last change of contents, which can be
set back, and of the inode, which cannot) of each member still agree; where they do not, the members are read again, and
a folder with other bytes is a miss: it is unpacked anew.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path

from g2p_build.runtime.errors import InvalidArchive, MissingArchive, TamperedArchive

__all__ = ["cache_folder", "find", "unpack", "verify"]

_RECORD = ".unpacked.json"
_TEMPORARY = ".unpacking-"
_DAY = 86_400  # seconds: a temporary folder older than this belongs to a process that was killed


def cache_folder() -> Path:
    """Where archives are unpacked: ``$G2P_CACHE``, else ``g2p`` in the user's cache directory."""
    if folder := os.environ.get("G2P_CACHE"):
        return Path(folder).absolute()
    import platformdirs

    return platformdirs.user_cache_path("g2p", appauthor=False)


def find(manifest: Path, file: str) -> Path:
    """The archive ``file`` of the manifest at this path: beside it, else in ``../dist`` from it.

    Raises:
        MissingArchive: it is in neither place.
    """
    places = (manifest.absolute().parent, manifest.absolute().parent.parent / "dist")
    for place in places:
        if (place / file).is_file():
            return place / file
    raise MissingArchive(f"archive {file} is neither in {places[0]} nor in {places[1]}: build it, or copy it there")


def verify(path: Path, sha256: str, size: int) -> None:
    """Checks an archive's size and SHA-256.

    Raises:
        MissingArchive: it cannot be read.
        TamperedArchive: it has another size or digest.
    """
    with _opened(path) as file:
        _verify(file, path, sha256, size)


def unpack(path: Path, sha256: str, size: int, members: Iterable[str]) -> Path:
    """The folder that holds an archive's members; unpacks it there unless an intact copy is there already.

    Call `verify` first: an archive that is unpacked already is not read again. One that is not is checked once more,
    through the same open file that is then unpacked.

    Args:
        path: the archive, an uncompressed tar.
        sha256: its digest, which also names the folder.
        size: its size in bytes.
        members: names that must be among its members.

    Raises:
        MissingArchive, TamperedArchive: as `verify`.
        InvalidArchive: it is no tar, holds a member that the ``data`` filter refuses, lacks one of ``members``, or
            the cache cannot be written.
    """
    cache = cache_folder()
    folder = cache / sha256
    if not _intact(folder):
        try:
            _unpack(path, sha256, size, folder)
        except tarfile.TarError as error:
            raise InvalidArchive(f"{path.name}: not an archive that can be unpacked: {error}") from None
        except OSError as error:
            raise InvalidArchive(f"{path.name}: cannot be unpacked into {cache}: {error.strerror or error}") from None
    for name in members:
        if not (folder / name).is_file():
            raise InvalidArchive(f"{path.name}: has no member '{name}', which its manifest names")
    return folder


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise MissingArchive(f"archive {path} cannot be read: {error.strerror or error}") from None
    with file:
        yield file


def _verify(file: BufferedReader, path: Path, sha256: str, size: int) -> None:
    found = os.fstat(file.fileno()).st_size
    if found != size:
        raise TamperedArchive(f"archive {path} has {found} bytes, its manifest says {size}: build or download it again")
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise TamperedArchive(
            f"archive {path} has SHA-256 {digest[:16]}..., its manifest says {sha256[:16]}...: "
            "build or download it again"
        )


def _unpack(path: Path, sha256: str, size: int, folder: Path) -> None:
    cache = folder.parent
    cache.mkdir(parents=True, exist_ok=True)
    _sweep(cache)
    temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=cache))
    try:
        with _opened(path) as file:
            _verify(file, path, sha256, size)
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                tar.extractall(temporary, filter="data")
        names = sorted(item.relative_to(temporary).as_posix() for item in temporary.rglob("*") if item.is_file())
        record = {name: {**_stat(temporary / name), "sha256": _digest(temporary / name)} for name in names}
        (temporary / _RECORD).write_text(json.dumps(record), encoding="utf-8")
        _publish(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _publish(temporary: Path, folder: Path) -> None:
    """Renames a finished folder to its name, unless another process was first with an intact one."""
    while True:
        try:
            temporary.rename(folder)
            return
        except OSError:
            if not folder.exists():
                raise
            if _intact(folder):
                return
            aside = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=folder.parent))
            with contextlib.suppress(FileNotFoundError):  # another process moved it aside before us
                folder.rename(aside / folder.name)
            shutil.rmtree(aside, ignore_errors=True)


def _intact(folder: Path) -> bool:
    """Whether a folder holds the bytes that were unpacked into it; reads only members whose size or time changed."""
    try:
        record = json.loads((folder / _RECORD).read_bytes())
        return all(
            _stat(folder / name) == {key: was[key] for key in ("size", "mtime_ns", "ctime_ns")}
            or ((folder / name).stat().st_size == was["size"] and _digest(folder / name) == was["sha256"])
            for name, was in record.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _stat(path: Path) -> dict[str, int]:
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "ctime_ns": stat.st_ctime_ns}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sweep(cache: Path) -> None:
    """Removes what killed processes left behind."""
    for left in cache.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _DAY:
                shutil.rmtree(left, ignore_errors=True)
