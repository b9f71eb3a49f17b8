"""Real faults (a kill, a full disk, a read-only folder, a flipped bit), and checks that they leave nothing behind."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conftest import SMALL, Tree

# Another seed chooses other moments and other bits.
SEED = os.environ.get("FAULT_SEED", "0")


def some(few: int, many: int) -> list[object]:
    """Numbers of trials: the first `few` run always, the rest of `many` by `make test-long`."""
    return [number if number < few else pytest.param(number, marks=pytest.mark.long) for number in range(many)]


def start(tree: Tree, *words: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    """Starts `doit ...` for the small variant in a process group of its own, as a terminal does."""
    temporary = tree.root.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "doit", *words, *SMALL],
        cwd=tree.root,
        env=tree.env | {"TMPDIR": str(temporary)} | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def entries(tree: Tree) -> dict[str, tuple[int, int]]:
    """The finished stages in a cache: key → the entry's time and inode, which change if it is written again."""
    return {path.stem: (path.stat().st_ino, path.stat().st_mtime_ns) for path in tree.cache.glob("actions/*/*.json")}


def leftovers(tree: Tree) -> list[str]:
    """Temporary files, in every place where a build makes some."""
    places = [tree.cache / "tmp", tree.root.parent / "temporary"]
    found = [path for place in places if place.is_dir() for path in place.rglob("*")]
    found += [path for part in ("dist", "manifests") for path in (tree.root / part).glob(".*")]
    return sorted(str(path) for path in found)


def errors(stderr: str) -> list[str]:
    """The lines that are errors. Asserts that there is no traceback."""
    assert "Traceback" not in stderr and "Exception ignored" not in stderr, stderr
    return [line for line in stderr.splitlines() if line.startswith("ERROR")]


def flip_a_bit(path: Path, position: int) -> None:
    """Flips one bit of a file. The file keeps its size and its time."""
    before = path.stat()
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[position // 8] ^= 1 << position % 8
    path.write_bytes(data)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def forget(tree: Tree, *stages: str) -> None:
    """Removes some stages from a cache, with the blobs that only they made."""
    used: set[str] = set()
    for path in tree.cache.glob("actions/*/*.json"):
        entry = json.loads(path.read_bytes())
        if entry["components"]["stage"] in stages:
            path.unlink()
        else:
            used.update(entry["outputs"].values())
    for path in tree.cache.glob("blobs/*/*"):
        if path.name not in used:
            path.unlink()


class Place:
    """A mount namespace. Commands that run in it see its mounts."""

    def __init__(self, pid: int) -> None:
        self.enter = ["nsenter", f"--target={pid}", "--mount"]
        if os.geteuid():
            self.enter += ["--user", "--preserve-credentials"]

    def run(self, tree: Tree, *command: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command in a tree and waits for it."""
        return tree.run(*self.enter, "sh", "-c", 'cd "$0" && exec "$@"', str(tree.root), *command)

    def doit(self, tree: Tree, *words: str) -> "subprocess.CompletedProcess[str]":
        """Runs `doit compile` in it for the small variant."""
        return self.run(tree, sys.executable, "-m", "doit", "compile", *words, *SMALL)


@contextlib.contextmanager
def mounted(script: str, *arguments: object) -> Iterator[Place]:
    """A mount namespace in which a shell script has mounted file systems. They disappear with it.

    Skips the test if mounting is not allowed.
    """
    alone = ["unshare", "--mount"] + (["--map-root-user"] if os.geteuid() else [])
    shell = [*alone, "sh", "-ec", f"{script}\necho ready\nexec cat", "sh", *map(str, arguments)]
    try:
        holder = subprocess.Popen(
            shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except FileNotFoundError:
        pytest.skip("there is no `unshare` here")
    with holder:
        assert holder.stdin and holder.stdout
        said = holder.stdout.readline()
        if said != "ready\n":
            pytest.skip(f"nothing can be mounted here: {said.strip()}")
        try:
            yield Place(holder.pid)
        finally:
            holder.stdin.close()


def tmpfs(folder: Path, size: str) -> "contextlib.AbstractContextManager[Place]":
    """Mounts a disk of a given size over a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return mounted('mount -t tmpfs -o size="$2" tmpfs "$1"', folder, size)


def read_only(folder: Path) -> "contextlib.AbstractContextManager[Place]":
    """Makes a folder read-only, even for the superuser."""
    return mounted('mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"', folder)


def powerless(command: Sequence[str]) -> list[str]:
    """A command that must respect permissions, even if the superuser runs it."""
    return (["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []) + list(command)


def with_limit(kibibytes: int, command: Sequence[str]) -> list[str]:
    """A command whose files cannot grow larger than this. A write then fails as on a full disk."""
    return ["sh", "-c", f'ulimit -f {2 * kibibytes} && exec "$@"', "sh", *command]
