"""Environments for the libraries compared with, so that they do not disturb the build's own packages.

Each list `NAME.txt` here is an environment: packages at exact versions, complete on top of the build's own (torch,
transformers, numpy), which it sees. It is made once, in the cache.
"""

import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from bench.pronounce.process import Failed
from g2p_build.store.digests import digest_of

__all__ = ["interpreter"]

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
    packages = FOLDER / f"{name}.txt"
    own = sysconfig.get_paths()["purelib"]
    made_of = [packages.read_text(encoding="utf-8"), sys.version, sys.prefix, own]
    folder = root / "bench" / f"{name}-{digest_of(made_of)[:16]}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            say(f"{name}: installing")
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            _install(python, packages)
            # Below its own packages, so that a list can have another version of something. pip must not see them.
            [site] = folder.glob("[Ll]ib/**/site-packages")
            (site / "build.pth").write_text(f"{own}\n", encoding="utf-8")
            done.touch()
    return python


def _install(python: Path, packages: Path) -> None:
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "-r",
        str(packages),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR:")] or ["pip failed"]
        raise Failed(f"cannot be installed: {errors[-1].removeprefix('ERROR: ')[:200]}")
