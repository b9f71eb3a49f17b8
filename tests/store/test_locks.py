"""Caches on file systems that lock by NFS's rules, or not at all, and users without a home."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Tree

PRELOADED = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

/* flock(2), "NFS details": a shared lock wants a file open for reading, an exclusive one a file open for writing. */
int flock(int file, int operation) {
  const char *error = getenv("FLOCK_ERRNO");
  int mode = fcntl(file, F_GETFL) & O_ACCMODE, kind = operation & ~LOCK_NB;
  if (error || (kind == LOCK_SH && mode == O_WRONLY) || (kind == LOCK_EX && mode == O_RDONLY)) {
    errno = error ? atoi(error) : EBADF;
    return -1;
  }
  return (int)syscall(SYS_flock, file, operation);
}
"""

COMMANDS = (["list"], ["gc", "--delete"], ["why"], ["manifests"])


@pytest.fixture(scope="module")
def preload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preload")
    (folder / "flock.c").write_text(PRELOADED, encoding="utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", folder / "flock.c", "-o", folder / "flock.so"], check=True)
    return folder / "flock.so"


def said(tree: Tree, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "doit", *words]
    return subprocess.run(
        command, cwd=tree.root, env={**tree.env, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_locks_by_the_rules_of_nfs(tree: Tree, preload: Path, command: list[str]) -> None:
    result = said(tree, *command, LD_PRELOAD=str(preload))
    assert result.returncode in (0, 1) and "Traceback" not in result.stderr, result.stderr


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_cache_without_locks_is_one_line_that_says_how_to_go_on(tree: Tree, preload: Path, code: int) -> None:
    fails = {"LD_PRELOAD": str(preload), "FLOCK_ERRNO": str(code)}
    for command in (["why"], ["gc"]):
        result = said(tree, *command, **fails)
        assert result.returncode == 3 and "Traceback" not in result.stderr
        [line] = [line for line in result.stderr.splitlines() if "has no locks" in line]
        assert os.strerror(code) in line and "G2P_BUILD_CACHE" in line and "G2P_BUILD_LOCKS=none" in line
        assert said(tree, *command, **fails, G2P_BUILD_LOCKS="none").returncode in (0, 1)


def test_locks_are_none_or_all(tree: Tree) -> None:
    result = said(tree, "why", G2P_BUILD_LOCKS="some")
    assert "G2P_BUILD_LOCKS=some: give none, or leave it out" in result.stderr


def test_a_user_without_a_home_is_told_which_variable_to_set(tree: Tree) -> None:
    environment = {name: value for name, value in tree.env.items() if name not in ("HOME", "G2P_BUILD_CACHE")}
    for folder in (tree.root.parent, tree.root.parent.parent):
        folder.chmod(0o755)
    result = subprocess.run(
        ["setpriv", "--reuid=12345", "--clear-groups", sys.executable, "-m", "doit", "why"],
        cwd=tree.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if any(words in result.stderr for words in ("setpriv", "dodo file", "loading shared libraries")):
        pytest.skip("this user may not become another, or that one not see the tree")
    assert "this user has no home folder for the cache: set G2P_BUILD_CACHE" in result.stderr


def test_a_tilde_is_the_users_home(tree: Tree, tmp_path: Path) -> None:
    result = said(tree, "why", G2P_BUILD_CACHE="~/cache", HOME=str(tmp_path))
    assert result.returncode in (0, 1), result.stderr
    assert (tmp_path / "cache").is_dir() and not (tree.root / "~").exists()
