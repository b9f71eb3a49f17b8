"""Products of four bytes with four, added up: how each kind of vector unit computes them.

All ways give the same int32. Nothing overflows: weights are from -127 to 127, and a group has 64 products.

WebAssembly's relaxed dot product leaves open what an engine makes of a second operand's bytes below 0, but one engine
always makes the same of them. With AVX-VNNI they count as 128 to 255, on ARM as they are, and then the sums are exact;
others let pairs of products saturate. The kernels find out which of the first two it is; that it is neither has to be
found out before (`native/web/loading.mjs`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tvm import tirx
from tvm.target import Target, codegen

from g2p_build.compiler.kernels.code import Code, Value, broadcast, constant, load, ramp, stored

__all__ = ["DOTS", "EIGHT", "EIGHTS", "Dot", "Load", "dot_of", "eights", "rows_of", "zipped"]

EIGHTS = "+i8mm"
"""The attribute of a target that has products of eights used: of two rows' eight numbers and two columns'. A CPU's name
that implies the feature does not: a single row is faster without, and nearly all steps have one."""

EIGHT = 8
"""Numbers of a row that lie side by side where two rows' are multiplied together."""

Vectors = Sequence[tirx.Expr]
Load = Callable[[int, int], tirx.Expr]
"""Reads bytes of a row of weights: from which one on, and how many."""


@dataclass(frozen=True)
class Dot:
    """A way to add the products of quads. A vector has one column of weights in each of its lanes.

    Attributes:
        packed: The dtype that a row's numbers are kept in. Of 16 bits, int8 has the upper halves, then the lower ones.
        order: The order of a quad's four numbers there.
        taken: What the sum of a row's numbers is times to be added to its sums: it takes off again what the way adds to
            weights. None: it adds nothing.
        weights: Prepares the quads of `lanes` columns, once for all rows.
        numbers: Prepares a row's quad, once for all columns.
        add: A vector of sums, with the products of prepared weights and numbers added.
        tiles: The (rows, vectors) of its tiles, if they are not the table's. If the fewest rows are not 1, rows beyond
            the last one are computed too, and dropped.
        paired: Whether it adds up eights of two rows: see `EIGHTS`.
        least: The fewest rows for which this is the fastest way.
    """

    packed: str
    order: tuple[int, int, int, int]
    taken: Callable[[Code], tirx.Expr] | None
    weights: Callable[[Code, Load, int], Vectors]
    numbers: Callable[[Code, tirx.Buffer, Value, int], Vectors]
    add: Callable[[tirx.Expr, Vectors, Vectors, int], tirx.Expr]
    tiles: tuple[tuple[int, int], ...] = ()
    paired: bool = False
    least: int = 1


def dot_of(target: Target) -> str:
    """The fastest way that LLVM may use for a target: a name in `DOTS`; empty for a target that is none of LLVM's."""
    if target.kind.name != "llvm":
        return ""

    def has(*features: str) -> bool:
        return all(codegen.target_has_features(feature, target) for feature in features)

    triple = str(target.attrs["mtriple"])
    if triple.startswith("x86_64"):
        if has("avx512f", "avx512vnni") or has("avxvnni"):
            return "vnni"
        return "avx512bw" if has("avx512bw") else "avx2" if has("avx2") else "sse2"
    if triple.startswith("wasm32"):
        return "relaxed" if has("relaxed-simd") else "wasm"
    if EIGHTS in (target.attrs.get("mattr") or ()):
        return "i8mm"
    return "dotprod" if has("dotprod") else "neon"


def zipped(first: tirx.Expr, second: tirx.Expr) -> Vectors:
    """Quads of four columns, and their next quads, as eights of two columns and of the other two."""
    return [
        tirx.reinterpret(
            "int8x16", tirx.Shuffle([tirx.reinterpret("int32x4", each) for each in (first, second)], order)
        )
        for order in ([0, 4, 1, 5], [2, 6, 3, 7])
    ]


def eights(total: tirx.Expr, weights: tirx.Expr, numbers: tirx.Expr) -> tirx.Expr:
    """Four sums, with products added: of the first row's eight numbers and each column's, then of the second row's."""
    return tirx.call_llvm_pure_intrin("int32x4", "llvm.aarch64.neon.smmla", total, numbers, weights)


def rows_of(first: tirx.Expr, second: tirx.Expr) -> Vectors:
    """The sums of two columns and of the other two, for two rows, as the four sums of each row."""
    return [tirx.Shuffle([first, second], order) for order in ([0, 1, 4, 5], [2, 3, 6, 7])]


def _int32(lanes: int) -> str:
    return "int32" if lanes == 1 else f"int32x{lanes}"


def _repeated(buffer: tirx.Buffer, at: Value, count: int, lanes: int) -> tirx.Expr:
    """Numbers of a row that take 32 bits together, `lanes` times, as int32."""
    return broadcast(tirx.reinterpret("int32", stored(buffer, ramp(at, count))), lanes)


def _vnni_weights(code: Code, read: Load, lanes: int) -> Vectors:
    # The instruction takes weights without a sign: it is turned over, which adds 128.
    signs = constant(0x80808080 - 2**32, lanes=lanes)
    flipped = tirx.bitwise_xor(tirx.reinterpret(_int32(lanes), read(0, 4 * lanes)), signs)
    return [code.let(tirx.reinterpret(f"uint8x{4 * lanes}", flipped), "w")]


def _vnni_numbers(code: Code, buffer: tirx.Buffer, at: Value, lanes: int) -> Vectors:
    return [code.let(tirx.reinterpret(f"int8x{4 * lanes}", _repeated(buffer, at, 4, lanes)))]


def _vnni_add(total: tirx.Expr, weights: Vectors, numbers: Vectors, lanes: int) -> tirx.Expr:
    name = f"llvm.x86.avx512.vpdpbusd.{32 * lanes}"
    return tirx.call_llvm_pure_intrin(_int32(lanes), name, total, weights[0], numbers[0])


_VNNI = Dot("int8", (0, 1, 2, 3), lambda _: constant(-128), _vnni_weights, _vnni_numbers, _vnni_add)


def _relaxed(signed: tirx.Expr, other: tirx.Expr, total: tirx.Expr) -> tirx.Expr:
    bytes_of = (tirx.reinterpret("int8x16", operand) for operand in (signed, other))
    return tirx.call_llvm_pure_intrin(_int32(4), "llvm.wasm.relaxed.dot.i8x16.i7x16.add.signed", *bytes_of, total)


def _relaxed_offset() -> tirx.Expr:
    """-128 where the engine takes bytes below 0 as 128 to 255, and 0 where it takes them as they are."""
    ones, below = constant(0x01010101, lanes=4), constant(-1, lanes=4)
    found = _relaxed(ones, below, constant(0, lanes=4))  # four times 255, or four times -1
    return (constant(-4, lanes=4) - found) >> constant(3, lanes=4)


def _relaxed_taken(code: Code) -> tirx.Expr:
    memory = code.registers(4, "int32")
    code.store(memory, _relaxed_offset(), ramp(0, 4))
    return load(memory, 0)


def _relaxed_weights(code: Code, read: Load, lanes: int) -> Vectors:
    # Signs are turned over, which adds 128, where the engine takes bytes without a sign. What to turn over is the same
    # for all weights, and LLVM computes it outside of the loops.
    signs = (constant(0, lanes=lanes) - _relaxed_offset()) * constant(0x01010101, lanes=lanes)
    return [code.let(tirx.bitwise_xor(tirx.reinterpret(_int32(lanes), read(0, 4 * lanes)), signs), "w")]


def _relaxed_add(total: tirx.Expr, weights: Vectors, numbers: Vectors, lanes: int) -> tirx.Expr:
    return _relaxed(numbers[0], weights[0], total)


_RELAXED = Dot("int8", (0, 1, 2, 3), _relaxed_taken, _relaxed_weights, _vnni_numbers, _relaxed_add)


def _pairs(instruction: str) -> Dot:
    """By an instruction that multiplies int16 and adds pairs of products. A quad's numbers 0 and 2 are one pair."""

    def weights(code: Code, read: Load, lanes: int) -> Vectors:
        both = code.let(tirx.reinterpret(f"int16x{2 * lanes}", read(0, 4 * lanes)))
        eight = constant(8, "int16", 2 * lanes)
        return [code.let((both << eight) >> eight, "even"), code.let(both >> eight, "odd")]

    def numbers(code: Code, buffer: tirx.Buffer, at: Value, lanes: int) -> Vectors:
        pairs = (_repeated(buffer, at + 2 * pair, 2, lanes) for pair in range(2))
        return [code.let(tirx.reinterpret(f"int16x{2 * lanes}", pair)) for pair in pairs]

    def add(total: tirx.Expr, weights: Vectors, numbers: Vectors, lanes: int) -> tirx.Expr:
        for w, x in zip(weights, numbers, strict=True):
            total = total + tirx.call_llvm_pure_intrin(_int32(lanes), instruction, w, x)
        return total

    return Dot("int16", (0, 2, 1, 3), None, weights, numbers, add)


def _whole_weights(code: Code, read: Load, lanes: int) -> Vectors:
    return [code.let(read(0, 4 * lanes), "w")]


def _dot_product_add(total: tirx.Expr, weights: Vectors, numbers: Vectors, lanes: int) -> tirx.Expr:
    return tirx.call_llvm_pure_intrin(_int32(lanes), "llvm.aarch64.neon.sdot", total, weights[0], numbers[0])


# Small tiles have room in the registers for their sums too: larger ones take as many instructions for a row, or more.
_ARM = ((4, 4), (2, 4), (1, 8))
_DOT_PRODUCT = Dot("int8", (0, 1, 2, 3), None, _whole_weights, _vnni_numbers, _dot_product_add, _ARM)
_I8MM = replace(_DOT_PRODUCT, tiles=((4, 2),), paired=True, least=3)


def _neon_weights(code: Code, read: Load, lanes: int) -> Vectors:
    return [code.let(read(half * 2 * lanes, 2 * lanes).astype(f"int16x{2 * lanes}"), "w") for half in range(2)]


def _neon_numbers(code: Code, buffer: tirx.Buffer, at: Value, lanes: int) -> Vectors:
    half = tirx.reinterpret(f"int8x{2 * lanes}", _repeated(buffer, at, 4, lanes // 2))
    return [code.let(half.astype(f"int16x{2 * lanes}"))]


def _neon_add(total: tirx.Expr, weights: Vectors, numbers: Vectors, lanes: int) -> tirx.Expr:
    products = [w * numbers[0] for w in weights]  # two of them fit int16 when added
    pairs = tirx.call_llvm_pure_intrin(f"int16x{2 * lanes}", "llvm.aarch64.neon.addp", *products)
    return total + tirx.call_llvm_pure_intrin(_int32(lanes), "llvm.aarch64.neon.saddlp", pairs)


_NEON = Dot("int8", (0, 1, 2, 3), None, _neon_weights, _neon_numbers, _neon_add, _ARM)

DOTS = {
    "vnni": _VNNI,
    "avx512bw": _pairs("llvm.x86.avx512.pmaddw.d.512"),
    "avx2": _pairs("llvm.x86.avx2.pmadd.wd"),
    "sse2": _pairs("llvm.x86.sse2.pmadd.wd"),
    "wasm": _pairs("llvm.wasm.dot"),
    "relaxed": _RELAXED,
    "dotprod": _DOT_PRODUCT,
    "i8mm": _I8MM,
    "neon": _NEON,
}
"""The ways, by the instructions that they take."""
