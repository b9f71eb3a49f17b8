"""`doit verify …`: compares built variants with a reference and a dictionary. The result goes into their manifests."""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build import graph
from g2p_build.config.family import reference
from g2p_build.errors import BuildError
from g2p_build.products import publish

from .cli.options import JSON, path_of
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
    @cache
    def sets_of(module: str) -> list[Any]:
        verifier = importlib.import_module(module)
        return [verifier.golden_set(), *([verifier.read_word_set(path_of(words))] if words else [])]

    failed = []
    try:
        if prompts:
            return _compare_prompts(plan, words, as_json)
        for variant in plan.variants:
            module = reference(variant).verify
            verifier, sets = importlib.import_module(module), sets_of(module)
            nodes = graph.nodes(variant)
            manifest = plan.tree / "manifests" / f"{variant.name}.json"
            languages = sum(len(one.words) for one in sets)
            compared = verifier.verify(plan.build, manifest, variant, nodes, sets)
            reports = list(progress(compared, variant.name, languages))
            verification = verifier.as_manifest(reports, sets)
            publish.publish(plan.build, nodes, plan.default.name, verification, plan.origins(variant))
            rows = [
                {"variant": variant.name, "set": report.set, "language": report.language, "words": report.words}
                | {"equal": report.equal, "too_long": report.too_long}
                | _scores(report.score)
                for report in reports
            ]
            show(rows, as_json, variant.name, hidden=["variant"])
            differ = sum(report.words - report.equal for report in reports)
            if differ and variant.dtype == "float32":
                failed.append(f"{variant.name}: {differ} words differ from {verification['reference']}")
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    return TaskFailed("; ".join(failed)) if failed else None


def _compare_prompts(plan: Plan, words: str, as_json: bool) -> TaskFailed | None:
    if not words:
        return TaskFailed("--prompts needs a dictionary to score against: --words PATH")
    for checkpoint, variant in {variant.checkpoint.name: variant for variant in plan.variants}.items():
        verifier = importlib.import_module(reference(variant).verify)
        dictionary = verifier.read_word_set(path_of(words))
        scores = verifier.compare_prompts(plan.build, variant, graph.nodes(variant), dictionary)
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
