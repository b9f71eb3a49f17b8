"""The golden set: sixty real words of six languages, with transformers' output for them and the embedded checkpoint.

`words.tsv` lists the words (language, tab, word). `embedded.json` holds the generated ids and strings; it has the same
bytes whenever it is made. `latency.json` says how long the reference took when it was last made, and on what machine.
"""

import json
import platform
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from g2p_build.config.variant import Variant
from g2p_build.families.g2p.checkpoint import g2p_checkpoint
from g2p_build.store.files import readable_json, write_atomically

__all__ = ["FOLDER", "regenerate", "words"]

FOLDER = Path(__file__).parent


def words() -> dict[str, list[str]]:
    """The golden words by language, in the order of the file."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / "words.tsv").read_text(encoding="utf-8").splitlines():
        language, word = line.split("\t")
        found.setdefault(language, []).append(word)
    return found


def regenerate(
    variant: Variant, files: Mapping[str, Path], folder: Path = FOLDER, published: str | None = None
) -> dict[str, Any]:
    """Runs transformers' greedy `generate` over the golden words, one at a time on one thread, and writes the files.

    Args:
        variant: gives the checkpoint, the prompt and the bounds.
        files: the outputs of the variant's checkpoint: `architecture.json`, `model.safetensors`.
        published: the folder that they were made from; None: they were made from none.
        folder: where the golden set goes.

    Returns:
        The contents of `latency.json`: milliseconds a word (median, fastest, slowest), threads, versions, machine.
    """
    import torch
    import transformers

    from g2p_build.reference.generate import Published, Reference

    checkpoint = g2p_checkpoint(variant)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        given = files["architecture.json"], files["model.safetensors"]
        reference = Reference(checkpoint, *given, Published(published) if published else None)
        rows, times = [], []
        for language, listed in words().items():
            for word in listed:
                started = time.perf_counter()
                [ids] = reference.tokens([word], language, variant.max_lens.output)
                times.append(1000 * (time.perf_counter() - started))
                rows.append({"lang": language, "word": word, "ids": ids, "ipa": reference.text(ids)})
    finally:
        torch.set_num_threads(threads)
    golden = {
        "checkpoint": checkpoint.name,
        "prompt": checkpoint.resolved_prompt,
        "max_length": variant.max_lens.output,
        "reference": f"transformers {transformers.__version__}",
        "words": rows,
    }
    latency = {
        "ms_per_word": {
            "median": round(statistics.median(times), 1),
            "fastest": round(min(times), 1),
            "slowest": round(max(times), 1),
        },
        "threads": 1,
        "batch": 1,
        "reference": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "machine": f"{platform.machine()}, {_processor()}",
    }
    for name, data in (("embedded.json", _lines(golden)), ("latency.json", readable_json(latency))):
        write_atomically(folder / name, data, folder / f".{name}.tmp")
    return latency


def _lines(golden: dict[str, Any]) -> bytes:
    """The golden file's JSON with one line for each word, so that a changed word is a changed line."""
    rows = [json.dumps(row, sort_keys=True, ensure_ascii=False) for row in golden["words"]]
    head = readable_json(golden | {"words": []}).decode()
    return head.replace("[]", "[\n  " + ",\n  ".join(rows) + "\n ]").encode()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )
