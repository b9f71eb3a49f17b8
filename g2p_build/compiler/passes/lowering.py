"""What the passes that lower operations to kernels have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from g2p_build.compiler.kernels.cpu import Cpu, cpu_of

__all__ = ["PREFIX", "Kernels", "extents", "float32", "lower", "operation", "type_extents"]

PREFIX = "g2p."
"""What the names of operations begin with in a module: the exporter calls them as external functions."""


class Kernels:
    """The kernels of the module that is being lowered: each is made once and shared by all calls that it fits.

    Attributes:
        cpu: What they are made for.
    """

    def __init__(self, cpu: Cpu) -> None:
        self.cpu = cpu
        self._made: dict[Hashable, relax.GlobalVar] = {}
        self.builder: relax.BlockBuilder

    def call(
        self,
        make: Callable[[], tirx.PrimFunc],
        key: Hashable,
        arguments: Sequence[relax.Expr],
        outputs: Sequence[relax.TensorType],
        in_place: Sequence[int] = (),
    ) -> relax.Call:
        """A call of the kernel of a key.

        Args:
            make: Makes the kernel where there is none for the key yet.
            key: What the kernel depends on.
            arguments: The kernel's first parameters.
            outputs: The types of the call's results: of what follows the arguments, then of those in place.
            in_place: Which arguments are written to.
        """
        if key not in self._made:
            kernel = make()
            name = str(kernel.attrs["global_symbol"])
            self._made[key] = self.builder.add_func(kernel.without_attr("global_symbol"), name)
        kernel, types = self._made[key], list(outputs)
        out_type = types if len(types) > 1 else types[0]
        if not in_place:
            return relax.op.call_tir(kernel, list(arguments), out_ty=out_type)
        indices = [-1] * (len(types) - len(in_place)) + list(in_place)
        return relax.op.call_tir_inplace(kernel, relax.Tuple(arguments), indices, out_ty=out_type)


Rewrite = Callable[[Kernels, relax.Call], relax.Expr]


def lower(module: tvm.IRModule, rewrites: Mapping[str, Rewrite]) -> tvm.IRModule:
    """Replaces calls of operations by what functions of these calls give, for the current target.

    Args:
        module: Relax functions.
        rewrites: By an operation's name, without the prefix.
    """
    lowering = _Lowering(module, rewrites)
    for name, function in module.functions_items():
        if isinstance(function, relax.Function):
            lowering.builder_.update_func(name, lowering.visit_expr(function))
    return lowering.builder_.get()


@mutator
class _Lowering(PyExprMutator):
    def __init__(self, module: tvm.IRModule, rewrites: Mapping[str, Rewrite]) -> None:
        super().__init__(module)
        self.rewrites = rewrites
        self.kernels = Kernels(cpu_of(tvm.target.Target.current()))
        self.kernels.builder = self.builder_

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        name = operation(call)
        return call if name is None or name not in self.rewrites else self.rewrites[name](self.kernels, call)


def operation(call: relax.Call) -> str | None:
    """The name of the operation that is called, without the prefix; None where it is something else."""
    if call.op != tvm.ir.Op.get("relax.call_dps_packed"):
        return None
    symbol = str(call.args[0].global_symbol)
    return symbol.removeprefix(PREFIX) if symbol.startswith(PREFIX) else None


def extents(tensor: relax.Expr) -> tuple[int, ...]:
    """A tensor's shape."""
    return type_extents(tensor.ty)


def type_extents(found: relax.TensorType) -> tuple[int, ...]:
    """The shape of a tensor's type."""
    return tuple(int(extent) for extent in found.shape)


def float32(*shape: int) -> relax.TensorType:
    """The type of a tensor."""
    return relax.TensorType(shape, "float32")
