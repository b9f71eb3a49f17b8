"""Pronounces words with a variant. It shows a complete reader of manifests, as an app in another language has one.

It uses only the standard library. `docs/apps.md` and `docs/manifest.md` explain what it does. The arguments are a
manifest, a language and words.

    python examples/pronounce.py manifests/embedded-host-b1-i64-o128-float32-kv.json eng-us knight through
"""

import ctypes
import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any


class Error(ctypes.Structure):
    """g2p_error."""

    _fields_ = [("status", ctypes.c_int), ("word", ctypes.c_size_t), ("message", ctypes.c_char * 240)]


class Bounds(ctypes.Structure):
    """g2p_bounds."""

    _fields_ = [(name, ctypes.c_size_t) for name in ("input", "ids", "text", "vocabulary", "rows")]


def read(manifest: Path) -> dict[str, Any]:
    """Reads a manifest and checks its digest."""
    data: dict[str, Any] = json.loads(manifest.read_bytes())
    if data["schema_version"] != 2:
        raise SystemExit(f"{manifest}: has schema version {data['schema_version']}, this reader knows only 2")
    canonical = {key: value for key, value in data.items() if key != "digest"}
    text = json.dumps(canonical, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if hashlib.sha256(text.encode()).hexdigest() != data["digest"]:
        raise SystemExit(f"{manifest}: was changed after it was built")
    return data


def archive(manifest: Path, entry: dict[str, Any]) -> Path:
    """Finds an archive beside the manifest or in ../dist, and checks its digest."""
    places = (manifest.parent / entry["file"], manifest.parent.parent / "dist" / entry["file"])
    path = next((place for place in places if place.is_file()), places[0])
    if hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
        raise SystemExit(f"{path}: is not the archive that its manifest names")
    return path


def main(manifest: Path, language: str, words: list[str]) -> None:
    """Prints each word and its phonemes."""
    data = read(manifest)
    weights = archive(manifest, data["archives"]["weights"])
    with tempfile.TemporaryDirectory() as folder:  # an app keeps what it unpacked
        with tarfile.open(archive(manifest, data["archives"]["library"])) as members:
            members.extractall(folder, filter="data")
        library = ctypes.CDLL(str(Path(folder, data["files"]["library"][0])))
        library.g2p_limits.restype = Bounds
        model, error = ctypes.c_void_p(), Error()
        # The library maps the weights archive as it is; nobody has to unpack it.
        if library.g2p_open(str(weights).encode(), None, ctypes.byref(model), ctypes.byref(error)):
            raise SystemExit(error.message.decode())
        phonemes = ctypes.create_string_buffer(library.g2p_limits(model).text)
        for word in words:
            given = (model, word.encode(), language.encode(), phonemes, ctypes.c_size_t(len(phonemes)))
            if library.g2p_pronounce(*given, ctypes.byref(error)):
                raise SystemExit(error.message.decode())
            print(f"{word}\t{phonemes.value.decode()}")
        library.g2p_close(model)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
