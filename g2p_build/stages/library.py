"""Stage: object code → a plain C library that an app links or loads, or a kit from which the app's tools build it."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from g2p_build.compiler.link import compile_c, link_shared, link_wasm, static_library
from g2p_build.compiler.objects import check
from g2p_build.native.files import shared_name
from g2p_build.native.kit import kit
from g2p_build.native.tables import contract
from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build", "memory", "source_files"]


def memory(params: Mapping[str, Any], inputs: Mapping[str, Path]) -> int:
    """Upper bound in bytes of the memory for compiling and linking, without the worker's own."""
    return 300_000_000


def source_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The files of the core, and for a WebAssembly module those of `native/web/`: name → path."""
    return {path.name: path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()}


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes a library with its header and a report of sizes, or a kit for an app's own tools.

    `shared` gives a shared and a static library, `module` a WebAssembly module with an ES module, `objects` a kit.
    `inspection.json` says what was checked in the kernels' object file.

    Args:
        params: the target's `triple`, `cpu`, `features`, `package` (`shared`, `objects`, `module`).
        inputs: `kernels.o`, `program.c`, `functions.json`, `tokenizer.json`, and the core's files.
        out: an empty folder.

    Raises:
        BuildError: zig cannot compile or link, or the kernels are for another platform or call unknown functions.
    """
    inspected = check(inputs["kernels.o"].read_bytes(), params["triple"])
    inspection = asdict(inspected) | {"linked": params["package"] != "objects", "undefined": list(inspected.undefined)}
    (out / "inspection.json").write_bytes(canonical_json(inspection) + b"\n")
    model = json.loads(inputs["tokenizer.json"].read_bytes())
    functions = json.loads(inputs["functions.json"].read_bytes())
    sources: dict[str, str | Path] = {name: path for name, path in inputs.items() if name.endswith((".c", ".h"))}
    sources["contract.c"] = contract(model, functions, params)
    objects = out / "objects"
    objects.mkdir()
    shutil.copyfile(inputs["kernels.o"], objects / "kernels.o")
    if params["package"] == "objects":
        kit(sources, objects / "kernels.o", params["triple"], out)
        return
    compiled = [*compile_c(sources, params["triple"], objects), objects / "kernels.o"]
    exports = exported(inputs["g2p.h"])
    if params["package"] == "module":
        library = out / "g2p.wasm"
        link_wasm(compiled, [*exports, "malloc", "free"], params["triple"], library)
        for name in ("g2p.d.mts", "g2p.mjs", "package.json"):
            shutil.copyfile(inputs[name], out / name)
    else:
        library = out / shared_name(params["triple"])
        link_shared(compiled, params["triple"], library, exports)
        static_library(compiled, out / "libg2p.a")
    shutil.copyfile(inputs["g2p.h"], out / "g2p.h")
    (out / "sizes.json").write_bytes(canonical_json(_sizes(compiled, library)) + b"\n")


def exported(header: Path) -> list[str]:
    """The functions that the header declares."""
    return sorted(set(re.findall(r"^G2P_API [^;(]*?(g2p_\w+)\(", header.read_text(encoding="utf-8"), re.MULTILINE)))


def _sizes(objects: list[Path], library: Path) -> dict[str, int]:
    """Sizes in bytes: of the stripped object files, in groups, and of the library linked from them."""
    sizes = {path.stem: path.stat().st_size for path in objects}
    kernels, tables = sizes.pop("kernels"), sizes.pop("program") + sizes.pop("contract")
    return {"core": sum(sizes.values()), "kernels": kernels, "library": library.stat().st_size, "tables": tables}


STAGE = Stage(build, tools=("ziglang",), memory=memory, source_files=source_files)
