"""The module between the compiler's phases, as text."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tvm
from tvm import relax
from tvm.target import Target

from g2p_build.compiler.emit_c import emit
from g2p_build.compiler.passes.plain_calls import SYMBOLS
from g2p_build.compiler.pipeline import code, executable, lowered, phases, target_of
from g2p_build.errors import BuildError

__all__ = ["build", "names", "text"]

_CODE = {"llvm": "ll", "asm": "asm"}  # what TVM calls the generated code's forms
_END = re.compile(r"^\.?Lfunc_end|^\s*\.cfi_endproc")
_DEBUG = re.compile(r"^\s*(\.loc\s|[#;/@]+DEBUG_VALUE|\.?Ltmp\d+:|#dbg_)")


def build(params: Mapping[str, Any], inputs: Mapping[str, Path], out: Path) -> None:
    """Writes two files: `text`, what was asked for, and `suffix`, how the name of a file with such text ends.

    Args:
        params: ``target``, as `text` takes it; ``phase``, one of `names`; ``function``, a name, or empty for all.
        inputs: `program.json`, `functions.json`.
        out: A folder.

    Raises:
        BuildError: There is no such phase or function.
    """
    module = tvm.ir.load_json(inputs["program.json"].read_text(encoding="utf-8"))
    functions = json.loads(inputs["functions.json"].read_bytes())
    found = text(module, functions, params["target"], params["phase"], params["function"])
    (out / "text").write_text(found, encoding="utf-8")
    (out / "suffix").write_text({"c": "c", "llvm": "ll", "asm": "s"}.get(params["phase"], "py"), encoding="utf-8")


def names(target: Target, engine: str) -> list[str]:
    """What there is to see: the imported program, the module after each phase, and the code.

    Args:
        target: As `target_of` gives it.
        engine: ``"standalone"`` or ``"vm"``. A standalone library has C ("c") that calls its kernels.
    """
    return ["program", *phases(target, engine), *(["c"] if engine == "standalone" else []), *_CODE]


def text(
    module: tvm.IRModule,
    functions: Sequence[Mapping[str, Any]],
    target: Mapping[str, Any],
    phase: str,
    function: str = "",
) -> str:
    """A module after a phase, as TVMScript, or its code.

    Args:
        module: Relax functions, as `export` gives them.
        functions: Their descriptions, as `export` gives them.
        target: As `target_of` takes it, and its ``engine``.
        phase: One of `names`.
        function: A function or kernel; empty for all of them.

    Raises:
        BuildError: There is no such phase or function, or the target cannot be compiled for.
    """
    llvm, engine = target_of(target), target["engine"]
    if phase not in names(llvm, engine):
        raise BuildError(f"no phase is named {phase!r}; {_near(phase, names(llvm, engine))}")
    if phase != "program":
        # C is written from the planned module, and code from the last one.
        last = "plan" if phase == "c" else "" if phase in _CODE else phase
        module = lowered(module, llvm, engine, last)
    known = sorted(
        variable.name_hint.removeprefix(SYMBOLS)
        for variable, found in module.functions_items()
        if phase not in _CODE or not isinstance(found, relax.Function)
    )
    if function and function not in known:
        raise BuildError(f"nothing is named {function!r} in phase {phase}; {_near(function, known)}")
    if phase == "c":
        return emit(module, functions)
    if phase in _CODE:
        if engine == "standalone":
            symbol = SYMBOLS + function if function else ""
            return _code(code(module, llvm), phase, [symbol] if function else [])
        [kernels] = [imported for imported in executable(module, llvm).mod.imports if imported.kind == "llvm"]
        # One function checks what it is called with. It calls another, which does the arithmetic.
        return _code(kernels, phase, [f"{function}_compute_", f"__tvm_ffi_{function}"] if function else [])
    names_of = {variable.name_hint.removeprefix(SYMBOLS): variable for variable in module.get_global_vars()}
    shown: str = (module[names_of[function]] if function else module).script()
    return shown.rstrip() + "\n"


def _code(kernels: Any, form: str, symbols: Sequence[str]) -> str:
    """The code of the first of some symbols that has any; all code if none has."""
    lines = kernels.inspect_source(_CODE[form]).splitlines()
    found = (_body(lines, form, symbol) for symbol in symbols)
    return "\n".join(next(filter(None, found), lines)) + "\n"


def _body(lines: Sequence[str], form: str, symbol: str) -> list[str]:
    begins = re.compile(rf"^define .*@{re.escape(symbol)}\(" if form == "llvm" else rf"^_?{re.escape(symbol)}:")
    start = next((number for number, line in enumerate(lines) if begins.match(line)), None)
    if start is None:
        return []
    for end in range(start + 1, len(lines)):
        if lines[end] == "}" if form == "llvm" else _END.match(lines[end]):
            return [line for line in lines[start : end + 1] if not _DEBUG.match(line)]
    return list(lines[start:])


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {json.dumps(list(known))[1:-1]}"
