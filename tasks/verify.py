"""`doit verify …`: compares built variants with transformers and a dictionary. The result goes into their manifests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build import graph
from g2p_build.errors import BuildError
from g2p_build.products import publish

from .cli.options import JSON
from .cli.output import progress, show
from .cli.plan import Plan

__all__ = ["tasks"]

WORDS = {
    "name": "words",
    "long": "words",
    "type": str,
    "default": "",
    "help": "a folder of LANG.tsv files or one such file (word, tab, pronunciations), besides the golden set",
}
PROMPTS = {
    "name": "prompts",
    "long": "prompts",
    "type": bool,
    "default": False,
    "help": "instead: score the checkpoint with and without the space and the end token (needs --words)",
}


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator."""

    def verify() -> dict[str, Any]:
        return {
            "actions": [(_verify, [plan])],
            "params": [WORDS, PROMPTS, JSON],
            "task_dep": [f"compile:{variant.name}" for variant in plan.variants],
            "doc": "run the variants asked for against transformers and a dictionary (--words PATH, --prompts, --json)",
        }

    return {"task_verify": verify}


def _verify(plan: Plan, words: str, prompts: bool, as_json: bool) -> TaskFailed | None:
    from g2p_build.reference.verify import as_manifest, golden_set, read_word_set, verify

    failed = []
    try:
        if prompts:
            return _compare_prompts(plan, words, as_json)
        sets = [golden_set(), *([read_word_set(Path(words))] if words else [])]
        for variant in plan.variants:
            nodes = graph.nodes(variant)
            manifest = plan.tree / "manifests" / f"{variant.name}.json"
            languages = sum(len(words.words) for words in sets)
            reports = list(progress(verify(plan.build, manifest, variant, nodes, sets), variant.name, languages))
            publish.publish(plan.build, nodes, plan.default.name, as_manifest(reports, sets))
            rows = [
                {"variant": variant.name, "set": report.set, "language": report.language, "words": report.words}
                | {"equal": report.equal, "too_long": report.too_long}
                | _scores(report.score)
                for report in reports
            ]
            show(rows, as_json, variant.name, hidden=["variant"])
            differ = sum(report.words - report.equal for report in reports)
            if differ and variant.dtype == "float32":
                failed.append(f"{variant.name}: {differ} words differ from transformers")
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    return TaskFailed("; ".join(failed)) if failed else None


def _compare_prompts(plan: Plan, words: str, as_json: bool) -> TaskFailed | None:
    from g2p_build.reference.verify import compare_prompts, read_word_set

    if not words:
        return TaskFailed("--prompts needs a dictionary to score against: --words PATH")
    for checkpoint, variant in {variant.checkpoint.name: variant for variant in plan.variants}.items():
        dictionary = read_word_set(Path(words))
        scores = compare_prompts(plan.build, variant, graph.nodes(variant), dictionary)
        rows = [
            {"checkpoint": checkpoint, "space": space, "end_token": append_eos}
            | {"language": language, "words": score.words}
            | _scores(score)
            for space, append_eos, language, score in progress(scores, checkpoint, 4 * len(dictionary.words))
        ]
        show(rows, as_json, checkpoint, hidden=["checkpoint"])
    return None


def _scores(score: Any) -> dict[str, Any]:
    return {"PER": round(score.per(), 4), "WER": round(score.wer(), 3)} if score else {"PER": None, "WER": None}
