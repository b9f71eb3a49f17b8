"""Reads headers and symbol tables of object files, to know that an app's own linker will take them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from g2p_build.errors import BuildError

__all__ = ["ALLOWED", "ObjectFile", "check", "for_apple", "read_object"]

ALLOWED = frozenset(
    {"bzero", "memcpy", "memmove", "memset", "expf", "floorf", "fmaf", "logf", "powf", "sqrtf", "tanhf"}
)
"""The functions of libc and libm that kernels may call. Apple's compilers turn some ``memset`` into ``bzero``."""

_ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
_MACH_O_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
_COFF_MACHINES = {0x8664: "x86_64", 0xAA64: "aarch64"}
_BUILD_VERSION = 0x32  # a load command of Mach-O
_WASM = b"\0asm\1\0\0\0"


@dataclass(frozen=True)
class ObjectFile:
    """A relocatable object file.

    Attributes:
        format: ``"elf"``, ``"mach-o"``, ``"coff"`` or ``"wasm"``.
        architecture: ``"x86_64"``, ``"aarch64"`` or ``"wasm32"``.
        undefined: The symbols that another file must define, as C spells them, sorted. Weak ones are left out: the file
            can do without them.
    """

    format: str
    architecture: str
    undefined: tuple[str, ...]


def check(data: bytes, triple: str) -> ObjectFile:
    """Reads the kernels' object file, and checks that it is for the target and needs only `ALLOWED` symbols.

    Args:
        data: The file.
        triple: The target's.

    Returns:
        What the file is.

    Raises:
        BuildError: The file is for another platform, needs another symbol, or is no object file.
    """
    found = read_object(data)
    architecture = {"arm64": "aarch64"}.get(triple.split("-")[0], triple.split("-")[0])
    formats = {"apple": "mach-o", "windows": "coff", "wasm32": "wasm"}
    expected = next((name for part, name in formats.items() if part in triple), "elf")
    if (found.format, found.architecture) != (expected, architecture):
        raise BuildError(
            f"the kernels for {triple} are {found.format} for {found.architecture}, not {expected} for {architecture}"
        )
    for symbol in found.undefined:
        if symbol not in ALLOWED:
            raise BuildError(
                f"the kernels for {triple} take {symbol!r} from elsewhere: they may take {', '.join(sorted(ALLOWED))}"
            )
    return found


def read_object(data: bytes) -> ObjectFile:
    """Reads an object file: 64-bit ELF, Mach-O or COFF, or WebAssembly.

    Raises:
        BuildError: The bytes are no such file, or they are cut off.
    """
    try:
        if data[:8] == _WASM:
            return ObjectFile("wasm", "wasm32", _sorted(_undefined_in_wasm(data)))
        if data[:6] == b"\x7fELF\2\1" and data[16] == 1:
            [machine] = struct.unpack_from("<H", data, 18)
            return ObjectFile("elf", _ELF_MACHINES[machine], _sorted(_undefined_in_elf(data)))
        if data[:4] == b"\xcf\xfa\xed\xfe" and data[12] == 1:
            [machine] = struct.unpack_from("<I", data, 4)
            return ObjectFile("mach-o", _MACH_O_MACHINES[machine], _sorted(_undefined_in_mach_o(data)))
        [machine] = struct.unpack_from("<H", data)
        return ObjectFile("coff", _COFF_MACHINES[machine], _sorted(_undefined_in_coff(data)))
    except (struct.error, IndexError, KeyError, ValueError):
        raise BuildError(f"{len(data)} bytes that begin with {data[:8].hex()} are no object file") from None


def for_apple(data: bytes, platform: int, least: int | None) -> bytes:
    """A Mach-O object file for another of Apple's platforms with the same processor.

    Args:
        data: the file, for arm64. It says itself which platform it is for, and its code calls nothing that only that
            one has.
        platform: the number of the other, by <mach-o/loader.h>.
        least: the oldest major version of the other's system; None: as it was.

    Raises:
        BuildError: the file is for another processor, or does not say which platform it is for.
    """
    changed = bytearray(data)
    [machine] = struct.unpack_from("<I", data, 4)
    if _MACH_O_MACHINES.get(machine) != "aarch64":
        raise BuildError("a Swift package is for Apple's own processors: let target.triple begin with arm64")
    [commands] = struct.unpack_from("<I", data, 16)
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", data, at)
        if command == _BUILD_VERSION:
            was = struct.unpack_from("<I", data, at + 12)[0]
            struct.pack_into("<II", changed, at + 8, platform, was if least is None else least << 16)
            return bytes(changed)
        at += size
    raise BuildError(
        "the kernels do not say which of Apple's platforms they are for: name a version in target.triple, "
        "such as ios14.0"
    )


def _sorted(symbols: Iterator[str]) -> tuple[str, ...]:
    return tuple(sorted(set(symbols)))


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def _undefined_in_elf(data: bytes) -> Iterator[str]:
    """By the System V ABI's <elf.h>: SHT_SYMTAB is 2, STB_GLOBAL 1, SHN_UNDEF 0."""
    (sections,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, sections + size * number) for number in range(count)]
    for _, kind, _, _, start, length, strings, *_ in headers:
        if kind == 2:
            for at in range(start, start + length, 24):
                name, info, _, section, _, _ = struct.unpack_from("<IBBHQQ", data, at)
                if section == 0 and info >> 4 == 1:
                    yield _text(data, headers[strings][4] + name)


def _undefined_in_mach_o(data: bytes) -> Iterator[str]:
    """By <mach-o/loader.h> and <mach-o/nlist.h>: LC_SYMTAB is 2; N_EXT 1, N_TYPE 14, N_UNDF 0; N_WEAK_REF 0x40."""
    [commands] = struct.unpack_from("<I", data, 16)
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", data, at)
        if command == 2:
            symbols, count, strings, _ = struct.unpack_from("<IIII", data, at + 8)
            for number in range(count):
                name, kind, _, description, value = struct.unpack_from("<IBBHQ", data, symbols + 16 * number)
                if kind & 15 == 1 and not value and not description & 0x40:
                    yield _text(data, strings + name).removeprefix("_")
        at += size


def _undefined_in_coff(data: bytes) -> Iterator[str]:
    """By Microsoft's PE and COFF specification: IMAGE_SYM_CLASS_EXTERNAL is 2."""
    symbols, count = struct.unpack_from("<II", data, 8)
    number = 0
    while number < count:
        name, value, section, _, storage, more = struct.unpack_from("<8sIhHBB", data, symbols + 18 * number)
        if storage == 2 and section == 0 and value == 0:
            (offset,) = struct.unpack_from("<I", name, 4)
            long = name[:4] == bytes(4)
            yield _text(data, symbols + 18 * count + offset) if long else name.rstrip(b"\0").decode()
        number += 1 + more


def _undefined_in_wasm(data: bytes) -> Iterator[str]:
    """Functions that a module imports (WebAssembly core specification, 5.5.5). An object imports its undefined ones."""
    at = len(_WASM)
    while at < len(data):
        section = data[at]
        size, start = _number(data, at + 1)
        at = start + size
        if section == 2:
            count, place = _number(data, start)
            for _ in range(count):
                name = ""
                for _ in ("module", "name"):
                    length, place = _number(data, place)
                    name, place = data[place : place + length].decode(), place + length
                kind, place = data[place], place + 1
                if kind == 0:
                    _, place = _number(data, place)
                    yield name
                else:
                    place = _skipped(data, place, kind)


def _skipped(data: bytes, at: int, kind: int) -> int:
    """Where an import of a table (1), a memory (2) or a global (3) ends."""
    if kind == 3:
        return at + 2
    flags, at = _number(data, at + (kind == 1))
    for _ in range(1 + (flags & 1)):
        _, at = _number(data, at)
    return at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number in LEB128, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at
