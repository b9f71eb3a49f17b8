"""Counts how much a kernel computes and moves, by reading its loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import ir, tirx
from tvm.ir import prim
from tvm.tirx import stmt as tir

__all__ = ["Work", "work_of"]

_FLOAT = (tirx.Add, tirx.Sub, tirx.Mul, tirx.Div)
_INTEGER: dict[type, Callable[[Any, Any], Any]] = {
    tirx.Add: lambda a, b: a + b,
    tirx.Sub: lambda a, b: a - b,
    tirx.Mul: lambda a, b: a * b,
    tirx.FloorDiv: lambda a, b: a // b,
    tirx.FloorMod: lambda a, b: a % b,
    tirx.Min: min,
    tirx.Max: max,
    tirx.EQ: lambda a, b: a == b,
    tirx.NE: lambda a, b: a != b,
    tirx.LT: lambda a, b: a < b,
    tirx.LE: lambda a, b: a <= b,
    tirx.GT: lambda a, b: a > b,
    tirx.GE: lambda a, b: a >= b,
    tirx.And: lambda a, b: a and b,
    prim.BitwiseAnd: lambda a, b: a & b,
    tirx.Or: lambda a, b: a or b,
}
_COUNTS = object()  # stands among a loop's steering variables if the loop writes to an integer register
_FIELDS = ("a", "b", "value", "condition", "true_value", "false_value")  # where expressions keep other expressions


@dataclass(frozen=True)
class Work:
    """What one call of a kernel does.

    Attributes:
        flops: The float additions, subtractions, multiplications and divisions that it executes.
        bytes: The bytes of its parameters that it reads or writes, each counted once. So much memory is moved if caches
            are empty before the call, and everything fits a cache during it.
    """

    flops: int
    bytes: int


def work_of(kernel: tirx.PrimFunc, arguments: Sequence[np.ndarray]) -> Work | None:
    """Counts what a kernel does with some arguments.

    Most loops are not run: what is in them is counted once and multiplied. Two sorts of loops are run, those that inner
    loops or conditions depend on, and those that count in an integer register. So a kernel that ends at a row's
    position or length is counted as far as it goes.

    Args:
        kernel: Made of loops, conditions and stores, like those of `g2p_build.compiler.kernels`.
        arguments: Its arguments in order. The values of integers count, and the shapes of all.

    Returns:
        The work; None if the kernel has something in it that is not understood.
    """
    try:
        counter = _Counter(kernel, arguments)
        found = counter.total(kernel.body)
    except _Unknown:
        return None
    sizes = {buffer: array.nbytes for buffer, array in zip(kernel.params, arguments, strict=True)}
    return Work(found[None], sum(min(size, found[buffer]) for buffer, size in sizes.items()))


class _Unknown(Exception):
    pass


class _Counter:
    """Counts statements, for given values of the loops around them: flops under None, bytes under their parameter."""

    def __init__(self, kernel: tirx.PrimFunc, arguments: Sequence[np.ndarray]) -> None:
        self.arrays = dict(zip(kernel.params, arguments, strict=True))
        self.values: dict[Any, Any] = {}
        for buffer, array in self.arrays.items():
            for extent, size in zip(buffer.shape, array.shape, strict=True):
                if isinstance(extent, tirx.Var):
                    self.values[extent] = size
        self.bound: dict[Any, Any] = {}
        self.steering: dict[Any, set[Any]] = {}  # loop → variables that loops and conditions inside depend on
        self.own: dict[Any, Counter[Any]] = {}  # simple statement → what it does
        self.registers: dict[Any, int] = {}  # integers, by their buffer
        self._collect(kernel.body)

    def total(self, statement: tir.Stmt) -> Counter[Any]:
        if isinstance(statement, tir.SeqStmt):
            return _sum(self.total(inner) for inner in statement.seq)
        if isinstance(statement, tir.For):
            extent = self.value(statement.extent)
            if extent <= 0:
                return Counter()
            if self.steering[statement].isdisjoint({statement.loop_var, _COUNTS}):
                self.values[statement.loop_var] = 0
                return _times(self.total(statement.body), extent)
            rounds = []
            for number in range(extent):
                self.values[statement.loop_var] = number
                rounds.append(self.total(statement.body))
            return _sum(rounds)
        if isinstance(statement, tir.IfThenElse):
            taken = statement.then_case if self.value(statement.condition) else statement.else_case
            return Counter() if taken is None else self.total(taken)
        if self._counts(statement):
            self._count(statement)
        return self.own[statement]

    def value(self, expression: Any) -> Any:
        """The value of an integer or a condition."""
        if isinstance(expression, tirx.IntImm):
            return int(expression.value)
        if isinstance(expression, tirx.Var):
            if expression in self.bound:  # computed anew, because loops around it may have moved on
                return self.value(self.bound[expression])
            return self.values[expression]
        if isinstance(expression, ir.TensorLoad) and expression.source in self.arrays:
            place = tuple(self.value(index) for index in expression.indices)
            return int(self.arrays[expression.source][place])
        if isinstance(expression, ir.TensorLoad) and expression.source in self.registers:
            return self.registers[expression.source]
        if isinstance(expression, tirx.Not):
            return not self.value(expression.a)
        if isinstance(expression, tirx.Cast):
            return self.value(expression.value)
        if type(expression) in _INTEGER:
            return _INTEGER[type(expression)](self.value(expression.a), self.value(expression.b))
        raise _Unknown(type(expression))

    def _collect(self, statement: tir.Stmt) -> set[Any]:
        """Fills `bound`, `steering` and `own`. Returns the variables on which it depends what a statement executes."""
        if isinstance(statement, tir.SeqStmt):
            return set().union(*(self._collect(inner) for inner in statement.seq))
        if isinstance(statement, tir.For):
            self.steering[statement] = self._collect(statement.body)
            return self.steering[statement] | self._variables(statement.extent)
        if isinstance(statement, tir.IfThenElse):
            branches = [case for case in (statement.then_case, statement.else_case) if case is not None]
            return self._variables(statement.condition).union(*(self._collect(case) for case in branches))
        if isinstance(statement, tir.Bind):
            self.bound[statement.var] = statement.value
            self.own[statement] = self._counted(statement.value)
        elif isinstance(statement, tir.BufferStore):
            found = self._counted(statement.value)
            if statement.buffer in self.arrays:
                found[statement.buffer] += _size(statement.value)
            self.own[statement] = found
        elif isinstance(statement, tir.AllocBuffer | tir.DeclBuffer | tir.Evaluate):
            self.own[statement] = Counter()
        else:
            raise _Unknown(type(statement))
        return {_COUNTS} if self._counts(statement) else set()

    def _count(self, statement: tir.BufferStore) -> None:
        try:
            self.registers[statement.buffer] = self.value(statement.value)
        except _Unknown:  # an error only if something depends on this register: then it is missing
            self.registers.pop(statement.buffer, None)

    def _counts(self, statement: tir.Stmt) -> bool:
        """Whether it writes to an integer register."""
        written = statement.buffer if isinstance(statement, tir.BufferStore) else None
        return written is not None and written not in self.arrays and str(written.dtype) == "int32"

    def _variables(self, expression: Any) -> set[Any]:
        found: set[Any] = set()
        for part in _parts(expression):
            if isinstance(part, tirx.Var):
                found.add(part)
                if part in self.bound:
                    found |= self._variables(self.bound[part])
        return found

    def _counted(self, expression: Any) -> Counter[Any]:
        found: Counter[Any] = Counter()
        for part in _parts(expression):
            if isinstance(part, _FLOAT) and str(part.ty.dtype).startswith("float"):
                found[None] += _lanes(part)
            elif isinstance(part, ir.TensorLoad) and part.source in self.arrays:
                found[part.source] += _size(part)
        return found


def _parts(expression: Any) -> Iterator[Any]:
    """An expression and all expressions inside it."""
    yield expression
    if isinstance(expression, ir.TensorLoad):
        inner = list(expression.indices)
    elif isinstance(expression, ir.Call):
        inner = list(expression.args)
    else:
        inner = [getattr(expression, name) for name in _FIELDS if hasattr(expression, name)]
    for part in inner:
        yield from _parts(part)


def _lanes(expression: Any) -> int:
    _, _, lanes = str(expression.ty.dtype).partition("x")
    return int(lanes or 1)


def _size(expression: Any) -> int:
    """Bytes of a value."""
    name = str(expression.ty.dtype).partition("x")[0]
    return _lanes(expression) * np.dtype(name).itemsize


def _sum(counts: Iterable[Counter[Any]]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for count in counts:
        total.update(count)
    return total


def _times(count: Mapping[Any, int], factor: int) -> Counter[Any]:
    return Counter({key: number * factor for key, number in count.items()})
