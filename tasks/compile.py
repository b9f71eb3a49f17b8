"""`doit compile …`: variants become archives in dist/ and manifests in manifests/."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from doit.exceptions import TaskFailed

from g2p_build import graph, publish
from g2p_build.errors import BuildError
from g2p_build.variant import Variant
from tasks.plan import Plan

__all__ = ["tasks"]


def tasks(plan: Plan) -> dict[str, Callable[[], Any]]:
    """The task creator, with one subtask a variant."""

    def compile_variants() -> Iterator[dict[str, Any]]:
        yield {
            "name": None,
            "doc": "build what is stale of the variants asked for: archives in dist/, manifests in manifests/",
        }
        for variant in plan.variants:
            yield {
                "name": variant.name,
                "actions": [(_publish, [plan, variant])],
                "uptodate": [partial(_is_published, plan, variant)],
                "task_dep": [graph.nodes(variant)["manifest"].name],
            }

    return {"task_compile": compile_variants}


def _is_published(plan: Plan, variant: Variant) -> bool:
    return publish.published(plan.root, plan.tree, graph.nodes(variant), plan.default.name)


def _publish(plan: Plan, variant: Variant) -> TaskFailed | None:
    try:
        publish.publish(plan.root, plan.tree, graph.nodes(variant), plan.default.name)
    except (BuildError, OSError) as error:
        return TaskFailed(str(error))
    return None
