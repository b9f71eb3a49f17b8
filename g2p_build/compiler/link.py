"""Compiles C and links libraries, by zig. The same code serves every platform, and the machine needs no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from g2p_build.errors import BuildError

__all__ = ["LINKABLE", "compile_c", "join_objects", "link_shared", "link_wasm", "static_library"]

LINKABLE = {
    "x86_64-linux-gnu": "x86_64-linux-gnu.2.28",
    "x86_64-linux-musl": "x86_64-linux-musl",
    "aarch64-linux-gnu": "aarch64-linux-gnu.2.28",
    "aarch64-linux-musl": "aarch64-linux-musl",
    "aarch64-linux-android": "aarch64-linux-android",
    "x86_64-linux-android": "x86_64-linux-android",
    "arm64-apple-macosx": "aarch64-macos",
    "wasm32-unknown-wasi": "wasm32-wasi",
}
"""The triples that can be linked here, and zig's names for them. A version is that of the oldest glibc to run on."""

BIONIC = {
    "libc.so": (
        *(
            "__errno",
            "clock_gettime",
            "close",
            "free",
            "fstat",
            "getauxval",
            "malloc",
            "memchr",
            "memcmp",
            "memcpy",
            "memmove",
        ),
        *("memset", "mmap", "munmap", "open", "pread", "pthread_cond_broadcast", "pthread_cond_destroy"),
        *("pthread_cond_init", "pthread_cond_wait", "pthread_create", "pthread_join", "pthread_mutex_destroy"),
        *("pthread_mutex_init", "pthread_mutex_lock", "pthread_mutex_unlock", "read", "sched_getaffinity"),
        *("strchr", "strcmp", "strlen", "strncmp", "strrchr", "sysconf"),
    ),
    "libm.so": ("expf", "floorf", "fmaf", "logf", "powf", "sqrtf", "tanhf"),
}
"""The functions of Android's C library that a library may call: each is there since API level 21."""

_ANDROID_PAGE = 16384  # bytes: the largest that devices have

_FAST = ("draft.c", "noise.c", "sha256.c")
"""Files with loops that take time. All others are made small: time is spent in kernels, and apps carry the code."""

_WASM_STACK = 256 * 1024  # bytes; it lies below everything else in memory, so that an overflow traps


def compile_c(sources: Mapping[str, str | Path], triple: str, out: Path) -> list[Path]:
    """Compiles C11 files, which include each other by name.

    Args:
        sources: File names, headers included, each with the file's text or where the file is.
        triple: A key of `LINKABLE`.
        out: A folder for the objects. Their bytes depend on the sources and not on any path.

    Returns:
        The objects, ``NAME.o`` for each ``NAME.c``, sorted by name.

    Raises:
        BuildError: Nothing can be linked for the triple here, or the compiler refuses a file.
    """
    platform = _platform(triple)
    units = sorted(name for name in sources if name.endswith(".c"))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for file, source in sources.items():
            (scratch / file).parent.mkdir(exist_ok=True)
            if isinstance(source, Path):
                shutil.copyfile(source, scratch / file)
            else:
                (scratch / file).write_text(source, encoding="utf-8")
        defines = ["-DG2P_NO_FILES", "-DG2P_NO_THREADS"] if triple.startswith("wasm") else []
        # One command compiles all files at once. Only tests check for undefined behaviour, not apps.
        command = ["build-lib", "-static", "-target", platform, "-O", "ReleaseFast", "-fstrip"]
        command += ["-fno-compiler-rt", "-fno-sanitize-c", "--name", "all", "-femit-bin=all.a"]
        if "android" in triple:  # zig has no headers of its C library: they are among the sources
            defines += ["-ffreestanding", "-I."]
        else:
            command.append("-lc")
        command += ["-mcpu=generic+simd128+bulk_memory"] if triple.startswith("wasm") else ["-fPIC"]
        flags = ["-std=c11", "-fvisibility=hidden", *defines]
        for fast in (True, False):
            if group := [unit for unit in units if (unit in _FAST) == fast]:
                command += ["-cflags", *flags, *([] if fast else ["-Oz"]), "--", *group]
        _zig(command, scratch, triple)
        (scratch / "objects").mkdir()
        _zig(["ar", "x", str(scratch / "all.a")], scratch / "objects", triple)
        made = []
        for unit in units:
            [found] = (scratch / "objects").glob(f"{unit.removesuffix('.c')}.o*")
            made.append(Path(shutil.copyfile(found, out / unit.replace(".c", ".o"))))
    return made


def link_shared(objects: Sequence[Path], triple: str, output: Path, exports: Sequence[str] = ()) -> None:
    """Links objects into a shared library. It needs libc and libm only; its loader must have all other symbols.

    Args:
        objects: Relocatable object files for `triple`, with different names.
        triple: A key of `LINKABLE`.
        output: Where the library goes. Its bytes depend on the objects and their order, and not on any path.
        exports: On Linux, the symbols that the library has. If it is empty, and elsewhere, it has all of the objects'.

    Raises:
        BuildError: No library can be linked for the triple here, or the linker refuses the objects.
    """
    if "android" in triple:
        _link_android(objects, triple, output, exports)
        return
    options = ["-s", "-lm", "-lc"]
    if "linux" in triple:
        options += ["-lpthread", "-Wl,--build-id=none", "-Wl,--gc-sections"]
    if "apple" in triple:
        options = ["-s", "-Wl,-undefined,dynamic_lookup", f"-Wl,-install_name,@rpath/{output.name}"]
    # Without -nostdlib zig would first compile a runtime of its own for 20 seconds. Nothing here needs it.
    script = _version_script(exports) if exports and "linux" in triple else None
    _link(["-shared", "-nostdlib"], objects, options, triple, output, script)


def _version_script(exports: Sequence[str]) -> str:
    names = "".join(f" {name};" for name in exports)
    return f"{{ global:{names} local: *; }};"


def _link_android(objects: Sequence[Path], triple: str, output: Path, exports: Sequence[str]) -> None:
    """As `link_shared`. Stand-ins for Android's libraries, with the functions that `BIONIC` names, are linked with."""
    options = ["-shared", "-s", f"-soname={output.name}", "--hash-style=both", "--build-id=none", "--gc-sections"]
    options += ["-z", f"max-page-size={_ANDROID_PAGE}", "-z", "relro", "-z", "now", "-z", "noexecstack"]
    options.append("--no-undefined")
    with _copies(objects) as scratch:
        for library, functions in BIONIC.items():
            stand_in = scratch / library.replace(".so", ".c")
            stand_in.write_text("".join(f"void {function}(void) {{}}\n" for function in functions))
            compiled = ["-c", "-ffreestanding", "-fno-builtin", "-fPIC", "-w", stand_in.name, "-o", f"{library}.o"]
            _zig(["cc", "-target", _platform(triple), *compiled], scratch, triple)
            _zig(["ld.lld", "-shared", f"-soname={library}", f"{library}.o", "-o", library], scratch, triple)
        (scratch / "exports.map").write_text(_version_script(exports))
        names = [path.name for path in objects]
        linked = [*names, "--as-needed", *BIONIC, "--version-script=exports.map"]
        _zig(["ld.lld", *options, *linked, "-o", output.name], scratch, triple)
        shutil.copyfile(scratch / output.name, output)


def link_wasm(objects: Sequence[Path], exports: Sequence[str], triple: str, output: Path) -> None:
    """Links objects into a WebAssembly reactor that imports nothing.

    Args:
        objects: Relocatable object files for `triple`, with different names.
        exports: The functions that the module exports, besides its memory.
        triple: A key of `LINKABLE`.
        output: Where the module goes.

    Raises:
        BuildError: The linker refuses the objects or lacks an exported function.
    """
    options = ["--no-entry", "--stack-first", "-z", f"stack-size={_WASM_STACK}", "--strip-all", "--gc-sections"]
    with _copies(objects) as scratch:
        names = [path.name for path in objects]
        exported = [f"--export={name}" for name in exports]
        _zig(["wasm-ld", *options, *exported, *names, "-o", output.name], scratch, triple)
        shutil.copyfile(scratch / output.name, output)


def join_objects(objects: Sequence[Path], output: Path) -> None:
    """Makes one ELF object file of several.

    Args:
        objects: Relocatable object files for one architecture, with different names.
        output: Where it goes. Its bytes depend on the objects and their order, and not on any path.

    Raises:
        BuildError: The linker refuses the objects.
    """
    with _copies(objects) as scratch:
        _zig(["ld.lld", "-r", *(path.name for path in objects), "-o", "joined"], scratch, "")
        shutil.copyfile(scratch / "joined", output)


def static_library(objects: Sequence[Path], output: Path) -> None:
    """Puts objects into a static library, in their order, without times, owners or paths.

    Raises:
        BuildError: The archiver refuses the objects.
    """
    with _copies(objects) as scratch:
        _zig(["ar", "rcsD", "library.a", *(path.name for path in objects)], scratch, "")
        shutil.copyfile(scratch / "library.a", output)


def _link(
    kind: Sequence[str],
    objects: Sequence[Path],
    options: Sequence[str],
    triple: str,
    output: Path,
    version_script: str | None = None,
) -> None:
    platform = _platform(triple)
    with _copies(objects) as scratch:
        names = [path.name for path in objects]
        if version_script is not None:
            (scratch / "exports.map").write_text(version_script)
            options = [*options, "-Wl,--version-script=exports.map"]
        _zig(["cc", "-target", platform, *kind, *names, *options, "-o", output.name], scratch, triple)
        shutil.copyfile(scratch / output.name, output)


@contextmanager
def _copies(objects: Sequence[Path]) -> Iterator[Path]:
    """A folder with copies of objects. Commands that run in it need no other path."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for path in objects:
            shutil.copyfile(path, scratch / path.name)
        yield scratch


def _platform(triple: str) -> str:
    """What zig calls a platform."""
    if triple not in LINKABLE:
        raise BuildError(
            f"cannot link a library for {triple!r} here (only for {', '.join(LINKABLE)}): use target.package=objects"
        )
    return LINKABLE[triple]


def _zig(arguments: Sequence[str], folder: Path, triple: str) -> None:
    import ziglang

    zig = str(Path(ziglang.__file__).with_name("zig"))
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(folder / "zig"), "ZIG_LOCAL_CACHE_DIR": str(folder / "zig")}
    result = subprocess.run([zig, *arguments], cwd=folder, env=os.environ | caches, capture_output=True, text=True)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if "error" in line]
        reason = lines[0] if lines else result.stderr.strip() or f"zig ended with {result.returncode}"
        raise BuildError(f"{'compiling' if 'build-lib' in arguments else 'linking'} for {triple} failed: {reason}")
