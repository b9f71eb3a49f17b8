"""Planned Relax functions as C: the calls of their kernels, in order, in memory that is laid out here.

One C function is made of each Relax function. It takes a batch of any number of rows up to the one that it was
planned for, and inputs of any length: what a kernel calls ``batch`` is the number of rows, and what it calls ``rows``
is in proportion to that, or, where it follows from the packed inputs, the number of their positions. A function of
several tokens a row takes any number of them up to that, and its ``rows`` are in proportion to it too. Nothing else
varies. So one set of functions serves every batch size and every length. What a function of several tokens keeps in the
arena is in proportion to all rows' tokens: with fewer tokens a row it takes more rows than the batch has.

In other programs shapes say themselves what varies (`models.extents`): kernels are passed what their tensors have, and
the arena grows with it.

Nothing here knows a family of models. Functions keep the order in which their program lists them; an argument is known
by its place among the arguments' names; which arguments are packed, the functions themselves say (`PACKED`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tvm
from tvm import tirx

from g2p_build.compiler.arena import ALIGNMENT
from g2p_build.compiler.kernels.code import NUMBERS, PARTS, SCRATCH
from g2p_build.compiler.linear import Linear
from g2p_build.compiler.passes.plain_calls import SYMBOLS, extents
from g2p_build.compiler.planned import C_TYPES, Function, Tensor, own_extents, read
from g2p_build.errors import BuildError
from g2p_build.models.extents import Extent

__all__ = ["Extension", "emit"]

_BATCH, _ROWS = "batch", "rows"  # a kernel's extents that vary
_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int8": "I8"}  # as safetensors spells them


@dataclass(frozen=True)
class Extension:
    """Kernels in another form, for CPUs with features that not all of the target's have.

    Attributes:
        features: As ``program.h`` has them.
        symbols: What the symbols of these forms begin with.
        kernels: Names of the kernels that have one. Others are those of the extension before it.
        least_rows: Of some of these, how many rows a call has at least. With fewer it is that of the extension before.
    """

    features: tuple[str, ...]
    symbols: str
    kernels: frozenset[str]
    least_rows: Mapping[str, int] = field(default_factory=dict)


def emit(
    module: tvm.IRModule,
    functions: Sequence[Mapping[str, Any]],
    symbols: str = SYMBOLS,
    extensions: Sequence[Extension] = (),
) -> str:
    """A program as C11 text that includes ``program.h`` and defines ``program``, for one file to include.

    Args:
        module: Relax functions after the phase "plan", with their kernels.
        functions: Their descriptions, as manifests give them; all of one batch size and of one greatest input length.
        symbols: What the symbols of kernels begin with.
        extensions: Other forms of some kernels, the least first: each has the features of those before it.

    Raises:
        BuildError: A function does what has no form in C; the message names both.
    """
    kernels = {
        variable.name_hint: function
        for variable, function in module.functions_items()
        if isinstance(function, tirx.PrimFunc)
    }
    weights, states = _inputs(functions, "weight"), _inputs(functions, "state")
    arguments = _arguments(functions, states)
    constants: dict[tuple[str, bytes], str] = {}
    definitions: list[str] = []
    varying = _extent_names(module, functions)
    made = []
    places = {
        "argument": {name: f"run->arguments[{number}]" for number, name in enumerate(arguments)},
        "weight": {name: f"run->weights[{number}]" for number, name in enumerate(weights)},
        "state": {name: f"run->states[{number}]" for number, name in enumerate(states)},
    }
    for description in functions:
        made.append(read(module[description["name"]], description, places, kernels, constants, definitions))
    scratch = _scratch_bytes(made, kernels)
    used: dict[str, list[list[Tensor]]] = {}
    for name, given in (call for function in made for call in function.calls):
        used.setdefault(name, []).append(given)
    parts = [
        "/* Made of a model's Relax functions, arenas laid out: tensors never needed together share memory. */",
        '#include "program.h"',
        "",
        *(_declaration(symbols + name, kernels[name], given) for name, given in sorted(used.items())),
        *(
            _declaration(extension.symbols + name, kernels[name], given)
            for extension in extensions
            for name, given in sorted(used.items())
            if name in extension.kernels
        ),
        "",
        *(
            _chooser(name, symbols, kernels[name], given, extensions)
            for name, given in sorted(used.items())
            if _in_several_forms(name, extensions)
        ),
        *definitions,
        *(_definition(function, kernels, symbols, extensions, varying, scratch) for function in made),
        *_tables(functions, made, weights, states, arguments, extensions, varying, scratch),
    ]
    return "\n".join(parts) + "\n"


def _inputs(functions: Sequence[Mapping[str, Any]], kind: str) -> dict[str, Mapping[str, Any]]:
    """The inputs of a kind that any function takes, by name, in the order in which they first appear."""
    found: dict[str, Mapping[str, Any]] = {}
    for function in functions:
        for entry in function["inputs"]:
            if entry["kind"] == kind:
                found.setdefault(entry["name"], entry)
    return found


def _arguments(functions: Sequence[Mapping[str, Any]], states: Mapping[str, Any]) -> list[str]:
    """The names of what functions take and give besides weights and states, in the order in which they first appear."""
    found: dict[str, None] = {}
    for function in functions:
        taken = (entry["name"] for entry in function["inputs"] if entry["kind"] == "argument")
        given = (entry["name"] for entry in function["outputs"] if entry["name"] not in states)
        found |= dict.fromkeys([*taken, *given])
    return list(found)


def _extent_names(module: tvm.IRModule, functions: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the extents that functions are told, in the order in which their inputs first have them."""
    found: dict[str, None] = {}
    for description in functions:
        found |= dict.fromkeys(own_extents(module[description["name"]]))
    return tuple(found)


def _declaration(symbol: str, kernel: tirx.PrimFunc, calls: Sequence[Sequence[Tensor]]) -> str:
    """A kernel's prototype."""
    return f"void {symbol}({', '.join(_parameters(kernel, calls).values())});"


def _parameters(kernel: tirx.PrimFunc, calls: Sequence[Sequence[Tensor]]) -> dict[str, str]:
    """A kernel's parameters in C, by their names. One is const if any call passes read-only memory for it."""
    read_only = [any(given[number].place.read_only for given in calls) for number in range(len(kernel.params))]
    found = {
        buffer.name: f"{'const ' * constant}{C_TYPES[str(buffer.dtype)]} *{buffer.name}"
        for buffer, constant in zip(kernel.params, read_only, strict=True)
    }
    names = [_count_name(kernel, extent) for extent in extents(kernel)]
    return found | {name: f"int32_t {name}" for name in names}


def _count_name(kernel: tirx.PrimFunc, extent: tirx.Var) -> str:
    """What C calls an extent: a tensor may have its name."""
    return extent.name + "_count" * (extent.name in {buffer.name for buffer in kernel.params})


def _in_several_forms(name: str, extensions: Sequence[Extension]) -> bool:
    return any(name in extension.kernels for extension in extensions)


def _chooser(
    name: str,
    symbols: str,
    kernel: tirx.PrimFunc,
    calls: Sequence[Sequence[Tensor]],
    extensions: Sequence[Extension],
) -> str:
    """A function that calls a kernel in the best form, which may depend on the CPU and on the number of rows."""
    parameters, called = _parameters(kernel, calls), symbols + name
    for number, extension in enumerate(extensions, 1):
        if name in extension.kernels:
            least = extension.least_rows.get(name, 1)
            rows = [_count_name(kernel, extent) for extent in extents(kernel) if extent.name == _ROWS]
            enough = f" && {rows[0]} >= {least}" if least > 1 else ""
            called = f"(run->extension >= {number}{enough} ? {extension.symbols}{name} : {called})"
    # Inlined, it would be as large as its calls are many.
    head = (
        f"__attribute__((noinline)) static void {name}(const struct g2p_run *run, {', '.join(parameters.values())}) {{"
    )
    return f"{head}\n  {called}({', '.join(parameters)});\n}}\n"


def _scratch_bytes(functions: Sequence[Function], kernels: Mapping[str, tirx.PrimFunc]) -> int:
    """The scratch memory that a thread needs: of the kernels that share their work."""
    most = 0
    for name, given in (call for function in functions for call in function.calls):
        for buffer, tensor in zip(kernels[name].params, given, strict=True):
            if buffer.name == SCRATCH:
                size = 4
                for extent in tensor.shape:
                    assert isinstance(extent, int), f"the scratch memory of {name} varies"
                    size *= extent
                most = max(most, -(-size // ALIGNMENT) * ALIGNMENT)
    return most


def _definition(
    function: Function,
    kernels: Mapping[str, tirx.PrimFunc],
    symbols: str,
    extensions: Sequence[Extension],
    varying: Sequence[str],
    scratch: int,
) -> str:
    """A function, and before it one for each call that goes through `share`.

    Where extents are told, that is every call: whoever shares the work may leave some for another time.
    """
    extents = {
        name: f"  const size_t {name} = (size_t)run->extents[{varying.index(name)}];" for name in function.extents
    }
    places = {tensor.place.text: _place(offset, tensor) for offset, tensor in function.tensors}
    shared: list[str] = []
    lines: list[str] = []
    for name, given in function.calls:
        kernel = kernels[name]
        in_parts = PARTS in kernel.attrs
        if not in_parts and not function.extents:
            counts = _counts(function, name, kernel, given)
            lines.append(f"  {_called(name, symbols, extensions)}{_passed(given, counts)});")
            continue
        work = f"{function.symbol}_{len(shared)}"
        own = {tensor.place.text for tensor in given}
        body = [line for place, line in places.items() if place in own]
        for buffer, tensor in zip(kernel.params, given, strict=True):
            if buffer.name == SCRATCH:
                tensor.place.text = SCRATCH
                body.append(
                    f"  {C_TYPES[tensor.dtype]} *const {SCRATCH} = "
                    f"({C_TYPES[tensor.dtype]} *)(void *)(run->scratch + (size_t)thread * {scratch});"
                )
        counts = _counts(function, name, kernel, given)
        called, passed = _called(name, symbols, extensions), _passed(given, counts)
        needed = _named(extents, "".join([*body, called, passed]))
        unused = [] if in_parts else ["first", "end"]
        unused += [] if "thread" in "".join(body) else ["thread"]
        shared.append(
            "\n".join(
                [
                    f"static void {work}(const struct g2p_run *run, int32_t first, int32_t end, int32_t thread) {{",
                    *needed,
                    *body,
                    *(["  const int32_t part[2] = {first, end};"] if in_parts else []),
                    *([f"  (void){', (void)'.join(unused)};"] if unused else []),
                    f"  {called}{passed});",
                    "}\n",
                ]
            )
        )
        lines.append(f"  g2p_share(run, {_parts(kernel, given) if in_parts else 1}, {work});")
    text = "".join(lines)
    used = _named(places, text)
    needed = _named(extents, text + "".join(used))
    head = f"static void {function.symbol}(const struct g2p_run *run) {{"
    return "\n".join([*shared, head, *needed, *used, *lines, "}\n"])


def _named(lines: Mapping[str, str], text: str) -> list[str]:
    """The lines, of some by the name that each defines, whose names are in a text."""
    return [line for name, line in lines.items() if re.search(rf"\b{name}\b", text)]


def _place(offset: Linear, tensor: Tensor) -> str:
    """The line that says where a tensor of the arena is."""
    c_type, shape = C_TYPES[tensor.dtype], ", ".join(map(str, tensor.shape))
    address = f"({c_type} *)(void *)(run->arena + {f'({offset})' if offset.each else offset})"
    return f"  {c_type} *const {tensor.place.text} = {address}; /* [{shape}] */"


def _parts(kernel: tirx.PrimFunc, given: Sequence[Tensor]) -> str:
    """How many parts a call has."""
    name, number = kernel.attrs[PARTS]
    if not name:
        return str(int(number))
    [count] = {
        tensor.shape[axis]
        for buffer, tensor in zip(kernel.params, given, strict=True)
        for axis, extent in enumerate(buffer.shape)
        if isinstance(extent, tirx.Var) and extent.name == name
    }
    names = [buffer.name for buffer in kernel.params]
    each = given[names.index(NUMBERS)].values[int(number)]
    return f"g2p_parts({count}, {each})"


def _called(name: str, symbols: str, extensions: Sequence[Extension]) -> str:
    """A call of a kernel, up to its first argument."""
    return f"{name}(run, " if _in_several_forms(name, extensions) else f"{symbols}{name}("


def _passed(given: Sequence[Tensor], counts: Mapping[str, str]) -> str:
    """What a function passes to a kernel that it calls."""
    return ", ".join([*(tensor.place.text for tensor in given), *counts.values()])


def _counts(function: Function, name: str, kernel: tirx.PrimFunc, given: Sequence[Tensor]) -> dict[str, str]:
    """What a function passes to a kernel as its extents, by their names, in the kernel's order."""
    counts: dict[str, str] = {}
    for extent in extents(kernel):
        of_extent = [
            (tensor, tensor.shape[axis])
            for buffer, tensor in zip(kernel.params, given, strict=True)
            for axis, other in enumerate(buffer.shape)
            if extent.same_as(other)
        ]
        value = of_extent[0][1]
        if isinstance(value, Extent):
            counts[extent.name] = f"(int32_t)({value})"
            continue
        if function.extents or extent.name not in (_BATCH, _ROWS):
            counts[extent.name] = str(value)
            continue
        if extent.name == _ROWS and any(tensor.place.packed for tensor, _ in of_extent):
            for tensor, _ in of_extent:  # what the kernel writes is packed as what it reads
                tensor.place.packed = True
            counts[extent.name] = "run->positions"
            continue
        if extent.name == _BATCH and function.tokens > 1:
            _check_outside(function.name, name, [tensor for tensor, _ in of_extent])
        tokens = function.tokens if extent.name == _ROWS else 1
        each, rest = divmod(value, function.batch * tokens)
        if rest:
            what = "the batch" if tokens == 1 else "the batch's tokens"
            raise BuildError(f"function {function.name}: {name}'s {extent.name}, {value}, is no multiple of {what}")
        factors = ["run->rows", *["run->tokens"] * (tokens > 1), *[str(each)] * (each > 1)]
        counts[extent.name] = " * ".join(factors)
    return counts


def _check_outside(function: str, kernel: str, tensors: Sequence[Tensor]) -> None:
    """Refuses what a function of several tokens keeps in the arena for each row, however many tokens that has."""
    if any(not tensor.place.text.startswith("run->") for tensor in tensors):
        raise BuildError(f"function {function}: {kernel} keeps something for each row: keep it for each token")


def _tables(
    descriptions: Sequence[Mapping[str, Any]],
    functions: Sequence[Function],
    weights: Mapping[str, Mapping[str, Any]],
    states: Mapping[str, Mapping[str, Any]],
    arguments: Sequence[str],
    extensions: Sequence[Extension],
    varying: Sequence[str],
    scratch: int,
) -> list[str]:
    """The program's tables, as program.h describes them."""
    lines = [*_tensors("weights", weights), *(_tensors("states", states) if states else [])]
    lines += ["static const char *const arguments[] = {", *(f'    "{name}",' for name in arguments), "};", ""]
    for function in functions:
        if function.arena.size.each:
            each = dict(function.arena.size.each)
            numbers = ", ".join(str(each.get(name, 0)) for name in varying)
            lines.append(f"static const size_t {function.symbol}_each[] = {{{numbers}}};")
    if varying:
        quoted = ", ".join(f'"{name}"' for name in varying)
        lines.append(f"static const char *const extents[] = {{{quoted}}};")
    if extensions:
        lines.append("static const struct g2p_extension extensions[] = {")
        for extension in extensions:
            quoted = ", ".join(f'"{feature}"' for feature in extension.features)
            lines.append(f"    {{{{{quoted}}}}},")
        lines += ["};", ""]
    lines.append("static const struct g2p_function functions[] = {")
    for description, function in zip(descriptions, functions, strict=True):
        role, tokens = description["role"], description.get("tokens") or 0
        table = f"{function.symbol}_each" if function.arena.size.each else "0"
        lines.append(f'    {{"{role}", {tokens}, {function.arena.size.constant}, {table}, {function.symbol}}},')
    lines += ["};", ""]
    fields = {
        "batch": descriptions[0]["batch"],
        "arena_bytes": max(function.arena.size.constant for function in functions),
        "weights": "weights",
        "weights_count": len(weights),
        "states": "states" if states else "0",
        "states_count": len(states),
        "arguments": "arguments",
        "arguments_count": len(arguments),
        "functions": "functions",
        "functions_count": len(functions),
        "extensions": "extensions" if extensions else "0",
        "extensions_count": len(extensions),
        "extents": "extents" if varying else "0",
        "extents_count": len(varying),
        "scratch_bytes": scratch,
    }
    lines.append("static const struct g2p_program program = {")
    lines += [f"    .{name} = {value}," for name, value in fields.items()]
    return [*lines, "};"]


def _tensors(table: str, tensors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [f"static const struct g2p_tensor {table}[] = {{"]
    for name, entry in tensors.items():
        shape = ", ".join(map(str, entry["shape"]))
        lines.append(f'    {{"{name}", "{_DTYPES[entry["dtype"]]}", {len(entry["shape"])}, {{{shape}}}}},')
    return [*lines, "};", ""]
