"""Writes a library's C interface as Dart declarations, for `dart:ffi`.

It reads headers of this project, which keep to a few forms: enumerations, structures and functions, each of them whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Function", "bindings", "declared"]

# C → the type in memory, and in Dart.
_PLAIN = {
    "char": ("Char", "int"),
    "float": ("Float", "double"),
    "int": ("Int", "int"),
    "int32_t": ("Int32", "int"),
    "size_t": ("Size", "int"),
    "uint32_t": ("Uint32", "int"),
    "uint64_t": ("Uint64", "int"),
    "void": ("Void", "void"),
}
_ENUMERATION = ("UnsignedInt", "int")  # of numbers that are not negative
_HEAD = """// Made from the library's header: do not edit.
// ignore_for_file: camel_case_types, constant_identifier_names, non_constant_identifier_names
import 'dart:ffi' as ffi;
"""


@dataclass(frozen=True)
class Function:
    """A function as the header declares it. Types are C's, with one blank between words and none before a star."""

    name: str
    result: str
    parameters: tuple[tuple[str, str], ...]  # types and names


@dataclass(frozen=True)
class _Types:
    """The types that a header defines, by what they are."""

    enumerations: frozenset[str]
    callbacks: frozenset[str]

    def of(self, declared: str) -> tuple[str, str]:
        """A C type in memory, and in Dart."""
        declared = re.sub(r"\b(const|volatile|struct) ?", "", declared).strip()
        if declared.endswith("*"):
            pointed, _ = self.of(declared[:-1])
            return (f"ffi.Pointer<{pointed}>",) * 2
        if declared in self.callbacks:
            return (f"ffi.Pointer<ffi.NativeFunction<{declared}>>",) * 2
        memory, dart = _ENUMERATION if declared in self.enumerations else _PLAIN.get(declared, ("", declared))
        return (f"ffi.{memory}" if memory else declared, dart)


def declared(header: str, prefix: str) -> list[Function]:
    """The functions that a header declares, in its order.

    Args:
        header: its text, with the headers that it includes in it.
        prefix: what marks them, such as "G2P_API".
    """
    found = []
    for result, name, parameters in re.findall(rf"^{prefix} ([^;(]*?)(\w+)\(([^)]*)\);", _plain(header), re.MULTILINE):
        pairs = [] if parameters == "void" else [_split(each) for each in parameters.split(",")]
        found.append(Function(name, _tidy(result), tuple(pairs)))
    return found


def bindings(header: str, name: str) -> str:
    """A Dart library with everything that a header declares.

    Args:
        header: its text, with the headers that it includes in it.
        name: the library's, with which public names begin.
    """
    text = _plain(header)
    enumerations = re.findall(r"\benum (?:\w+ )?\{([^}]*)\}(?: (\w+))?;", text)
    structures = re.findall(r"^typedef struct (\w+) \{(.*?)^\} \1;", text, re.MULTILINE | re.DOTALL)
    opaque = re.findall(r"^typedef struct (\w+) \1;", text, re.MULTILINE)
    callbacks = re.findall(r"^typedef (\w+) \(\*(\w+)\)\(([^)]*)\);", text, re.MULTILINE)
    types = _Types(frozenset(filter(None, (each for _, each in enumerations))), frozenset(n for _, n, _ in callbacks))
    lines = [_HEAD]
    for macro, number in re.findall(rf"^#define ({name.upper()}_\w+) (\d+)$", text, re.MULTILINE):
        lines.append(f"const int {macro} = {number};")
    for body, _ in enumerations:
        lines += [f"const int {constant} = {number};" for constant, number in _constants(body)]
    lines += [f"\nfinal class {each} extends ffi.Opaque {{}}" for each in opaque]
    for result, each, parameters in callbacks:
        inside = ", ".join(types.of(_split(part)[0])[0] for part in parameters.split(","))
        lines.append(f"\ntypedef {each} = {types.of(result)[0]} Function({inside});")
    for each, body in structures:
        lines += [f"\nfinal class {each} extends ffi.Struct {{", *_fields(body, types), "}"]
    functions = declared(header, f"{name.upper()}_API")
    lines += ["\n/// The functions of the library.", f"final class {name.upper()}Functions {{"]
    lines.append(f"  {name.upper()}Functions(ffi.DynamicLibrary library)")
    looked_up = [
        f"    {':' if number == 0 else ' '} {each.name} = library.lookupFunction<\n"
        f"        {_signature(each, types, 0)},\n        {_signature(each, types, 1)}>('{each.name}')"
        for number, each in enumerate(functions)
    ]
    lines += [",\n".join(looked_up) + ";\n"]
    lines += [f"  final {_signature(each, types, 1)} {each.name};" for each in functions]
    return "\n".join([*lines, "}", ""])


def _plain(header: str) -> str:
    """A header without comments."""
    return re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)


def _constants(body: str) -> Iterator[tuple[str, int]]:
    number = -1
    for part in filter(None, (each.strip() for each in body.split(","))):
        constant, _, value = (each.strip() for each in part.partition("="))
        number = int(value) if value else number + 1
        yield constant, number


def _fields(body: str, types: _Types) -> Iterator[str]:
    for declaration in filter(None, (each.strip() for each in body.split(";"))):
        pointer = re.search(r"\(\*(\w+)\)\(", declaration)
        array = re.fullmatch(r"(\w+) (\w+)\[(\d+)\]", declaration)
        if pointer:
            yield f"  external ffi.Pointer<ffi.Void> {pointer[1]}; // a function"
        elif array:
            memory, _ = types.of(array[1])
            yield f"  @ffi.Array({array[3]})\n  external ffi.Array<{memory}> {array[2]};"
        else:
            first, *more = declaration.split(",")
            kind, field = _split(first)
            memory, dart = types.of(kind)
            note = "" if memory == dart else f"  @{memory}()\n"
            yield from (f"{note}  external {dart} {each.strip()};" for each in (field, *more))


def _signature(function: Function, types: _Types, side: int) -> str:
    """A function's type in memory (side 0) or in Dart (1)."""
    parameters = ", ".join(types.of(kind)[side] for kind, _ in function.parameters)
    return f"{types.of(function.result)[side]} Function({parameters})"


def _split(declaration: str) -> tuple[str, str]:
    """The type and the name of a parameter or a field."""
    found = re.fullmatch(r"(.*?[ *])(\w+)", _tidy(declaration), re.DOTALL)
    assert found, declaration
    return _tidy(found[1]), found[2]


def _tidy(text: str) -> str:
    return re.sub(r" ?\* ?", "*", re.sub(r"\s+", " ", text)).strip()
