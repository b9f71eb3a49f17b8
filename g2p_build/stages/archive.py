"""Stage: files → one tar. The same files always give the same bytes."""

import tarfile
from pathlib import Path
from typing import Any

from g2p_build.stages.protocol import Stage

__all__ = ["STAGE", "build"]


def build(params: dict[str, Any], inputs: dict[str, Path], out: Path) -> None:
    """Writes `archive.tar` (ustar): the inputs under their names, sorted. Times are 0, owners empty, modes 644.

    Args:
        params: none.
        inputs: member name → file.
        out: an empty folder.
    """
    with tarfile.open(out / "archive.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path in sorted(inputs.items()):
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            member.mode = 0o644
            with path.open("rb") as file:
                archive.addfile(member, file)


STAGE = Stage(build)
