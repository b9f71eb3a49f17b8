"""The saved states of a run: what it needs to go on from where it was, after it was killed or with more words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from g2p_build.errors import BuildError
from g2p_build.reference.pretrained import write_whole
from g2p_build.training.muon import Muon

__all__ = ["Progress", "read_state", "resume", "save_state"]


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: batches seen.
        mean: their mean loss a token, the latest counting most.
    """

    step: int = 0
    mean: float | None = None


def read_state(path: Path) -> dict[str, Any]:
    """A saved state, as `save_state` wrote it.

    Raises:
        BuildError: the file is not one.
    """
    try:
        saved = torch.load(path, weights_only=True)
        saved["settings"], saved["progress"]
    except Exception as error:
        reason = " ".join(str(error).split())[:100]
        raise BuildError(f"{path} is not a saved state ({reason}): remove it, or give another --out") from None
    return dict(saved)


def resume(
    path: Path, settings: Mapping[str, Any], weights: Mapping[str, Tensor], optimizer: Muon
) -> tuple[Progress, dict[str, Any] | None]:
    """Loads a saved state into the weights and the optimiser, where there is one.

    Args:
        path: its file.
        settings: the run's. The state must be of a run with the same.
        weights: the run's, changed in place.
        optimizer: the run's, changed in place.

    Returns:
        How far the run is, and the whole state; None where there is no such file.

    Raises:
        BuildError: the file is no state, or that of a run with other settings.
    """
    if not path.exists():
        return Progress(), None
    saved = read_state(path)
    other = [name for name, value in settings.items() if saved["settings"].get(name) != value]
    if other:
        raise BuildError(
            f"{path} is the state of a run with another {other[0]}: give the same settings and data to go "
            "on with it, or another --out"
        )
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(saved["weights"][name])
    optimizer.load_state_dict(saved["optimizer"])
    return Progress(**saved["progress"]), saved


def save_state(
    path: Path, content: Mapping[str, Any], weights: Mapping[str, Tensor], optimizer: Muon, progress: Progress
) -> None:
    """Writes a state, whole or not at all.

    Args:
        path: its file.
        content: what to save besides: the run's `settings`, and what else belongs to it.
        weights: the run's.
        optimizer: the run's.
        progress: how far the run is.
    """
    # No generator's state: the batches follow from the seed and the step, and there is no dropout.
    state = {
        **content,
        "weights": {name: weight.detach() for name, weight in weights.items()},
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
    }
    write_whole(path, lambda temporary: torch.save(state, temporary))
