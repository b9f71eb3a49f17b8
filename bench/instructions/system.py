"""A system for 64-bit Arm: the C library and Python of Debian's packages, and packages of Python beside them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.common.kept import kept
from bench.instructions.emulator import Uncounted

__all__ = ["PYTHON", "python_packages", "system"]

PYTHON = "usr/bin/python3.11"

_DEBIAN = (
    *("libc6", "libgcc-s1", "libstdc++6", "libgomp1", "zlib1g", "libexpat1", "libffi8", "liblzma5", "libbz2-1.0"),
    *("libcrypt1", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
)
_PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_17_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64")
_SOURCES = ("sources.list.d/debian.sources", "sources.list")  # of /etc/apt


def system(cache: Path, say: Callable[[str], None]) -> Path:
    """A folder with the packages' files. It is made once, and kept in the cache.

    Args:
        cache: The cache's folder.
        say: Told when it has to be made.

    Raises:
        Uncounted: The packages cannot be had: this is no Debian 12, or it reaches none of its archives.
    """

    def make(out: Path) -> None:
        say("a system for 64-bit Arm: downloading its packages")
        source = next((Path("/etc/apt", name) for name in _SOURCES if Path("/etc/apt", name).exists()), None)
        if source is None or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            raise Uncounted("the system for 64-bit Arm is made of Debian's packages: apt-get and dpkg-deb are needed")
        apt = out / "apt"  # its lists are its own: this machine's architectures stay as they are
        for part in ("lists/partial", "cache/archives/partial", "debs"):
            (apt / part).mkdir(parents=True)
        (apt / "status").touch()
        (apt / "apt.conf").write_text(
            f'APT::Architecture "arm64";\nAPT::Architectures {{ "arm64"; }};\nAPT::Sandbox::User "root";\n'
            f'Dir::State "{apt}";\nDir::State::status "{apt}/status";\nDir::Cache "{apt}/cache";\n'
            f'Dir::Etc::sourcelist "{source}";\nDir::Etc::sourceparts "-";\n'
        )
        for command in (["update"], ["download", *_DEBIAN]):
            _run(["apt-get", "-qq", *command], apt / "debs", {"APT_CONFIG": str(apt / "apt.conf")})
        for package in sorted((apt / "debs").glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(out)], out)
        shutil.rmtree(apt)

    return kept(cache, "arm64-system", list(_DEBIAN), make)


def python_packages(cache: Path, packages: Sequence[str], say: Callable[[str], None]) -> Path:
    """A folder with packages of Python, at exact versions, and nothing that they need. It is kept in the cache.

    Raises:
        Uncounted: One cannot be had for Python 3.11 on 64-bit Arm.
    """

    def make(out: Path) -> None:
        say(f"for 64-bit Arm: downloading {', '.join(packages)}")
        platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", *platforms, "--python-version", "3.11", "--implementation", "cp"]
        _run([*command, "--target", str(out), *packages], out)

    return kept(cache, "arm64-packages", list(packages), make)


def _run(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
    ran = subprocess.run(command, cwd=folder, env=os.environ | (env or {}), capture_output=True, text=True)
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"]
        raise Uncounted(f"{command[0]}: {lines[-1][:200]}")
