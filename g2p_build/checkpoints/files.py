"""Finds the files that make up a transformers checkpoint, in a folder or on the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from g2p_build.errors import BuildError

__all__ = [
    "BESIDE",
    "CONFIG",
    "EMBEDDED",
    "SPECIAL_IDS",
    "WEIGHTS",
    "find_files",
    "local_files",
    "read_config",
    "special_ids",
]

EMBEDDED = Path(__file__).resolve().parent / "embedded"
"""The folder of the checkpoint that comes with the package."""

CONFIG = "config.json"

WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Files that may hold weights. The first that exists is taken, as in transformers. An index names shards."""


GENERATION = "generation_config.json"

BESIDE = (GENERATION, "added_tokens.json", "tokenizer_config.json")
"""Files that change what a checkpoint's numbers mean, where they are there."""

ADAPTER = "adapter_config.json"

SPECIAL_IDS = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
"""The fields for ids that the decoder begins, pads and ends with, and what T5 has where a file leaves them out."""

GREEDY: dict[str, Any] = {
    "num_beams": 1,
    "do_sample": False,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "min_length": 0,
    "min_new_tokens": 0,
    "forced_bos_token_id": None,
    "forced_decoder_ids": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "bad_words_ids": None,
    "sequence_bias": None,
}
"""Settings that decide what transformers' `generate` says, and the values with which it is a greedy search."""


def local_files(folder: Path) -> dict[str, Path]:
    """The files of the checkpoint in a folder, by name: `config.json`, the weights, and those of `BESIDE` that it has.

    Raises:
        BuildError: there is no such folder, or it lacks its config, its weights or a shard of them.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise BuildError(f"checkpoint folder {folder} {what}: give the folder that holds {CONFIG} and {WEIGHTS[0]}")

    def get(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    return find_files(get, f"checkpoint folder {folder}")


def find_files(get: Callable[[str], Path | None], where: str) -> dict[str, Path]:
    """Collects a checkpoint's files. It prefers safetensors to pickles.

    Args:
        get: from a file's name to a local path, or None if there is no such file.
        where: names the checkpoint in errors.

    Returns:
        name → path.

    Raises:
        BuildError: a file is missing, or the index of shards is not valid.
    """
    if get(ADAPTER) is not None:
        raise BuildError(
            f"{where} has an {ADAPTER}: an adapter is not a whole model; merge it into its base "
            "(peft: merge_and_unload) and give the folder that you save then"
        )
    config = get(CONFIG)
    if config is None:
        raise BuildError(f"{where} has no {CONFIG}: it is not a transformers checkpoint")
    beside = {name: path for name in BESIDE if (path := get(name)) is not None}
    for name in WEIGHTS:
        weights = get(name)
        if weights is None:
            continue
        found = {CONFIG: config, name: weights}
        for shard in _shards(name, weights) if name.endswith(".json") else ():
            path = get(shard)
            if path is None:
                raise BuildError(f"{where} has no {shard}, which its {name} lists: the checkpoint is not complete")
            found[shard] = path
        return found | beside
    raise BuildError(f"{where} has no weights: {', '.join(WEIGHTS[:3])} or an index of shards is needed")


def special_ids(files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """What a checkpoint's files say of the ids that the decoder begins, pads and ends with.

    As in transformers, `generation_config.json` comes before `config.json`.

    Args:
        files: name → path, as from `find_files`.

    Returns:
        Name, one of `SPECIAL_IDS` → "id" and the "file" that says it, of those that are not what T5 has.

    Raises:
        BuildError: a file is not JSON; an id is none; `generate` would not search greedily with these files; or a
            tokenizer has tokens besides the bytes, padding, end, unknown and the `<extra_id_N>` that ByT5 has.
    """
    found: dict[str, dict[str, Any]] = {}
    for file in (CONFIG, GENERATION):
        if file not in files:
            continue
        settings = _json_object(file, files[file])
        for name in SPECIAL_IDS:
            value = settings.get(name)
            if isinstance(value, list) and len(value) == 1:
                [value] = value
            if value is None:
                continue
            if type(value) is not int or value < 0:
                raise BuildError(f"{file} says {name} {value!r}: one id, a number of 0 or more, is needed")
            found[name] = {"id": value, "file": file}
        for name, greedy in GREEDY.items():
            value = settings.get(name, greedy)
            if value not in (greedy, None, []):
                raise BuildError(
                    f"{file} says {name} {value!r}, with which transformers searches otherwise than greedily, and "
                    "libraries here search greedily: remove it if that will do"
                )
    for file in BESIDE[1:]:
        if file in files:
            _check_tokens(file, _json_object(file, files[file]))
    return {name: said for name, said in found.items() if said["id"] != SPECIAL_IDS[name]}


def _check_tokens(file: str, settings: Mapping[str, Any]) -> None:
    decoder = settings.get("added_tokens_decoder", {})
    known = isinstance(decoder, Mapping) and all(isinstance(token, Mapping) for token in decoder.values())
    if not known:
        raise BuildError(f"{file}: added_tokens_decoder is not an object of tokens: repair it")
    tokens = settings if file == "added_tokens.json" else [token.get("content", "") for token in decoder.values()]
    for token in tokens:
        if re.fullmatch(r"<pad>|</s>|<unk>|<extra_id_\d+>", token) is None:
            raise BuildError(
                f"{file} has the token {token!r}, which is one id there and bytes here: only ByT5's tokens are taken"
            )


def read_config(path: Path) -> dict[str, Any]:
    """The contents of a `config.json`.

    Raises:
        BuildError: it is not a JSON object.
    """
    return _json_object(CONFIG, path)


def _shards(name: str, path: Path) -> list[str]:
    weight_map = _json_object(name, path).get("weight_map")
    if (
        not isinstance(weight_map, Mapping)
        or not weight_map
        or not all(isinstance(v, str) for v in weight_map.values())
    ):
        raise BuildError(f"{name} has no weight_map from tensors to files: it is not an index of shards")
    suffix = "." + name.removesuffix(".index.json").rpartition(".")[2]
    for shard in weight_map.values():
        # Shards lie beside their index. A name that leads elsewhere could read any file of the machine.
        if not shard.endswith(suffix) or "/" in shard or "\\" in shard:
            raise BuildError(f"{name} lists {shard!r}: a shard is a {suffix} file beside its index")
    return sorted(set(weight_map.values()))


def _json_object(name: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BuildError(f"{name} is not JSON: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise BuildError(f"{name} is not a JSON object but {type(value).__name__}")
    return value
