"""`doit clean …`: removes the published files of the variants asked for from the tree."""

from pathlib import Path

from g2p_build import graph
from g2p_build.config.variant import Variant
from g2p_build.errors import BuildError

from .cli.plan import Plan

__all__ = ["remove_products"]


def remove_products(plan: Plan, variant: Variant, dryrun: bool) -> None:
    """The clean action of a variant's `compile` task. doit passes `dryrun` for `doit clean -n`.

    Raises:
        SystemExit: the tree cannot be written. After any other exception, doit would go on and exit with 0.
    """
    from rich.filesize import decimal

    from g2p_build.products.names import not_of
    from g2p_build.products.unpublish import unpublish

    try:
        origins = plan.origins(variant)
        other = not_of(plan.build, variant, origins)
        if other is not None:
            kept = f"kept manifests/{variant.name}.json and its archives: {other}"
            print(f"{kept}; compile it first, or remove the files yourself")
            return
        if any(origin.paths for origin in origins.values()) and not _manifest(plan, variant).exists():
            print(f"nothing is published of {variant.name}")
            return
        gone = unpublish(plan.build.workspace, graph.nodes(variant), plan.default.name, dryrun)
    except BuildError as error:
        raise SystemExit(f"ERROR: clean:{variant.name}: {error}") from None
    for path, size in gone.items():
        print(f"{'would remove' if dryrun else 'removed'} {path.relative_to(plan.tree)} ({decimal(size)})")
    if gone:
        print(f"the cache keeps what {variant.name} is made of: `doit compile` brings it back, `doit gc` makes room")
    else:
        print(f"nothing is published of {variant.name}")


def _manifest(plan: Plan, variant: Variant) -> Path:
    return plan.tree / "manifests" / f"{variant.name}.json"
