"""Stage: shape → a Relax module with one function. Nothing is decoded."""

from pathlib import Path
from typing import Any

from g2p_build.stages.protocol import Stage
from g2p_build.store.files import canonical_json

__all__ = ["STAGE", "build"]


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `program.json` and `functions.json`."""
    import tvm
    from torch import Tensor, nn

    from g2p_build.compiler.export import export
    from g2p_build.models import ops
    from g2p_build.models.layout import NO_NORM, PANEL, panels
    from g2p_build.models.program import Program, TensorSpec

    width, classes, most = params["width"], params["classes"], params["most"]

    class Classify(nn.Module):
        def forward(self, letters: Tensor, weights: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            rows = ops.embed(letters, weights["table"])
            hidden = ops.linear(rows, weights["first"], 48, NO_NORM, "relu")
            return ops.project(hidden, weights["second"], classes, NO_NORM)

    program = Program(
        name="classify",
        role="classify",
        batch=1,
        input_len=most,
        output_len=None,
        tokens=None,
        module=Classify(),
        inputs=(
            ("argument", TensorSpec("letters", (most,), "int32")),
            ("weight", TensorSpec("table", (256, width), "float32")),
            ("weight", TensorSpec("first", (panels(48), width, PANEL), "float32")),
            ("weight", TensorSpec("second", (panels(classes), 48, PANEL), "float32")),
        ),
        outputs=(TensorSpec("logits", (most, classes), "float32"), TensorSpec("kinds", (most,), "int32")),
        packed=("letters",),
    )
    module, functions = export([program])
    (out / "program.json").write_text(tvm.ir.save_json(module), encoding="utf-8")
    (out / "functions.json").write_bytes(canonical_json(functions) + b"\n")


STAGE = Stage(build, tools=("apache-tvm", "torch"))
