"""Stage: object code → a plain C library that an app links or loads, or a kit from which the app's tools build it."""

import importlib.metadata
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from g2p_build.compiler.link import compile_c, link_shared, link_wasm, static_library
from g2p_build.compiler.objects import check, for_apple
from g2p_build.native.files import (
    BIONIC,
    GENERATED,
    RELAXED,
    RELAXED_SIMD,
    VARIANT,
    relaxed_name,
    shared_name,
    source_files,
)
from g2p_build.native.finding import finding
from g2p_build.native.kit import SLICES, kit
from g2p_build.native.tables import variant_sources
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build", "exported", "memory", "sources_of"]


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound in bytes of the memory for compiling and linking, without the worker's own."""
    return 300_000_000


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes a library with its header and a report of sizes, or a kit for an app's own tools.

    `shared` gives a shared and a static library with the files that pkg-config and CMake find them by, `module` two
    WebAssembly modules with an ES module that takes one of them, `objects` a kit.
    `inspection.json` says what was checked in the kernels' object file.

    Args:
        params: `name` (the library's), `description` (which input becomes the manifest's `model`), the target's
            `triple`, `cpu`, `features`, `package` (`shared`, `objects`, `module`); for a module `loaders` (the files
            that lie beside it).
        inputs: `kernels.o`, for WebAssembly `relaxed.o`, `program.inc`, `functions.json`, `model.inc`, the description,
            and the core's and the family's C files.
        out: an empty folder.

    Raises:
        BuildError: zig cannot compile or link, or the kernels are for another platform or call unknown functions.
    """
    inspected = check(inputs["kernels.o"].read_bytes(), params["triple"])
    inspection = asdict(inspected) | {"linked": params["package"] != "objects", "undefined": list(inspected.undefined)}
    (out / "inspection.json").write_bytes(canonical_json(inspection) + b"\n")
    name, header = params["name"], f"{params['name']}.h"
    sources = sources_of(params, inputs)
    objects = out / "objects"
    objects.mkdir()
    shutil.copyfile(inputs["kernels.o"], objects / "kernels.o")
    if params["package"] == "objects":
        kernels = {"kernels.o": objects / "kernels.o"}
        if "apple" in params["triple"]:
            kernels = _slices(objects)
        swift = {file: path for file, path in inputs.items() if file.endswith(".swift")}
        kit(name, sources, swift, kernels, params["triple"], out)
        return
    exports = exported(str(sources[header]), name)
    if "android" in params["triple"]:
        sources |= dict.fromkeys(BIONIC, '#include "bionic.h"\n')
        exports += _called_by_a_virtual_machine(inputs, name)
    compiled = [*compile_c(sources, params["triple"], objects), objects / "kernels.o"]
    if params["package"] == "module":
        library = out / f"{name}.wasm"
        link_wasm(compiled, [*exports, "malloc", "free"], params["triple"], library)
        more = _with_relaxed_simd(params, inputs, compiled)
        link_wasm(more, [*exports, "malloc", "free"], params["triple"], out / relaxed_name(name))
        (out / RELAXED).write_text(_relaxed_needs(json.loads(inputs["functions.json"].read_bytes())), encoding="utf-8")
        for file in params["loaders"]:
            shutil.copyfile(inputs[file], out / file)
    else:
        library = out / shared_name(name, params["triple"])
        (out / VARIANT).write_text(str(sources[VARIANT]), encoding="utf-8")
        link_shared(compiled, params["triple"], library, [*exports, *exported(str(sources[VARIANT]), name)])
        static_library(compiled, out / f"lib{name}.a")
        version = importlib.metadata.version("g2p-build")
        for file, text in finding(name, library.name, params["triple"], version).items():
            (out / file).write_text(text, encoding="utf-8")
    (out / header).write_text(str(sources[header]), encoding="utf-8")
    sizes = _sizes(compiled, library)
    if params["package"] == "module":
        sizes["relaxed"] = (out / relaxed_name(name)).stat().st_size
    (out / "sizes.json").write_bytes(canonical_json(sizes) + b"\n")


def _with_relaxed_simd(params: Mapping[str, Any], inputs: Mapping[str, Path], compiled: list[Path]) -> list[Path]:
    """The object files of a module for engines with relaxed SIMD: its own kernels, and a variant that says so."""
    check(inputs["relaxed.o"].read_bytes(), params["triple"])
    sources = sources_of({**params, "features": [*params["features"], RELAXED_SIMD]}, inputs)
    own = {file: source for file, source in sources.items() if file in GENERATED or not file.endswith(".c")}
    folder = compiled[0].parent / "relaxed"
    folder.mkdir()
    varied = {path.name: path for path in compile_c(own, params["triple"], folder)}
    varied["kernels.o"] = inputs["relaxed.o"]
    return [varied.get(path.name, path) for path in compiled]


def _relaxed_needs(functions: Sequence[Mapping[str, Any]]) -> str:
    """The text of `RELAXED`."""
    dots = any(entry["dtype"] == "int8" for function in functions for entry in function["inputs"])
    why = "Whether the module for relaxed SIMD multiplies bytes, which not all engines do without loss."
    return f"// {why}\nexport const dots = {json.dumps(dots)};\n"


def _slices(objects: Path) -> dict[str, Path]:
    """The kernels as a static library for each of Apple's platforms."""
    data = (objects / "kernels.o").read_bytes()
    found = {}
    for each in SLICES:
        folder = objects / each.name
        folder.mkdir()
        (folder / "kernels.o").write_bytes(for_apple(data, each.number, each.least))
        found[each.name] = folder / "kernels.a"
        static_library([folder / "kernels.o"], found[each.name])
    return found


def sources_of(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> dict[str, str | Path]:
    """The C files of a library: name → path, or text."""
    files = {file: path for file, path in inputs.items() if file.endswith((".c", ".h", ".inc"))}
    parts = {file: path.read_text(encoding="utf-8") for file, path in inputs.items() if file.endswith(".inc")}
    model = json.loads(inputs[params["description"]].read_bytes())
    functions = json.loads(inputs["functions.json"].read_bytes())
    header = f"{params['name']}.h"
    return files | variant_sources(params["name"], model, functions, params, parts) | {header: _whole(header, inputs)}


def _whole(header: str, inputs: Mapping[str, Path]) -> str:
    """A header's text with the headers that it includes, so that an app needs one file."""

    def included(found: re.Match[str]) -> str:
        return _whole(found[1], inputs).rstrip()

    return re.sub(r'^#include "(.+)"$', included, inputs[header].read_text(encoding="utf-8"), flags=re.MULTILINE)


def exported(header: str, name: str) -> list[str]:
    """The functions that a header's text declares for the library `name`."""
    declared = rf"^{name.upper()}_API [^;(]*?({name}_\w+)\("
    return sorted(set(re.findall(declared, header, re.MULTILINE)))


def _called_by_a_virtual_machine(inputs: Mapping[str, Path], library: str) -> list[str]:
    """The functions of ``jni.c``, which it defines by its macro; none if the family has no such file."""
    text = inputs["jni.c"].read_text(encoding="utf-8") if "jni.c" in inputs else ""
    return [f"Java_{library}_runtime_Native_{name}" for name in re.findall(r"^NATIVE\(\w+, (\w+),", text, re.MULTILINE)]


def _sizes(objects: list[Path], library: Path) -> dict[str, int]:
    """Sizes in bytes: of the stripped object files, in groups, and of the library linked from them."""
    sizes = {path.stem: path.stat().st_size for path in objects}
    kernels, tables = sizes.pop("kernels"), sizes.pop("variant") + sizes.pop("default")
    return {"core": sum(sizes.values()), "kernels": kernels, "library": library.stat().st_size, "tables": tables}


STAGE = Stage(build, tools=("g2p-build", "ziglang"), memory=memory, source_files=source_files)
