"""The environments that contenders run in: each list `NAME.txt` here is one."""

import sys
from collections.abc import Callable
from pathlib import Path

from bench.common import environments
from bench.common.process import Failed

__all__ = ["FOLDER", "interpreter"]

FOLDER = Path(__file__).parent


def interpreter(root: Path, name: str | None, say: Callable[[str], None]) -> Path:
    """The interpreter of an environment, which is made if it is not there.

    Args:
        root: the cache's folder.
        name: of a list; None: the environment of the build itself.
        say: told when it has to be made.

    Raises:
        Failed: its packages cannot be installed.
    """
    if name is None:
        return Path(sys.executable)
    try:
        return environments.interpreter(root, FOLDER / f"{name}.txt", say, beside=True)
    except environments.NotInstalled as error:
        raise Failed(f"cannot be installed: {error}") from None
