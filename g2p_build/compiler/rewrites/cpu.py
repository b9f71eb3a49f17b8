"""The table of a CPU: the rewrite of every operation that programs are made of."""

from __future__ import annotations

from collections.abc import Mapping

from g2p_build.compiler.rewrites.attention import (
    lower_attend_cross,
    lower_attend_encoder,
    lower_attend_self,
    lower_write_cross,
)
from g2p_build.compiler.rewrites.calls import Rewrite
from g2p_build.compiler.rewrites.embeddings import lower_embed, lower_spread_bias
from g2p_build.compiler.rewrites.linears import lower_linear, lower_project
from g2p_build.compiler.rewrites.norms import lower_norm
from g2p_build.compiler.rewrites.speech import SPEECH

__all__ = ["CPU"]

CPU: Mapping[str, Rewrite] = {
    **SPEECH,
    "attend_cross": lower_attend_cross,
    "attend_encoder": lower_attend_encoder,
    "attend_self": lower_attend_self,
    "embed": lower_embed,
    "linear": lower_linear,
    "norm": lower_norm,
    "project": lower_project,
    "spread_bias": lower_spread_bias,
    "write_cross": lower_write_cross,
}
