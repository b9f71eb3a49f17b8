"""The blob store: files that never change, each named by the digest of its bytes."""

from pathlib import Path

from g2p_build.store.digests import file_digest
from g2p_build.store.files import no_folder
from g2p_build.store.layers import layers

__all__ = ["find", "path_of", "put"]


def path_of(cache: Path, digest: str) -> Path:
    """The path of the blob with this digest in a cache's own folder, whether or not the file exists."""
    return cache / "blobs" / digest[:2] / digest


def find(cache: Path, digest: str) -> Path | None:
    """The blob's path, or None if the file is missing or its bytes no longer match the digest."""
    for layer in layers(cache):
        path = path_of(layer, digest)
        try:
            if path.is_file() and file_digest(cache, path) == digest:
                return path
        except OSError:
            continue
    return None


def put(cache: Path, file: Path) -> str:
    """Moves a finished file into the store and returns its digest. The file must be on the cache's file system.

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
