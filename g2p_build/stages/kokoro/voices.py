"""Stage: voices in a folder, on the hub, in a package or made up → one safetensors file, a tensor a voice."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.checkpoints.kokoro.files import voice_files
from g2p_build.errors import BuildError
from g2p_build.models.kokoro.architecture import from_json
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "VOICES", "build", "memory", "source_files"]

VOICES = "voices.safetensors"


def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The files of voices in folders, or files that are named: name → path.

    Raises:
        BuildError: a place is not there or has no such files.
    """
    return voice_files(folders)


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound of a run's memory in bytes, without the worker's own: the voices twice, and one file of them."""
    return 100_000_000 + 2_000_000 * len(params["names"])


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `voices.safetensors`, and `voices.json`, which says its digest, its size and what it has.

    A voice is a tensor with its name, float32 [rows, 2 * style_dim], at a multiple of 64 bytes. Row N is for utterances
    of N + 1 symbols.

    Args:
        params: `names` of the voices; `source`: "path", "hub" with `repo` and `revision`, "packages", or "random"
            with `seed`.
        inputs: `architecture.json`, and for "path" the files from `source_files`.
        out: an empty folder.

    Raises:
        BuildError: a voice is not there, or not one for this model.
    """
    from g2p_build.checkpoints.kokoro.voices import on_hub, random_voices, read_voices
    from g2p_build.stages.weights import save_aligned

    architecture = from_json(json.loads(inputs["architecture.json"].read_bytes()))
    shape = (architecture.plbert.max_position_embeddings - 2, 2 * architecture.style_dim)
    names, source = params["names"], params["source"]
    if source == "random":
        voices = random_voices(names, shape, params["seed"])
    elif source == "packages":
        from g2p_build.checkpoints.kokoro.packages import voices_file

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "voices_ja.npz"
            path.write_bytes(voices_file())
            try:
                voices = read_voices({path.name: path}, names, shape)
            except BuildError as error:
                raise BuildError(f"{error} (others from a folder: checkpoint.voice_files=FOLDER)") from None
    else:
        files = {name: path for name, path in inputs.items() if name != "architecture.json"}
        if source == "hub":
            from g2p_build.checkpoints.hub import download

            files = download(params["repo"], params["revision"], on_hub(names))
        voices = read_voices(files, names, shape)
    save_aligned(voices, out / VOICES)
    data = (out / VOICES).read_bytes()
    description = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "names": list(voices),
        "rows": shape[0],
        "width": shape[1],
    }
    (out / "voices.json").write_bytes(canonical_json(description) + b"\n")


STAGE = Stage(
    build, tools=("numpy", "safetensors", "torch"), memory=memory, source_files=source_files, shows_progress=True
)
