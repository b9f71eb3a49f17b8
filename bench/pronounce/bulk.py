"""`g2p pronounce --input` on long lists: words a second, and the most memory that the command had.

    python -m bench.pronounce.bulk DATA --words 1000,1000000

DATA is a folder of LANG.tsv. Their words, a line of each language in turn and from the start again when they end, make
a list with a column for the language. Prints a table in Markdown.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.common import machine
from bench.common.checkout import ROOT
from g2p_build.engine import streams

__all__ = ["main"]

_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.pronounce.bulk", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder of LANG.tsv")
    parser.add_argument("--words", default="1000,100000,1000000", help="lengths of lists (%(default)s)")
    parser.add_argument("--manifest", type=Path, help="a variant (default: the index's, for this machine)")
    parser.add_argument("--threads", type=int, default=0, help="as `g2p pronounce --threads`")
    options = parser.parse_args()
    files = sorted(options.data.glob("*.tsv"))
    if not files:
        parser.error(f"{options.data} has no LANG.tsv")
    before = machine.load()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in map(int, options.words.split(",")):
            words = Path(folder) / "words.tsv"
            with words.open("w", encoding="utf-8") as file:
                file.writelines(itertools.islice(_endless(files), count))
            seconds, peak = _run(words, Path(folder) / "out.tsv", options.manifest, options.threads)
            rows.append(f"| {count:,} | {seconds:.1f} s | {count / seconds:,.0f} | {peak / 1e6:.1f} MB |")
            print(rows[-1], file=sys.stderr)
    print("\n".join(machine.lines(machine.describe(before), {})))
    print("\n| words | time | words a second | peak memory |\n|---|---|---|---|", *rows, sep="\n")


def _endless(files: list[Path]) -> Iterator[str]:
    """Lines of a word, a tab and its language."""

    def words(file: Path) -> Iterator[str]:
        while True:
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    yield line.rstrip("\n").partition("\t")[0] + f"\t{file.stem}\n"

    return itertools.chain.from_iterable(zip(*map(words, files), strict=True))


def _run(words: Path, out: Path, manifest: Path | None, threads: int) -> tuple[float, int]:
    """Seconds of the whole command, and the most bytes of memory that it had at a time."""
    command = [sys.executable, "-m", "g2p_build.runtime.cli", "pronounce", "--lang-column", "2", "--on-error", "skip"]
    command += ["--input", str(words), "--output", str(out), "--threads", str(threads)]
    command += ["--manifest", str(manifest)] if manifest else []
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    _, status, usage = os.wait4(os.spawnve(os.P_NOWAIT, sys.executable, command, env), 0)
    if status:
        raise SystemExit("g2p pronounce failed")
    return time.monotonic() - started, usage.ru_maxrss * _UNIT


if __name__ == "__main__":
    streams.guard()
    main()
