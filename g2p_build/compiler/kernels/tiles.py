"""The parameters of tiles for each kind of vector unit. `cpu.Cpu` says what they mean, and `doit tune` writes them."""

from __future__ import annotations

from typing import Any

__all__ = ["TILES"]

TILES: dict[str, dict[str, Any]] = {
    "avx512": {"lanes": 16, "accumulators": 24, "chunk": 64, "tiles": {8: 2, 4: 4, 2: 4, 1: 8}},
    "avx2": {"lanes": 8, "accumulators": 12, "chunk": 48, "tiles": {6: 2, 4: 2, 2: 4, 1: 8}},
    "neon": {"lanes": 4, "accumulators": 24, "chunk": 48, "tiles": {6: 4, 4: 4, 2: 8, 1: 16}},
    "other": {"lanes": 4, "accumulators": 12, "chunk": 48, "tiles": {4: 2, 2: 4, 1: 8}},
}
