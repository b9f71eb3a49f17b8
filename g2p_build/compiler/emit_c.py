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
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tvm
from tvm import relax, tirx

from g2p_build.compiler.arena import ALIGNMENT, Arena, plan
from g2p_build.compiler.kernels.code import NUMBERS, PART, PARTS, SCRATCH
from g2p_build.compiler.linear import Linear, linear, size_of
from g2p_build.compiler.passes.plain_calls import SYMBOLS, extents
from g2p_build.errors import BuildError
from g2p_build.models.extents import Extent, Size

__all__ = ["PACKED", "Extension", "emit"]

_BATCH, _ROWS = "batch", "rows"  # a kernel's extents that vary
_C_TYPES = {
    "float32": "float",
    "int32": "int32_t",
    "float16": "uint16_t",
    "uint16": "uint16_t",
    "int8": "int8_t",
    "float64": "double",
}
_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int8": "I8"}  # as safetensors spells them

PACKED = "packed"
"""The attribute of a Relax function that names its arguments with a row for each position of the inputs."""


@dataclass
class _Place:
    """Where a tensor is. `text` is the C expression of its address; a result gets it when its place is chosen."""

    text: str = ""
    read_only: bool = False
    packed: bool = False  # it has a row for each position of the inputs


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[Size, ...]
    dtype: str
    place: _Place
    values: tuple[int, ...] = ()  # of a constant


@dataclass
class _Function:
    name: str
    symbol: str  # of the C function
    batch: int
    tokens: int  # that a row takes at most; 1 where the function has none
    extents: tuple[str, ...]  # that its shapes are told in
    arena: Arena
    tensors: list[tuple[Linear, _Tensor]] = field(default_factory=list)  # of the arena, with their offsets
    calls: list[tuple[str, list[_Tensor]]] = field(default_factory=list)  # kernel, what it is given


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
    read = []
    places = {
        "argument": {name: f"run->arguments[{number}]" for number, name in enumerate(arguments)},
        "weight": {name: f"run->weights[{number}]" for number, name in enumerate(weights)},
        "state": {name: f"run->states[{number}]" for number, name in enumerate(states)},
    }
    for description in functions:
        read.append(_read(module[description["name"]], description, places, kernels, constants, definitions))
    scratch = _scratch_bytes(read, kernels)
    used: dict[str, list[list[_Tensor]]] = {}
    for name, given in (call for function in read for call in function.calls):
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
        *definitions,
        *(_definition(function, kernels, symbols, extensions, varying, scratch) for function in read),
        *_tables(functions, read, weights, states, arguments, extensions, varying, scratch),
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
        found |= dict.fromkeys(_own_extents(module[description["name"]]))
    return tuple(found)


def _own_extents(function: relax.Function) -> tuple[str, ...]:
    shapes = [param.ty.shape.values for param in function.params]
    return tuple(dict.fromkeys(name for shape in shapes for extent in shape for name, _ in linear(extent).each))


def _read(
    function: relax.Function,
    description: Mapping[str, Any],
    places: Mapping[str, Mapping[str, str]],
    kernels: Mapping[str, tirx.PrimFunc],
    constants: dict[tuple[str, bytes], str],
    definitions: list[str],
) -> _Function:
    """Follows a Relax function's bindings. `places` has the C expression of what it is given, by kind and name."""
    tokens = description.get("tokens")
    symbol = f"{description['role']}_{tokens}" if tokens else description["role"]
    made = _Function(
        description["name"],
        symbol,
        description["batch"],
        tokens or 1,
        _own_extents(function),
        plan(function, kernels),
    )
    packed = {str(name) for name in (function.attrs or {}).get(PACKED, ())}
    values: dict[Any, Any] = {
        param: _Tensor(
            _shape(param.ty.shape),
            entry["dtype"],
            _Place(
                places[entry["kind"]][entry["name"]],
                read_only=entry["kind"] == "weight" or entry["dtype"] == "int32",
                packed=entry["name"] in packed,
            ),
        )
        for param, entry in zip(function.params, description["inputs"], strict=True)
    }
    for block in function.body.blocks:
        for binding in block.bindings:
            values[binding.var] = _value(binding.value, values, made, kernels, constants, definitions)
            if binding.var in made.arena.offsets:
                tensor = values[binding.var]
                tensor.place.text = f"t{len(made.tensors)}"
                made.tensors.append((made.arena.offsets[binding.var], tensor))
    results = _value(function.body.body, values, made, kernels, constants, definitions)
    for entry, tensor in zip(description["outputs"], results if isinstance(results, list) else [results], strict=True):
        if not tensor.place.text:
            tensor.place.text = places["argument"][entry["name"]]
        elif not tensor.place.text.startswith("run->states"):
            raise BuildError(
                f"function {made.name} gives {entry['name']} where it cannot be written as C: in its arena"
            )
    return made


def _value(
    value: Any,
    values: Mapping[Any, Any],
    made: _Function,
    kernels: Mapping[str, tirx.PrimFunc],
    constants: dict[tuple[str, bytes], str],
    definitions: list[str],
) -> Any:
    """A tensor, a list of them, or None for a call of a kernel."""

    def follow(argument: Any) -> Any:
        return _value(argument, values, made, kernels, constants, definitions)

    if isinstance(value, relax.Var):
        return values[value]
    if isinstance(value, relax.Tuple):
        return [follow(item) for item in value.fields]
    if isinstance(value, relax.TupleGetItem):
        return follow(value.tuple_value)[value.index]
    if isinstance(value, tvm.ir.GenericConst):
        return _constant(value.value.numpy(), constants, definitions)
    if not isinstance(value, relax.Call):
        raise BuildError(f"function {made.name}: {type(value).__name__} cannot be written as C")
    if isinstance(value.op, tvm.ir.GlobalVar):
        params = kernels[value.op.name_hint].params
        given = [
            _Tensor((2,), "int32", _Place(PART, read_only=True)) if buffer.name == PART else follow(argument)
            for buffer, argument in zip(params, value.args, strict=True)
        ]
        made.calls.append((value.op.name_hint, given))
        return None
    name = str(value.op.name)
    if name == "relax.builtin.alloc_tensor":
        return _Tensor(_shape(value.args[0]), str(value.args[1].value), _Place())
    if name == "relax.reshape":
        return replace(follow(value.args[0]), shape=_shape(value.args[1]))
    raise BuildError(f"function {made.name}: the operation {name} cannot be written as C")


def _shape(shape: relax.ShapeExpr) -> tuple[Size, ...]:
    return tuple(size_of(extent) for extent in shape.values)


def _constant(array: np.ndarray, constants: dict[tuple[str, bytes], str], definitions: list[str]) -> _Tensor:
    """A constant's place; equal ones share one definition."""
    key = (str(array.dtype), array.tobytes())
    if key not in constants:
        constants[key] = f"constant_{len(constants)}"
        c_type, numbers = _C_TYPES[str(array.dtype)], ", ".join(str(number) for number in array.ravel().tolist())
        definitions.append(
            f"static _Alignas({ALIGNMENT}) const {c_type} {constants[key]}[{array.size}] = {{{numbers}}};\n"
        )
    values = tuple(array.tolist()) if array.dtype == np.int32 else ()
    return _Tensor(tuple(array.shape), str(array.dtype), _Place(constants[key], read_only=True), values)


def _declaration(symbol: str, kernel: tirx.PrimFunc, calls: Sequence[Sequence[_Tensor]]) -> str:
    """A kernel's prototype. A parameter is const if any call passes read-only memory for it."""
    read_only = [any(given[number].place.read_only for given in calls) for number in range(len(kernel.params))]
    pointers = [
        f"{'const ' * constant}{_C_TYPES[str(buffer.dtype)]} *{buffer.name}"
        for buffer, constant in zip(kernel.params, read_only, strict=True)
    ]
    names = {buffer.name for buffer in kernel.params}
    counts = [f"int32_t {extent.name}{'_count' * (extent.name in names)}" for extent in extents(kernel)]
    return f"void {symbol}({', '.join(pointers + counts)});"


def _scratch_bytes(functions: Sequence[_Function], kernels: Mapping[str, tirx.PrimFunc]) -> int:
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
    function: _Function,
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
            called = _called(name, symbols, extensions, counts)
            lines.append(f"  {called}({_passed(given, counts)});")
            continue
        work = f"{function.symbol}_{len(shared)}"
        own = {tensor.place.text for tensor in given}
        body = [line for place, line in places.items() if place in own]
        for buffer, tensor in zip(kernel.params, given, strict=True):
            if buffer.name == SCRATCH:
                tensor.place.text = SCRATCH
                body.append(
                    f"  {_C_TYPES[tensor.dtype]} *const {SCRATCH} = "
                    f"({_C_TYPES[tensor.dtype]} *)(void *)(run->scratch + (size_t)thread * {scratch});"
                )
        counts = _counts(function, name, kernel, given)
        called, passed = _called(name, symbols, extensions, counts), _passed(given, counts)
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
                    f"  {called}({passed});",
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


def _place(offset: Linear, tensor: _Tensor) -> str:
    """The line that says where a tensor of the arena is."""
    c_type, shape = _C_TYPES[tensor.dtype], ", ".join(map(str, tensor.shape))
    address = f"({c_type} *)(void *)(run->arena + {f'({offset})' if offset.each else offset})"
    return f"  {c_type} *const {tensor.place.text} = {address}; /* [{shape}] */"


def _parts(kernel: tirx.PrimFunc, given: Sequence[_Tensor]) -> str:
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


def _called(name: str, symbols: str, extensions: Sequence[Extension], counts: Mapping[str, str]) -> str:
    """The form of a kernel that is called, which may depend on the CPU and on the number of rows."""
    called = symbols + name
    for number, extension in enumerate(extensions, 1):
        if name in extension.kernels:
            least = extension.least_rows.get(name, 1)
            enough = f" && {counts[_ROWS]} >= {least}" if least > 1 else ""
            called = f"(run->extension >= {number}{enough} ? {extension.symbols}{name} : {called})"
    return called


def _passed(given: Sequence[_Tensor], counts: Mapping[str, str]) -> str:
    """What a function passes to a kernel that it calls."""
    return ", ".join([*(tensor.place.text for tensor in given), *counts.values()])


def _counts(function: _Function, name: str, kernel: tirx.PrimFunc, given: Sequence[_Tensor]) -> dict[str, str]:
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


def _check_outside(function: str, kernel: str, tensors: Sequence[_Tensor]) -> None:
    """Refuses what a function of several tokens keeps in the arena for each row, however many tokens that has."""
    if any(not tensor.place.text.startswith("run->") for tensor in tensors):
        raise BuildError(f"function {function}: {kernel} keeps something for each row: keep it for each token")


def _tables(
    descriptions: Sequence[Mapping[str, Any]],
    functions: Sequence[_Function],
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
