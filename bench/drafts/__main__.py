"""One word at a time with the embedded checkpoint's draft table, with one that is always wrong, and without.

    python -m bench.drafts --words ../shared/data/test

builds the embedded checkpoint for this machine in each dtype, has all three pronounce each word in turn, on one thread,
and writes docs/benchmarks/drafts.md and drafts.json. `--words` is a folder of LANG.tsv with a word a line, of which the
table should have seen none. Times are what the library itself counts: encoder, prefill, passes of the decoder, guesses.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.common import machine
from bench.common.checkout import DOCS, ROOT
from bench.drafts import report
from g2p_build.config import compose
from g2p_build.draft.table import write_table
from g2p_build.engine import streams
from g2p_build.runtime.standalone import Model, open_model

DTYPES = ("float32", "float16", "bfloat16", "int8")
WRONG = "\N{LATIN LETTER BILABIAL CLICK}"  # no pronunciation has it

Words = Mapping[str, Sequence[str]]
"""Words by language."""


def main() -> None:
    """Runs the benchmark and writes its report."""
    parser = argparse.ArgumentParser(prog="python -m bench.drafts", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    overrides = ("target=host", f"dtype={','.join(DTYPES)}")
    subprocess.run([sys.executable, "-m", "doit", "compile", *overrides], cwd=ROOT, check=True)
    words, before = _words(options.words), machine.load()
    found: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for variant in compose.variants(overrides):
        with tempfile.TemporaryDirectory() as name:
            found[variant.dtype] = _measured(variant.name, Path(name), words, options.rounds)
        Console(stderr=True).print(variant.dtype)
    result = {
        "command": shlex.join(["python", "-m", "bench.drafts", *sys.argv[1:]]),
        "machine": machine.describe(before),
        "words": {lang: len(listed) for lang, listed in words.items()},
        "rounds": options.rounds,
        "found": found,
    }
    report.write(DOCS, result)


def _words(folder: Path) -> Words:
    """The words of each list that a variant with the default bounds has room for."""
    files = sorted(folder.glob("*.tsv"))
    if not files:
        raise SystemExit(
            f"--words {folder}: there is no LANG.tsv: give a folder with a list of words for each language"
        )
    lines = {file.stem: file.read_text(encoding="utf-8").splitlines() for file in files}
    most = 64 - len("<>: ")
    return {
        lang: [word for word in (line.partition("\t")[0] for line in listed) if len((lang + word).encode()) <= most]
        for lang, listed in lines.items()
    }


def _measured(name: str, folder: Path, words: Words, rounds: int) -> dict[str, dict[str, dict[str, int]]]:
    """Contender → language → statistics: counts of the last round, and for each word the times of its fastest one."""
    manifest = json.loads((ROOT / "manifests" / f"{name}.json").read_bytes())
    for entry in manifest["archives"].values():
        with tarfile.open(ROOT / "dist" / entry["file"]) as archive:
            archive.extractall(folder, filter="data")
    (folder / "wrong").write_bytes(
        write_table({lang: [(word, WRONG * len(word)) for word in listed] for lang, listed in words.items()}, 250_000)
    )
    tables = {"without": None, "with": folder / "draft.g2pdraft", "wrong": folder / "wrong"}
    files = folder / "libg2p.so", folder / "weights.safetensors", None
    models = {name: open_model(*files, table, shared=False) for name, table in tables.items()}
    best: dict[tuple[str, str, str], dict[str, int]] = {}
    for number in range(rounds + 1):
        models["wrong"] = open_model(*files, tables["wrong"], shared=False)  # one that was just opened
        for lang, listed in words.items():
            for word in listed:
                for contender, model in models.items():
                    found, key = _counted(model, word, lang), (contender, lang, word)
                    if number > 1 and _spent(best[key]) < _spent(found):  # the first round is not timed
                        found |= {name: value for name, value in best[key].items() if name in report.TIMES.values()}
                    best[key] = found
    return {
        contender: {
            lang: report.total(best[contender, lang, word] for word in listed) for lang, listed in words.items()
        }
        for contender in models
    }


def _spent(counts: Mapping[str, int]) -> int:
    return sum(counts[name] for name in report.TIMES.values())


def _counted(model: Model, word: str, lang: str) -> dict[str, int]:
    """What a model did for a word."""
    before = model.statistics()
    model.texts([word], lang, 1)
    after = model.statistics()
    assert before is not None and after is not None
    earlier = asdict(before)
    return {name: value - earlier[name] for name, value in asdict(after).items()}


if __name__ == "__main__":
    streams.guard()
    main()
