"""What was measured in Node, as a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.common import page
from bench.common.spread import ratios, spread

__all__ = ["PEER", "markdown", "write"]

FILES = "web"
"""Name, without its ending, of the files that a report is kept in."""

PEER = "onnxruntime-web float32"
"""Whom the others' times are compared with."""


def write(folder: Path, result: Mapping[str, Any]) -> None:
    """Writes the page and the numbers: `web.md` and `web.json`.

    Raises:
        OSError: the folder cannot be written.
    """
    page.write(folder, FILES, result, markdown(result), picture=None)


def markdown(result: Mapping[str, Any]) -> list[str]:
    """The page's lines."""
    versions = {"Node": result["node"], "onnxruntime-web": result["onnxruntime-web"]}
    return [
        *page.head("A word in a web page: this project's module and onnxruntime-web", FILES, result, versions),
        "",
        "## How to read it",
        "",
        f"- The embedded checkpoint pronounces the golden set's {result['words']} words, one at a time. All contenders "
        f"are in one process of Node and take turns: {len(result['times'][PEER])} rounds after two that are not timed.",
        "- onnxruntime-web has its `wasm` backend and one thread, as g2p has, and the three graphs that public ports "
        "of such models have: encoder, decoder, decoder with past. Its int8 is ONNX Runtime's dynamic quantisation, "
        "a scale a channel.",
        "- Times are the processor's: turns that other processes had in between do not count.",
        "- A value is the median over the rounds, with the first and third quartile. A ratio is that of one round's "
        "two times: below 1 is faster than onnxruntime-web in float32.",
        "- `g2p` is the module for relaxed SIMD, `plain SIMD` the one for engines without; `guesses` are those of the "
        "draft table, which says the same sooner.",
        "- MB are of what a page loads: code, code as a server sends it (gzip), and the model.",
        "",
        "## Milliseconds a word",
        "",
        *page.table([_row(result, name) for name in result["times"]]),
    ]


def _row(result: Mapping[str, Any], name: str) -> dict[str, str]:
    ms, size = result["times"][name], result["bytes"][name]
    return {
        "contender": name,
        "ms a word": str(spread(ms)),
        "times its float32": str(ratios(ms, result["times"][PEER])),
        "code MB": f"{size['code'] / 1e6:.2f}",
        "gzipped MB": f"{size['gzipped'] / 1e6:.2f}",
        "model MB": f"{size['model'] / 1e6:.2f}",
        "words as g2p float32": f"{result['alike'][name]} of {result['words']}",
    }
