"""Checks typed plain data and turns it into the classes of variant.py. What is wrong is a `ConfigError` of one line."""

from collections.abc import Iterable
from typing import Any

from g2p_build.config.family import family
from g2p_build.config.fields import at_least, matches, one_of
from g2p_build.config.overrides import ConfigError, nearest, shown
from g2p_build.config.variant import Checkpoint, MaxLens, Target, Variant
from g2p_build.runtime import cpu as cpus

__all__ = ["max_lens", "names", "target", "variant"]

DTYPES = ("float32", "float16")
KINDS = ("llvm",)
ENGINES = ("standalone", "vm")
PACKAGES = ("shared", "objects", "module")
ARCHITECTURES = ("x86_64", "aarch64", "arm64", "wasm32")  # first part of a triple
NOT_LINKED_HERE = ("apple-ios", "android")  # parts of a triple whose linker needs the vendor's own files


def target(*, name: str, features: list[str] | None, **fields: str) -> Target:
    """A target from its fields. "host" becomes this machine's triple and CPU.

    Raises:
        ConfigError: a value is unknown, or values do not go together.
    """
    one_of("target.kind", fields["kind"], KINDS)
    one_of("target.engine", fields["engine"], ENGINES)
    one_of("target.package", fields["package"], PACKAGES)
    matches("target.name", name, r"(?!\.)[A-Za-z0-9._+]{1,80}", "letters, digits and ._+ (80 at most)")
    triple, cpu = fields["triple"], fields["cpu"]
    if "host" in (triple, cpu):
        here = cpus.host_triple()
        triple = here if triple == "host" else triple
        if cpu == "host" and triple != here:
            raise ConfigError(f"target.cpu=host is {here}'s, not {triple}'s: name the CPU")
        cpu = cpus.host_cpu() if cpu == "host" else cpu
    matches("target.triple", triple, r"[a-z0-9_]+(-[a-z0-9_.]+){2,3}", "ARCH-VENDOR-OS or ARCH-OS-ABI")
    architecture = triple.split("-")[0]
    one_of("target.triple's first part", architecture, ARCHITECTURES)
    needed = _features(architecture, cpu, features)
    if fields["package"] == "shared" and any(part in triple for part in NOT_LINKED_HERE):
        raise ConfigError(f"target.package=shared: nothing here links for {triple}; use target.package=objects")
    if (fields["package"] == "module") != (architecture == "wasm32"):
        wanted = "module" if architecture == "wasm32" else "shared or objects"
        raise ConfigError(
            f"target.package={fields['package']}: a module is for WebAssembly, and WebAssembly takes nothing else; "
            f"for {triple} use target.package={wanted}"
        )
    return Target(name=name, features=tuple(needed), **fields | {"triple": triple, "cpu": cpu})


def max_lens(*, input: int, output: int) -> MaxLens:
    """Bounds in tokens. The input holds at least one byte; the output holds at least a phoneme and the end token.

    Raises:
        ConfigError: a bound is too small.
    """
    at_least("max_lens.input", input, 1)
    at_least("max_lens.output", output, 2)
    return MaxLens(input, output)


def variant(
    *, checkpoint: Checkpoint, target: Target, batch: Any, max_lens: MaxLens, dtype: Any, kv_cache: Any
) -> Variant:
    """A variant from its six fields.

    Raises:
        ConfigError: a value is wrong, or values do not go together.
    """
    sizes = batch if isinstance(batch, list) else [batch]
    if not sizes or any(type(size) is not int or size < 1 for size in sizes):
        raise ConfigError(f"batch={shown(batch)}: give a positive integer, or a list of some: batch=[1,8]")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ConfigError(f"unknown dtype {shown(dtype)!r}: {nearest(str(dtype), DTYPES)}")
    if not isinstance(kv_cache, bool):
        raise ConfigError(f"kv_cache={shown(kv_cache)}: give true or false")
    found = Variant(checkpoint, target, tuple(sorted(set(sizes))), max_lens, dtype, kv_cache)
    family(checkpoint.family).check(found)
    return found


def names(variants: Iterable[Variant]) -> None:
    """Refuses two checkpoints, or two targets, with the same name: they would overwrite each other's files.

    Raises:
        ConfigError: there are two.
    """
    seen: dict[str, Checkpoint | Target] = {}
    for each in variants:
        nouns: dict[str, Checkpoint | Target] = {"checkpoint": each.checkpoint, "target": each.target}
        for kind, noun in nouns.items():
            # Some file systems ignore case.
            if seen.setdefault(f"{kind} {noun.name.casefold()}", noun) != noun:
                raise ConfigError(f"two {kind}s are called {noun.name!r}: build one at a time, with {kind}.name=NAME")


def _features(architecture: str, cpu: str, given: list[str] | None) -> Iterable[str]:
    """The features that code for a CPU needs. A runtime must know them before it runs that code."""
    is_x86 = architecture == "x86_64"
    known = [name for name in cpus.CPU_FEATURES if name.startswith("x86-64") == is_x86]
    matches("target.cpu", cpu, r"[A-Za-z0-9_.+-]+", "a name that LLVM knows")
    if cpu not in known and (is_x86 or given is None):
        hint = "" if is_x86 else "; for another, say what it has: target.features=[NAME,...]"
        raise ConfigError(f"unknown target.cpu {cpu!r}: {nearest(cpu, known)}{hint}")
    for feature in given or ():
        matches("target.features", feature, r"[a-z0-9_]+", "names as in Linux's /proc/cpuinfo")
    return cpus.CPU_FEATURES[cpu] if given is None else sorted(set(given))
