"""What `doit compile` says at its end: what it made, how big that is, and the line to type next."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from g2p_build.config.variant import Target, Variant
from g2p_build.products.publish import read_manifest

from .plan import Plan

__all__ = ["made"]

MOST = 8
"""Archives that are listed. Of more, the sum is said."""


@dataclass(frozen=True)
class _Archive:
    """An archive of a variant that was published."""

    path: str
    size: int  # bytes
    role: str  # "library" or "weights"


def made(plan: Plan, names: Sequence[str]) -> list[str]:
    """Lines about variants that were published.

    Args:
        plan: the command's.
        names: the variants'; those whose manifest is gone again count for nothing.
    """
    from rich.filesize import decimal

    found: dict[str, _Archive] = {}
    for name in names:
        manifest = read_manifest(plan.tree / "manifests" / f"{name}.json")
        for role, archive in (manifest or {"archives": {}})["archives"].items():
            path = os.path.relpath(plan.tree / "dist" / archive["file"])
            found[path] = _Archive(path, archive["size"], role)
    total = decimal(sum(archive.size for archive in found.values()))
    if len(found) > MOST:
        lines = [f"{len(names)} variants, {len(found)} archives of {total} in {os.path.relpath(plan.tree / 'dist')}"]
    else:
        lines = [f"{archive.path}  {archive.role}, {decimal(archive.size)}" for archive in found.values()]
    variants = [variant for variant in plan.variants if variant.name in names]
    return lines + list(dict.fromkeys(f"next: {_next(plan, variant)}" for variant in variants))


def _next(plan: Plan, variant: Variant) -> str:
    package = _package(variant.target)
    if variant.checkpoint.family != "g2p" and package not in ("aar", "swift"):  # others are of what pronounces words
        return f"docs/{variant.checkpoint.family}.md says how an app takes it"
    if package is None:
        return "docs/apps.md says how an app takes it"
    is_sweep = len({each.target.name for each in plan.variants}) > 1
    target = "android_arm64,android_x86_64" if package == "aar" else variant.target.name if is_sweep else None
    named = {"target": target}
    if len({each.checkpoint.family for each in plan.variants}) > 1:
        named["checkpoint"] = variant.checkpoint.name
    chosen = [f"{key}={value}" for key, value in named.items() if value]
    kept = [word for word in plan.overrides if not named.get(word.partition("=")[0])]
    return shlex.join(["doit", package, *chosen, *kept])


def _package(target: Target) -> str | None:
    """The task that makes a package of what is for a target."""
    if target.engine != "standalone":
        return None
    if target.package == "shared":
        return "aar" if "android" in target.triple else "wheel"
    return "swift" if target.package == "objects" and "apple" in target.triple else None
