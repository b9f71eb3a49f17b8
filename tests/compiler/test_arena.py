"""Where the tensors of a function lie: none is overwritten while it is needed, and else they share memory."""

from collections.abc import Sequence
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from tvm import relax, tirx

from g2p_build.compiler.arena import Arena, plan
from g2p_build.compiler.linear import Linear

LARGE, SMALL = (1 << 20, 0), (64, 0)
"""Sizes: bytes, and more of them for each frame."""

sizes_of_tensors = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda size: (64 * size[0], 64 * size[1]))


def planned(sizes: Sequence[tuple[int, int]], uses: Sequence[Sequence[int]]) -> tuple[Arena, list[Linear]]:
    """The arena of a function that calls a kernel for each of `uses`, and where each tensor is in it.

    A tensor is allocated before the first call that uses it.
    """
    builder, frames = relax.BlockBuilder(), tirx.Var("frames", "int64")
    kernels: dict[str, tirx.PrimFunc] = {}
    told = relax.Var("told", relax.TensorType([frames], "float32"))
    tensors: dict[int, relax.Var] = {}
    with builder.function("main", [told]):
        for call, used in enumerate(uses):
            for number in used:
                if number not in tensors:
                    constant, each = (size // 4 for size in sizes[number])
                    shape = relax.ShapeExpr([frames * each + constant])
                    tensors[number] = builder.emit(relax.op.builtin.alloc_tensor(shape, "float32", 0))
            kernel = tirx.PrimFunc(
                [tirx.decl_buffer([16], name=f"t{place}") for place in range(len(used))],
                tirx.Evaluate(tirx.const(0, "int32")),
            )
            kernels[f"kernel{call}"] = kernel
            name = builder.add_func(kernel.with_attr("call", call), f"kernel{call}")
            builder.emit(relax.Call(name, [tensors[number] for number in used], ret_ty=relax.TupleType([])))
        builder.emit_func_output(told)
    arena = plan(builder.get()["main"], kernels)
    return arena, [arena.offsets[tensors[number]] for number in range(len(sizes))]


def at(size: Linear, frames: int) -> int:
    return size.constant + sum(scale * frames for _, scale in size.each)


@given(data=st.data(), sizes=st.lists(sizes_of_tensors, min_size=1, max_size=12), frames=st.integers(1, 500))
def test_tensors_that_are_needed_together_lie_apart(
    data: st.DataObject, sizes: list[tuple[int, int]], frames: int
) -> None:
    spans = [sorted(data.draw(st.tuples(st.integers(0, 15), st.integers(0, 15)))) for _ in sizes]
    uses = [[number for number, span in enumerate(spans) if call in span] for call in range(16)]
    arena, offsets = planned(sizes, [used for used in uses if used])
    places = [
        range(at(offset, frames), at(offset, frames) + constant + each * frames)
        for offset, (constant, each) in zip(offsets, sizes, strict=True)
    ]
    assert all(place.stop <= at(arena.size, frames) for place in places)
    for one, other in combinations(range(len(sizes)), 2):
        if spans[one][0] <= spans[other][1] and spans[other][0] <= spans[one][1]:
            assert not set(places[one][::64]) & set(places[other][::64])


def test_large_tensors_share_memory_whatever_small_ones_are_between_them() -> None:
    arena, _ = planned([SMALL, LARGE, SMALL, LARGE], [[0], [1], [2], [2, 3]])
    assert arena.size == Linear(LARGE[0] + SMALL[0])


def test_a_tensor_that_does_not_vary_leaves_those_alone_that_do() -> None:
    """The first large one could have the memory of what varies. The second could not: it is needed then."""
    arena, _ = planned([(0, 128), LARGE, (0, 128), LARGE], [[0], [1], [2, 3]])
    assert arena.size == Linear(LARGE[0], (("frames", 128),))
