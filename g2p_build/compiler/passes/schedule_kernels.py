"""Every kernel gets a schedule."""

from __future__ import annotations

import tvm
from tvm import s_tir, tirx

from g2p_build.compiler.schedules.cpu import Cpu, cpu_of
from g2p_build.compiler.schedules.elementwise import schedule_elementwise
from g2p_build.compiler.schedules.matmul import schedule_matmul
from g2p_build.compiler.schedules.rows import schedule_dot, schedule_rows

__all__ = ["ScheduleKernels"]


@tvm.transform.module_pass(opt_level=0, name="ScheduleKernels")
class ScheduleKernels:
    """Chooses each kernel's schedule by what its blocks compute and the target's vector unit."""

    def transform_module(self, module: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        cpu = cpu_of(tvm.target.Target.current())
        scheduled = {
            name: _scheduled(function, cpu) if isinstance(function, tirx.PrimFunc) else function
            for name, function in module.functions_items()
        }
        return tvm.IRModule(scheduled, attrs=module.attrs)


def _scheduled(kernel: tirx.PrimFunc, cpu: Cpu) -> tirx.PrimFunc:
    sch = s_tir.Schedule(kernel)
    blocks = [sch.get(block) for block in sch.get_child_blocks(sch.get_sblock("root"))]
    names = {block.name_hint for block in blocks}
    if "matmul" in names:
        schedule_matmul(sch, cpu)
    elif "dot" in names:
        schedule_dot(sch, cpu)
    elif any(block.init is not None for block in blocks):
        schedule_rows(sch, cpu)
    else:
        schedule_elementwise(sch)
    return sch.mod["main"].with_attr("tirx.is_scheduled", True)
