"""Checks typed plain data and turns it into the classes of variant.py. What is wrong is a `ConfigError` of one line."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from g2p_build.config.family import family
from g2p_build.config.fields import at_least, expanded, matches, one_of, own_name
from g2p_build.config.overrides import ConfigError, nearest, shown
from g2p_build.config.schema import DraftConf, LexiconConf
from g2p_build.config.variant import Checkpoint, Draft, Lexicon, MaxLens, Target, Variant
from g2p_build.runtime import cpu as cpus

__all__ = [
    "DRAFT_WORDS",
    "LEXICON_WORDS",
    "draft",
    "lexicon",
    "max_lens",
    "names",
    "on_this_machine",
    "target",
    "variant",
]

DTYPES = ("float32", "float16", "bfloat16", "int8")
KINDS = ("llvm",)
ENGINES = ("standalone", "vm")
PACKAGES = ("shared", "objects", "module")
ARCHITECTURES = ("x86_64", "aarch64", "arm64", "wasm32")  # first part of a triple
EMBEDDED = "embedded"  # the word for the lexicon and the draft table that come with the package
LEXICON_WORDS = ("auto", "off", EMBEDDED)  # other values of `lexicon` are paths
DRAFT_WORDS = ("auto", "off", EMBEDDED)  # as of `draft`
LEAST_DRAFT = 4096  # bytes: less holds no language's letters and what they are said as
LEAST_LEXICON = 1024  # bytes: less holds no word of a second language
MANY_WORDS = 64  # the batch size for whole dictionaries
# Part of a triple → the engines whose libraries are not linked here, because that takes the vendor's own files.
NOT_LINKED_HERE = {"apple-ios": ENGINES, "android": ("vm",)}


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
    unlinked = {engine for part, engines in NOT_LINKED_HERE.items() if part in triple for engine in engines}
    if fields["package"] == "shared" and fields["engine"] in unlinked:
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


def lexicon(checkpoint: Checkpoint, *, files: Any, exceptions: str | None, use: str | None, max_bytes: int) -> Lexicon:
    """A checkpoint's lexicon from its fields. "auto" becomes the checkpoint's own, if it has one.

    Raises:
        ConfigError: a value is wrong, or values do not go together.
    """
    kind, own = family(checkpoint.family), (EMBEDDED,) if checkpoint.source == "embedded" else ()
    asked = [str(each) for each in files or ["[]"]] if isinstance(files, list) else [str(files)]
    if files is False or asked == ["off"]:  # YAML reads off as false
        asked = []
    elif asked == ["auto"]:
        asked = list(own)
    paths = tuple(_lexicon_file(each) for each in asked)
    exceptions = exceptions and expanded("lexicon.exceptions", exceptions)
    use = use and expanded("lexicon.use", use)
    for key, folder in (("exceptions", exceptions), ("use", use)):
        if folder is not None and not any(Path(folder).glob("*.tsv")):
            raise ConfigError(f"lexicon.{key}={folder} is no folder of files LANG.tsv: give one")
    if exceptions is None and (use is not None or max_bytes != LexiconConf.max_bytes):
        key, value = ("use", use) if use is not None else ("max_bytes", max_bytes)
        raise ConfigError(f"lexicon.{key}={value} is for exceptions: name dictionaries too, lexicon.exceptions=FOLDER")
    at_least("lexicon.max_bytes", max_bytes, LEAST_LEXICON)
    if kind.lexicon is None and (paths or exceptions is not None):
        raise ConfigError(f"lexicon={shown(files)}: models of the family {kind.name!r} take none: lexicon=off")
    label = ""
    if exceptions is not None:
        size = [] if max_bytes == LexiconConf.max_bytes else [str(max_bytes)]
        folders = [_stem(folder) for folder in (exceptions, use) if folder is not None]
        label = ".".join(["lexicon", *map(_stem, asked), "exceptions", *folders, *size])
    elif tuple(asked) != own:
        label = ".".join(["lexicon", *map(_stem, asked)]) if asked else "nolexicon"
    return Lexicon(
        files=paths,
        exceptions=exceptions,
        use=use,
        max_bytes=0 if exceptions is None else max_bytes,
        label=label,
    )


def _lexicon_file(asked: str) -> str:
    """One lexicon that is asked for, as `Lexicon.files` has it."""
    if asked == EMBEDDED:
        return asked
    path = Path(expanded("lexicon", asked))
    wanted = f"lexicon={asked}: give off, embedded, a file LANG.tsv or *.g2plex, or a folder of files LANG.tsv"
    if path.is_dir():
        if not any(path.glob("*.tsv")):
            raise ConfigError(f"{wanted}; this folder has no LANG.tsv")
    elif path.suffix not in (".tsv", ".g2plex"):
        raise ConfigError(wanted)
    elif not path.is_file():
        raise ConfigError(f"{wanted}; there is no such file")
    return str(path)


def draft(checkpoint: Checkpoint, *, path: Any, words: str | None, max_bytes: int) -> Draft:
    """A checkpoint's draft from its fields. "auto" becomes the checkpoint's own, if it has one and no words are given.

    Raises:
        ConfigError: a value is wrong, or values do not go together.
    """
    kind, own = family(checkpoint.family), EMBEDDED if checkpoint.source == "embedded" else None
    at_least("draft.max_bytes", max_bytes, LEAST_DRAFT)
    if path in ("auto", "off", False):  # YAML reads off as false
        wanted = own if path == "auto" and words is None else None
    elif words is not None:
        raise ConfigError(f"draft.path={shown(path)} and draft.words={words}: give one of them")
    else:
        wanted = _draft_file(str(path))
    if words is not None:
        words = expanded("draft.words", words)
        if not _lists(Path(words), ".tsv", ".txt"):
            raise ConfigError(f"draft.words={words}: give a file LANG.tsv or LANG.txt that exists, or a folder of such")
    if kind.draft is None and (wanted is not None or words is not None):
        raise ConfigError(f"draft={shown(path)}: models of the family {kind.name!r} take none: draft=off")
    made = words is not None or (wanted not in (None, EMBEDDED) and not str(wanted).endswith(".g2pdraft"))
    if not made and max_bytes != DraftConf.max_bytes:
        raise ConfigError(
            f"draft.max_bytes={max_bytes} is for a table that is made: name words too, draft.words=FOLDER"
        )
    label = ""
    if words is not None or wanted != own:
        size = [str(max_bytes)] if made and max_bytes != DraftConf.max_bytes else []
        label = ".".join(["draft", _stem(words or str(wanted)), *size]) if words or wanted else "nodraft"
    return Draft(path=wanted, words=words, max_bytes=max_bytes if made else 0, label=label)


def _draft_file(asked: str) -> str:
    """A table or a dictionary that is asked for, as `Draft.path` has it."""
    if asked == EMBEDDED:
        return asked
    path = Path(expanded("draft", asked))
    if not (path.suffix == ".g2pdraft" and path.is_file()) and not _lists(path, ".tsv"):
        raise ConfigError(
            f"draft={asked}: give off, embedded, a file *.g2pdraft or LANG.tsv that exists, or a folder of LANG.tsv"
        )
    return str(path)


def _lists(path: Path, *endings: str) -> bool:
    """Whether a path is a file with one of some endings, or a folder with such a file."""
    if path.is_dir():
        return any(file.suffix in endings for file in path.iterdir())
    return path.is_file() and path.suffix in endings


def _stem(path: str) -> str:
    """A file's or folder's own name, for a variant's name."""
    return re.sub(r"[^A-Za-z0-9_+]", "_", Path(own_name(path)).stem) or "_"


def on_this_machine(variant: Variant) -> Variant:
    """The variant's model for this machine and for many words at once, without a lexicon and a draft."""
    fields = {"kind": "llvm", "triple": "host", "cpu": "host", "engine": "standalone", "package": "shared"}
    here = target(name="host", features=None, **fields)
    return replace(
        variant,
        target=here,
        batch=(MANY_WORDS,),
        kv_cache=True,
        lexicon=Lexicon(label="nolexicon"),
        draft=Draft(label="nodraft"),
    )


def variant(
    *,
    checkpoint: Checkpoint,
    target: Target,
    batch: Any,
    max_lens: MaxLens,
    dtype: Any,
    kv_cache: Any,
    lexicon: Lexicon,
    draft: Draft,
) -> Variant:
    """A variant from its eight fields.

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
    found = Variant(checkpoint, target, tuple(sorted(set(sizes))), max_lens, dtype, kv_cache, lexicon, draft)
    family(checkpoint.family).check(found)
    return found


def names(variants: Iterable[Variant]) -> None:
    """Refuses two checkpoints, targets, lexicons or drafts with the same name: they would overwrite each other's files.

    Raises:
        ConfigError: there are two.
    """
    seen: dict[str, Checkpoint | Target] = {}
    made: dict[str, Lexicon | Draft] = {}
    for each in variants:
        for kind, words in (("lexicon", each.lexicon), ("draft", each.draft)):
            if words.label and made.setdefault(f"{kind} {words.label.casefold()}", words) != words:
                raise ConfigError(f"two {kind}s are called {words.label!r}: build one at a time, or rename a file")
        nouns: dict[str, Checkpoint | Target] = {"checkpoint": each.checkpoint, "target": each.target}
        for kind, noun in nouns.items():
            # Some file systems ignore case.
            if seen.setdefault(f"{kind} {noun.name.casefold()}", noun) != noun:
                raise ConfigError(f"two {kind}s are called {noun.name!r}: build one at a time, with {kind}.name=NAME")


LEVELS = {
    name: level
    for level, names in {
        "x86-64-v2": "nehalem westmere sandybridge ivybridge silvermont goldmont tremont bdver1 bdver2 btver2 corei7",
        "x86-64-v3": "haswell broadwell skylake alderlake raptorlake meteorlake znver1 znver2 znver3 core-avx2",
        "x86-64-v4": "skylake-avx512 cascadelake cooperlake cannonlake icelake-client icelake-server tigerlake "
        "rocketlake sapphirerapids emeraldrapids graniterapids znver4 znver5",
    }.items()
    for name in names.split()
}
"""Names that LLVM and gcc have for processors → the level that each has whole."""


def _features(architecture: str, cpu: str, given: list[str] | None) -> Iterable[str]:
    """The features that code for a CPU needs. A runtime must know them before it runs that code."""
    is_x86 = architecture == "x86_64"
    known = [name for name in cpus.CPU_FEATURES if name.startswith("x86-64") == is_x86]
    matches("target.cpu", cpu, r"[A-Za-z0-9_.+-]+", "a name that LLVM knows")
    if cpu not in known and (is_x86 or given is None):
        hint = "" if is_x86 else "; for another, say what it has: target.features=[NAME,...]"
        meant = "host" if cpu == "native" else LEVELS.get(cpu) if is_x86 else None
        advice = f"write target.cpu={meant}" if meant else nearest(cpu, known)
        raise ConfigError(f"unknown target.cpu {cpu!r}: {advice}{hint}")
    for feature in given or ():
        matches("target.features", feature, r"[a-z0-9_]+", "names as in Linux's /proc/cpuinfo")
    return cpus.CPU_FEATURES[cpu] if given is None else sorted(set(given))
