"""Environments for what is compared with, so that it does not disturb the build's own packages.

A list of packages at exact versions is an environment. It is made once, and kept in the cache.
"""

import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from g2p_build.store.digests import digest_of

__all__ = ["NotInstalled", "interpreter"]


class NotInstalled(Exception):
    """Packages cannot be installed. One line: the last that pip had to say."""


def interpreter(root: Path, packages: Path, say: Callable[[str], None], beside: bool) -> Path:
    """The interpreter of an environment, which is made if it is not there. Commands lie in the same folder.

    Args:
        root: the cache's folder.
        packages: the list, `NAME.txt`.
        say: told when the environment has to be made.
        beside: the list is complete on top of the build's own packages (torch, transformers, numpy), which the
            environment sees. Otherwise it sees only the packages of the list, and what pip finds that they need.

    Raises:
        NotInstalled: pip failed.
    """
    name = packages.stem
    # Not the folder alone: it may itself name others.
    sees = f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n" if beside else ""
    made_of = [packages.read_text(encoding="utf-8"), sys.version, sys.prefix, sees]
    folder = root / "bench" / f"{name}-{digest_of(made_of)[:16]}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            say(f"{name}: installing")
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            _install(python, ["-r", str(packages), *(["--no-deps"] if beside else [])])
            if beside:
                # Below the list's own packages, so that a list can have another version. pip must not see them.
                [site] = folder.glob("[Ll]ib/**/site-packages")
                (site / "build.pth").write_text(sees, encoding="utf-8")
            done.touch()
    return python


def _install(python: Path, wanted: list[str]) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR:")] or ["pip failed"]
        raise NotInstalled(errors[-1].removeprefix("ERROR: ")[:200])
