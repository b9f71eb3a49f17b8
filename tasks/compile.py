"""`doit compile …`: builds variants, as archives in dist/ and manifests in manifests/."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build import graph
from g2p_build.config.variant import Variant
from g2p_build.errors import BuildError
from g2p_build.products import publish
from g2p_build.products.names import not_of
from g2p_build.store.trees import Published

from .clean import remove_products
from .cli.options import JSON
from .cli.plan import Plan
from .stages import THREADED

__all__ = ["tasks"]

PROFILE = {
    "name": "profile",
    "long": "profile",
    "type": str,
    "default": "",
    "help": "write where the time went to this file, for chrome://tracing or Perfetto",
}


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator. Each variant is a subtask."""

    def compile_variants() -> Iterator[dict[str, Any]]:
        yield {
            "name": None,
            "params": [JSON, PROFILE],
            "doc": "build what is stale: archives in dist/, manifests in manifests/ (--json, --profile FILE)",
        }
        for variant in plan.variants:
            yield {
                "name": variant.name,
                "actions": [(_publish, [plan, variant])],
                "uptodate": [partial(_is_published, plan, variant)],
                **THREADED,
                "clean": [(remove_products, [plan, variant])],
                "task_dep": [graph.nodes(variant)["manifest"].name],
            }

    return {"task_compile": compile_variants}


def _is_published(plan: Plan, variant: Variant) -> bool:
    nodes = graph.nodes(variant)
    there = publish.published(plan.build, nodes, plan.default.name)
    if there:
        _note(plan, variant)
    return there


def _note(plan: Plan, variant: Variant) -> None:
    keys = plan.build.keys(graph.nodes(variant).values())
    plan.published[variant.name] = Published(plan.anchored, keys, plan.origins(variant))


def _publish(plan: Plan, variant: Variant) -> TaskFailed | None:
    nodes = graph.nodes(variant)
    try:
        origins = plan.origins(variant)
        other = not_of(plan.build, variant, origins)
        publish.publish(plan.build, nodes, plan.default.name, origins=origins)
        if other is not None:
            print(f"manifests/{variant.name}.json is replaced: {other}", file=sys.stderr, flush=True)
        _note(plan, variant)
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    return None
