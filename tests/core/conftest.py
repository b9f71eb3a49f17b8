"""The core's inner functions, compiled once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from core_probe import Probe, compile_with_sanitizers


@pytest.fixture(scope="session")
def compiled_probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = ("weights.c", "manifest.c", "cpu.c")
    return compile_with_sanitizers(tmp_path_factory.mktemp("probe") / "probe", ["probe.c"], parts)


@pytest.fixture(scope="module")
def probe(compiled_probe: Path) -> Iterator[Probe]:
    running = Probe(compiled_probe)
    yield running
    running.close()
