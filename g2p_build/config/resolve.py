"""The values that a variant can have: typed plain data → the nouns of variant.py, or one line of why not."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from g2p_build.config.overrides import ConfigError, nearest, shown
from g2p_build.config.variant import Checkpoint, MaxLens, Shape, Target, Variant
from g2p_build.runtime import cpu as cpus

__all__ = ["checkpoint", "max_lens", "names", "target", "variant"]

DTYPES = ("float32", "float16")
SOURCES = ("embedded", "hub", "path", "random")
KINDS = ("llvm",)
LINKS = ("standalone", "vm")
LIBRARIES = ("shared", "objects", "module")
FEED_FORWARDS = ("relu", "gated-gelu")
ARCHITECTURES = ("x86_64", "aarch64", "arm64", "wasm32")  # first part of a triple
NOT_LINKED_HERE = ("apple-ios", "android")  # parts of a triple whose linker needs the vendor's own files
BYTES = 256
MISSING = "???"


def checkpoint(*, name: str, shape: dict[str, Any] | None, languages: list[str] | None, **fields: Any) -> Checkpoint:
    """A checkpoint's fields, typed and named, of which each source wants its own."""
    source = fields["source"]
    _one_of("checkpoint.source", source, SOURCES)
    wanted = {"repo": "hub", "revision": "hub", "path": "path"}
    given = {"repo": fields["repo"], "revision": fields["revision"], "path": fields["path"], "shape": shape}
    for field, value in given.items():
        owner = wanted.get(field, "random")
        if value is not None and owner != source:
            raise ConfigError(f"checkpoint.{field} is for a checkpoint whose source is {owner}, not {source}")
        if value in (None, "", MISSING) and owner == source:
            raise ConfigError(_how_to_give(field, fields["repo"]))
    if source == "hub":
        _matches("checkpoint.repo", fields["repo"], r"[\w.-]+/[\w.-]+", "OWNER/NAME")
        _matches("checkpoint.revision", fields["revision"], r"[0-9a-f]{40}", "a commit's 40 lower-case hex digits")
    if source == "path":
        fields["path"] = str(Path(fields["path"]).expanduser())
        if not Path(fields["path"]).is_dir():
            raise ConfigError(f"checkpoint.path={fields['path']} is not a directory: give a checkpoint's directory")
    if source != "random" and fields["seed"] != 0:
        raise ConfigError(f"checkpoint.seed is for a checkpoint whose source is random, not {source}")
    _matches(
        "checkpoint.name",
        name,
        r"(?!\.)[A-Za-z0-9._+-]{1,80}",
        "letters, digits and ._+- (80 at most): set checkpoint.name",
    )
    _check_prompt(fields["prompt"])
    for key in ("seed", "byte_offset", "pad_id", "eos_id", "unk_id", "decoder_start_id"):
        _at_least(f"checkpoint.{key}", fields[key], 0)
    for key in ("pad_id", "eos_id", "unk_id", "decoder_start_id"):
        if fields[key] >= fields["byte_offset"]:
            raise ConfigError(f"checkpoint.{key}={fields[key]} is a byte's id: checkpoint.byte_offset must be above it")
    if languages is not None:
        if not languages:
            raise ConfigError("checkpoint.languages=[] allows no word: list the languages, or null if not known")
        for language in languages:
            _matches("checkpoint.languages", language, r"[A-Za-z0-9_-]{1,35}", "codes of letters, digits, _ and -")
    return Checkpoint(
        name=name,
        shape=_shape(shape) if shape else None,
        languages=tuple(dict.fromkeys(languages)) if languages else None,
        **fields,
    )


def target(*, name: str, features: list[str] | None, **fields: str) -> Target:
    """A target's fields, "host" made concrete."""
    _one_of("target.kind", fields["kind"], KINDS)
    _one_of("target.link", fields["link"], LINKS)
    _one_of("target.library", fields["library"], LIBRARIES)
    _matches("target.name", name, r"(?!\.)[A-Za-z0-9._+]{1,80}", "letters, digits and ._+ (80 at most)")
    triple, cpu = fields["triple"], fields["cpu"]
    if "host" in (triple, cpu):
        here = cpus.host_triple()
        triple = here if triple == "host" else triple
        if cpu == "host" and triple != here:
            raise ConfigError(f"target.cpu=host is {here}'s, not {triple}'s: name the CPU")
        cpu = cpus.host_cpu() if cpu == "host" else cpu
    _matches("target.triple", triple, r"[a-z0-9_]+(-[a-z0-9_.]+){2,3}", "ARCH-VENDOR-OS or ARCH-OS-ABI")
    architecture = triple.split("-")[0]
    _one_of("target.triple's first part", architecture, ARCHITECTURES)
    needed = _features(architecture, cpu, features)
    if fields["library"] == "shared" and any(part in triple for part in NOT_LINKED_HERE):
        raise ConfigError(f"target.library=shared: nothing here links for {triple}; use target.library=objects")
    if (fields["library"] == "module") != (architecture == "wasm32"):
        wanted = "module" if architecture == "wasm32" else "shared or objects"
        raise ConfigError(
            f"target.library={fields['library']}: a module is what WebAssembly has, and no other; "
            f"for {triple} use target.library={wanted}"
        )
    return Target(name=name, features=tuple(needed), **fields | {"triple": triple, "cpu": cpu})


def max_lens(*, input: int, output: int) -> MaxLens:
    """Bounds in tokens: at least a byte in, and a phoneme and the end out."""
    _at_least("max_lens.input", input, 1)
    _at_least("max_lens.output", output, 2)
    return MaxLens(input, output)


def variant(
    *, checkpoint: Checkpoint, target: Target, batch: Any, max_lens: MaxLens, dtype: Any, kv_cache: Any
) -> Variant:
    """The six fields together."""
    sizes = batch if isinstance(batch, list) else [batch]
    if not sizes or any(type(size) is not int or size < 1 for size in sizes):
        raise ConfigError(f"batch={shown(batch)}: give a positive integer, or a list of some: batch=[1,8]")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ConfigError(f"unknown dtype {shown(dtype)!r}: {nearest(str(dtype), DTYPES)}")
    if not isinstance(kv_cache, bool):
        raise ConfigError(f"kv_cache={shown(kv_cache)}: give true or false")
    longest = max(checkpoint.languages or ("",), key=lambda language: len(language.encode()))
    prompt = checkpoint.resolved_prompt.replace("{lang}", longest).replace("{word}", "")
    least = len(prompt.encode()) + 1 + checkpoint.append_eos
    if max_lens.input < least:
        raise ConfigError(
            f"max_lens.input={max_lens.input} is too short for checkpoint {checkpoint.name}: "
            f"a one-byte word with its prompt {prompt!r} takes {least}"
        )
    return Variant(checkpoint, target, tuple(sorted(set(sizes))), max_lens, dtype, kv_cache)


def names(variants: Iterable[Variant]) -> None:
    """Refuses two checkpoints, or two targets, of one name: they would overwrite each other's files."""
    seen: dict[str, Checkpoint | Target] = {}
    for each in variants:
        nouns: dict[str, Checkpoint | Target] = {"checkpoint": each.checkpoint, "target": each.target}
        for kind, noun in nouns.items():
            # Some file systems do not tell capitals from small letters.
            if seen.setdefault(f"{kind} {noun.name.casefold()}", noun) != noun:
                raise ConfigError(f"two {kind}s are called {noun.name!r}: build one at a time, with {kind}.name=NAME")


def _features(architecture: str, cpu: str, given: list[str] | None) -> Iterable[str]:
    """What code for a CPU needs, which a runtime must know before it runs any."""
    is_x86 = architecture == "x86_64"
    known = [name for name in cpus.CPU_FEATURES if name.startswith("x86-64") == is_x86]
    _matches("target.cpu", cpu, r"[A-Za-z0-9_.+-]+", "a name that LLVM knows")
    if cpu not in known and (is_x86 or given is None):
        hint = "" if is_x86 else "; for another, say what it has: target.features=[NAME,...]"
        raise ConfigError(f"unknown target.cpu {cpu!r}: {nearest(cpu, known)}{hint}")
    for feature in given or ():
        _matches("target.features", feature, r"[a-z0-9_]+", "names as in Linux's /proc/cpuinfo")
    return cpus.CPU_FEATURES[cpu] if given is None else sorted(set(given))


def _shape(fields: dict[str, Any]) -> Shape:
    _one_of("checkpoint.shape.feed_forward_proj", fields["feed_forward_proj"], FEED_FORWARDS)
    for key, value in fields.items():
        if value == MISSING:
            raise ConfigError(f"checkpoint.shape.{key} is missing")
        if type(value) is int:
            _at_least(f"checkpoint.shape.{key}", value, 1)
    _at_least("checkpoint.shape.vocab_size", fields["vocab_size"], BYTES + 3)
    if not 0 < fields["layer_norm_epsilon"] < 1:
        raise ConfigError(f"checkpoint.shape.layer_norm_epsilon={fields['layer_norm_epsilon']}: give a small number")
    return Shape(**fields)


def _check_prompt(prompt: str) -> None:
    rest = re.sub(r"\{(lang|space|word)\}", "", prompt)
    if prompt.count("{word}") != 1 or "{" in rest or "}" in rest or not prompt.isprintable():
        raise ConfigError(
            f"checkpoint.prompt={prompt!r}: give a line with {{word}} once, and {{lang}} and {{space}} where they go"
        )


def _how_to_give(field: str, repo: str | None) -> str:
    if field == "revision":
        return f"{repo} has no pinned commit: add checkpoint.revision=<40 hex digits> (its page on the hub lists them)"
    if field == "path":
        return "no directory is named: add checkpoint.path=DIR"
    if field == "shape":
        return "a random checkpoint needs a shape: use checkpoint=random"
    return f"checkpoint.{field} is missing: give it a value"


def _one_of(key: str, value: str, valid: Iterable[str]) -> None:
    if value not in valid:
        raise ConfigError(f"unknown {key} {value!r}: {nearest(value, valid)}")


def _matches(key: str, value: Any, pattern: str, wanted: str) -> None:
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise ConfigError(f"{key}={value!r}: give {wanted}")


def _at_least(key: str, value: Any, least: int) -> None:
    if type(value) is not int:
        raise ConfigError(f"{key}={shown(value)} is missing: give an integer")
    if value < least:
        raise ConfigError(f"{key}={value} is too small: give at least {least}")
