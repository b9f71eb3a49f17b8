"""The blob store: digest → bytes."""

from pathlib import Path

from g2p_build.store.digests import file_digest
from g2p_build.store.files import no_folder

__all__ = ["find", "path_of", "put"]


def path_of(cache: Path, digest: str) -> Path:
    """Where the blob of a digest lies, whether or not it is there."""
    return cache / "blobs" / digest[:2] / digest


def find(cache: Path, digest: str) -> Path | None:
    """The blob's file, or None where it is absent or its bytes no longer match its digest."""
    path = path_of(cache, digest)
    try:
        return path if path.is_file() and file_digest(cache, path) == digest else None
    except OSError:
        return None


def put(cache: Path, file: Path) -> str:
    """Moves a finished file (on the cache's own file system) into the store and returns its digest.

    Raises:
        OSError: the store cannot be written.
    """
    digest = file_digest(cache, file)
    if find(cache, digest):
        file.unlink()
        return digest
    path = path_of(cache, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.chmod(0o444)
    file.replace(no_folder(path))
    return digest
