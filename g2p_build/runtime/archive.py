"""Archives: found beside a manifest, checked against it, unpacked once into a cache by digest.

The cache has one folder for each archive, named by the archive's SHA-256. It holds the members and a record of their
sizes, times and digests. The folder appears by one rename. So a killed process leaves nothing that counts as unpacked,
and two processes may unpack the same archive at once.

A record is trusted as long as each member's size and times agree with it. Of the two times, the inode's cannot be set
back. If they disagree, the member is read again, and a folder with other bytes is unpacked anew.
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
    """The folder that archives are unpacked into: ``$G2P_CACHE``, else ``g2p`` in the user's cache directory.

    Raises:
        InvalidArchive: nobody says which folder that is: the user has no home.
    """
    try:
        if folder := os.environ.get("G2P_CACHE"):
            return Path(folder).expanduser().absolute()
        import platformdirs

        return platformdirs.user_cache_path("g2p", appauthor=False)
    except (RuntimeError, KeyError):  # a user without an entry and without HOME, as in containers
        raise InvalidArchive("this user has no home folder to unpack archives in: set G2P_CACHE to a folder") from None


def find(manifest: Path, file: str) -> Path:
    """Finds an archive of a manifest, beside the manifest or in ``../dist`` from it.

    Args:
        manifest: path of the manifest.
        file: name of the archive.

    Raises:
        MissingArchive: it is in neither place.
    """
    places = (manifest.absolute().parent, manifest.absolute().parent.parent / "dist")
    for place in places:
        if (place / file).is_file():
            return place / file
    raise MissingArchive(f"archive {file} is neither in {places[0]} nor in {places[1]}: build it, or copy it there")


def verify(path: Path, sha256: str, size: int) -> None:
    """Checks an archive's size in bytes and its SHA-256 (hex).

    Raises:
        MissingArchive: the archive cannot be read.
        TamperedArchive: it has another size or digest.
    """
    with _opened(path) as file:
        _verify(file, path, sha256, size)


def unpack(path: Path, sha256: str, size: int, members: Iterable[str]) -> Path:
    """Unpacks an archive into the cache, unless an intact copy is there already. Returns the folder with its members.

    Call `verify` first: if a copy is there, this function does not read the archive. Otherwise it checks the archive
    once more, through the same open file from which it then unpacks.

    Args:
        path: the archive, an uncompressed tar.
        sha256: its digest (hex), which also names the folder.
        size: its size in bytes.
        members: names that must be among its members.

    Raises:
        MissingArchive, TamperedArchive: as for `verify`.
        InvalidArchive: the archive is not a tar, holds a member that tarfile's ``data`` filter refuses, or lacks one of
            ``members``; or the cache cannot be written.
    """
    cache = cache_folder()
    folder = cache / sha256
    if not _intact(folder):
        try:
            _unpack(path, sha256, size, folder)
        except tarfile.TarError as error:
            raise InvalidArchive(f"{path.name}: not an archive that can be unpacked: {error}") from None
        except OSError as error:
            reason = error.strerror or error
            raise InvalidArchive(
                f"{path.name}: cannot be unpacked into {cache}: {reason}: set G2P_CACHE to another folder"
            ) from None
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
        # mkdtemp closes the folder to others. Who may read the cache is for the umask to say.
        temporary.chmod(0o777 & ~_umask())
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
    """Renames a finished folder to its final name, unless another process has put an intact one there."""
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
    """Whether a folder still holds the bytes that were unpacked into it. Reads only members with another time."""
    try:
        record = json.loads((folder / _RECORD).read_bytes())
        return all(
            _stat(folder / name) == {key: was[key] for key in ("size", "mtime_ns", "ctime_ns")}
            or ((folder / name).stat().st_size == was["size"] and _digest(folder / name) == was["sha256"])
            for name, was in record.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _umask() -> int:
    # The system tells the umask only by setting another. For an instant other threads' files are less open than usual.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


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
