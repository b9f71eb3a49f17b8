"""Writes loop nests, statement by statement.

Kernels are TIR, and plain Python functions make them. A loop of Python is unrolled, and `Code.loop` writes a loop of
the kernel. Vectors are values with lanes, so that no vectoriser decides anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from tvm import tirx
from tvm.tirx import stmt as tir

__all__ = [
    "BFLOAT16",
    "LEAST_ROWS",
    "NUMBERS",
    "PART",
    "PARTS",
    "SCRATCH",
    "Code",
    "Value",
    "address",
    "any_matrix",
    "broadcast",
    "constant",
    "inputs",
    "load",
    "ramp",
    "segments",
    "stored",
    "tensor",
]

Value: TypeAlias = Any
"""An index or an extent: an int, or an integer expression (`tvm.ir.Expr`)."""


BFLOAT16 = "uint16"
"""The dtype of bfloat16 tensors in modules: their bits, which are the upper half of a float32's. TVM's own is another
type, which not all of its passes take."""


PART = "part"
"""The name of a parameter, int32 [2]: a kernel does the parts of its work from the first number up to the second. So
threads share a call. It says in the attribute `PARTS` how many parts there are."""

SCRATCH = "scratch"
"""The name of a parameter: memory that a kernel's parts use one after the other. Each thread has its own."""

NUMBERS = "numbers"
"""The name of a parameter: integers that a kernel is told."""

LEAST_ROWS = "least_rows"
"""The attribute of a kernel that is for calls with at least so many rows. For fewer there is another form of it."""

PARTS = "parts"
"""The attribute of a kernel with `PART`: "", and how many parts it has; or an extent's name, and which number of
`NUMBERS` says how many of it a part has."""


class Code:
    """The body of a kernel under construction."""

    def __init__(self) -> None:
        self._blocks: list[list[tir.Stmt]] = [[]]

    def let(self, value: tirx.Expr, name: str = "x") -> tirx.Var:
        """Names a value, so that it is computed once."""
        variable = tirx.Var(name, value.ty)
        self._blocks[-1].append(tir.Bind(variable, value))
        return variable

    def store(self, buffer: tirx.Buffer, value: tirx.Expr, *indices: Value) -> None:
        """Writes a number to a buffer; with a `ramp` as the last index, a vector."""
        self._blocks[-1].append(tir.BufferStore(buffer, value, [_index(index) for index in indices]))

    def intrinsic(self, name: str, *arguments: tirx.Expr) -> None:
        """Calls a function of LLVM's that gives nothing back."""
        self._blocks[-1].append(tir.Evaluate(tirx.call_llvm_intrin("void", name, *arguments)))

    def prefetch(self, buffer: tirx.Buffer, *indices: Value) -> None:
        """Asks for a place of a buffer to be brought into the second cache. The place must be inside of the buffer."""
        # llvm.prefetch's arguments: for reading, of moderate locality, data.
        hints = [constant(0), constant(2), constant(1)]
        self.intrinsic("llvm.prefetch", address(buffer, *indices), *hints)

    def registers(self, extent: int, dtype: str = "float32") -> tirx.Buffer:
        """Scratch memory on the kernel's stack. LLVM keeps it in registers if all its indices are constants."""
        buffer = tirx.decl_buffer((extent,), dtype, "registers")
        # With this note TVM leaves the allocation to LLVM. Otherwise it would ask its runtime for memory.
        self._blocks[-1].append(tir.AllocBuffer(buffer, {"disable_lower_builtin": tirx.const(True, "bool")}))
        return buffer

    def lines(self, extent: int, dtype: str) -> tirx.Buffer:
        """Scratch memory on the kernel's stack that begins where a line of the cache of 64 bytes does."""
        # A vector of 64 bytes is aligned to that, and TVM would align another number to 16 at most.
        whole = self.registers(-(-extent * np.dtype(dtype).itemsize // 64), "int32x16")
        buffer = tirx.decl_buffer((extent,), dtype, "lines", data=whole.data)
        self._blocks[-1].append(tir.DeclBuffer(buffer, data=whole.data))
        return buffer

    @contextmanager
    def loop(self, extent: Value, name: str = "i", dtype: str = "int32") -> Iterator[tirx.Var]:
        """Loops over the statements written inside, from 0 to an extent.

        With the dtype of addresses, `Cpu.index`, those that the loop counts up are not converted in each of its rounds.
        """
        variable = tirx.Var(name, dtype)
        self._blocks.append([])
        yield variable
        body = _sequence(self._blocks.pop())
        first, end = constant(0, dtype), _index(extent).astype(dtype)
        self._blocks[-1].append(tir.For(variable, first, end, tir.ForKind.SERIAL, body))

    @contextmanager
    def parts(self, part: tirx.Buffer, count: Value) -> Iterator[tirx.Expr]:
        """Loops over those of `count` parts that the parameter `PART` asks for."""
        first = self.let(tirx.max(load(part, 0), constant(0)), "first_part")
        end = tirx.min(load(part, 1), _index(count))
        with self.loop(tirx.max(end - first, constant(0)), "part") as number:
            yield self.let(first + number, "here")

    @contextmanager
    def even_parts(
        self, part: tirx.Buffer, count: Value, most: Value, step: Value, columns: Value
    ) -> Iterator[tuple[tirx.Expr, tirx.Expr, tirx.Expr, tirx.Expr]]:
        """Loops over the parts of a matrix that the parameter `PART` asks for.

        There are as many parts as `g2p_parts` in program.h says: an even number of equal ones, so that two threads have
        the same to do. They are of rows; where few rows would be one part, of columns, so that no more is read than in
        one part.

        Args:
            part: The parameter.
            count: The rows.
            most: Of a part: a multiple of `step`.
            step: Parts begin at multiples of it.
            columns: Of the matrix, in whatever unit.

        Yields:
            The part's first row, how many rows it has, its first column, and how many columns it has.
        """
        needed = self.let(tirx.floordiv(count + (most - 1), most), "needed")
        halved = self.let((needed < 2).astype("int32"), "halved")
        parts = self.let(needed + tirx.bitwise_and(needed, constant(1)), "parts")
        steps = self.let(tirx.floordiv(count + (step - 1), step), "steps")
        with self.parts(part, parts) as number:
            # In memory, because TVM would think about the quotients for minutes.
            ends = self.registers(4, "int32")
            for end in range(2):
                at, of = number * (1 - halved) + end, parts * (1 - halved) + halved
                share = tirx.floordiv(steps, of) * at + tirx.min(tirx.floormod(steps, of), at)
                self.store(ends, tirx.min(share * step, _index(count)), end)
                half = tirx.floordiv((columns + 1) * (number + end), constant(2))
                column = tirx.Select(halved > 0, tirx.min(half, _index(columns)), columns * end)
                self.store(ends, column, 2 + end)
            first, column = self.let(load(ends, 0), "first"), self.let(load(ends, 2), "first_column")
            rows, width = self.let(load(ends, 1) - first, "rows"), self.let(load(ends, 3) - column, "width")
            with self.when(tirx.all(rows > 0, width > 0)):
                yield first, rows, column, width

    @contextmanager
    def when(self, condition: tirx.Expr) -> Iterator[None]:
        """Runs the statements written inside only if a condition holds."""
        self._blocks.append([])
        yield
        body = _sequence(self._blocks.pop())
        self._blocks[-1].append(tir.IfThenElse(condition, body, None))

    def kernel(self, name: str, params: Sequence[tirx.Buffer]) -> tirx.PrimFunc:
        """The finished kernel. Callers must not let two of its parameters share memory."""
        function = tirx.PrimFunc(list(params), _sequence(self._blocks[0]))
        return function.with_attrs({"tirx.noalias": True, "global_symbol": name, "tirx.is_scheduled": True})


@contextmanager
def inputs(
    code: Code, length: tirx.Buffer, batch: Value, count: Value, most: Value
) -> Iterator[tuple[tirx.Var, tirx.Expr, tirx.Expr]]:
    """Loops over a batch's packed inputs, which lie one after the other.

    Args:
        code: The kernel.
        length: int32 [B], the positions of each input; one below 1 counts as 1.
        batch: B.
        count: M, the positions of all inputs together.
        most: The positions that an input can have at most.

    Yields:
        The row, its first position, and how many positions it has. A row never reaches beyond `count`.
    """
    place = code.registers(1, "int32")
    code.store(place, constant(0), 0)
    with code.loop(batch, "b") as b:
        first = code.let(load(place, 0), "first")
        seen = tirx.min(tirx.max(load(length, b), constant(1)), tirx.min(count - first, most))
        seen = code.let(seen, "seen")
        yield b, first, seen
        code.store(place, first + seen, 0)


def tensor(name: str, shape: Sequence[Value], dtype: str = "float32") -> tirx.Buffer:
    """A parameter of a kernel. If an extent is a variable, the tensor that a call passes gives it its value."""
    return tirx.decl_buffer(list(shape), dtype, name)


def any_matrix(name: str) -> tirx.Buffer:
    """A float32 parameter of two extents that no other parameter has."""
    return tensor(name, (tirx.Var(f"{name}_rows", "int32"), tirx.Var(f"{name}_columns", "int32")))


def stored(buffer: tirx.Buffer, *indices: Value) -> tirx.Expr:
    """Reads a number from a buffer, in the buffer's dtype; with a `ramp` as the last index, a vector."""
    return tirx.BufferLoad(buffer, [_index(index) for index in indices])


def load(buffer: tirx.Buffer, *indices: Value) -> tirx.Expr:
    """Reads a number from a buffer, float16 and `BFLOAT16` as float32; with a `ramp` as the last index, a vector."""
    value = stored(buffer, *indices)
    if BFLOAT16 in str(value.ty.dtype):
        lanes = str(value.ty.dtype).removeprefix(BFLOAT16)
        bits = value.astype(f"int32{lanes}") << constant(16, lanes=int(lanes[1:] or 1))
        return tirx.reinterpret(f"float32{lanes}", bits)
    return value.astype(value.ty.dtype.replace("float16", "float32")) if "float16" in str(value.ty.dtype) else value


def address(buffer: tirx.Buffer, *indices: Value) -> tirx.Expr:
    """Where a number of a buffer lies."""
    return tirx.address_of(stored(buffer, *indices))


def ramp(start: Value, lanes: int) -> Value:
    """The index of a vector of consecutive elements."""
    return tirx.Ramp(_index(start), constant(1), lanes) if lanes > 1 else start


def broadcast(value: tirx.Expr, lanes: int) -> tirx.Expr:
    """A vector of equal elements."""
    return tirx.Broadcast(value, lanes) if lanes > 1 else value


def constant(value: float, dtype: str | None = None, lanes: int = 1) -> tirx.Expr:
    """A number, or a vector of equal numbers. Without a dtype an int is int32, and a float is float32."""
    return broadcast(tirx.const(value, dtype or ("int32" if isinstance(value, int) else "float32")), lanes)


def segments(extent: int, lanes: int) -> list[tuple[int, int]]:
    """Cuts an extent into vectors (start, lanes): full ones while they fit, then ever smaller powers of two."""
    found, start = [], 0
    while start < extent:
        while lanes > extent - start:
            lanes //= 2
        found.append((start, lanes))
        start += lanes
    return found


def _index(index: Value) -> tirx.Expr:
    return constant(index) if isinstance(index, int) else index


def _sequence(statements: list[tir.Stmt]) -> tir.Stmt:
    if not statements:
        return tir.Evaluate(constant(0))
    return statements[0] if len(statements) == 1 else tir.SeqStmt(statements)
