import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from g2p_build.runtime import archive
from g2p_build.runtime.errors import InvalidArchive, MissingArchive, TamperedArchive

MEMBERS = {"model.so": b"code" * 100, "tokenizer.json": b"{}"}


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def write(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> tuple[Path, str, int]:
    with tarfile.open(path, "w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return path, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str, int]:
    monkeypatch.setenv("G2P_CACHE", str(tmp_path / "cache"))
    return write(tmp_path / "a.tar", *(member(name, data) for name, data in MEMBERS.items()))


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def test_unpacked_once_by_digest(made: tuple[Path, str, int]) -> None:
    folder = archive.unpack(*made, MEMBERS)
    assert folder.name == made[1] and held(folder) == MEMBERS
    before = (folder / "model.so").stat().st_ino
    made[0].unlink()  # with an intact copy, the archive is not needed
    assert archive.unpack(*made, MEMBERS) == folder
    assert (folder / "model.so").stat().st_ino == before


def test_the_cache_is_the_users_unless_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("G2P_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert archive.cache_folder().name == "g2p"
    monkeypatch.setenv("G2P_CACHE", "relative")
    assert archive.cache_folder() == Path.cwd() / "relative"


def test_a_tilde_is_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("G2P_CACHE", "~/cache")
    assert archive.cache_folder() == tmp_path / "cache"


def test_a_user_without_a_home_is_told_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(*_: object) -> str:
        raise RuntimeError("Could not determine home directory")

    monkeypatch.setattr(Path, "expanduser", no_home)
    monkeypatch.setenv("G2P_CACHE", "~/cache")
    with pytest.raises(InvalidArchive, match="no home folder to unpack archives in: set G2P_CACHE"):
        archive.cache_folder()


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_what_is_unpacked_is_open_to_whom_the_umask_says(made: tuple[Path, str, int], mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        folder = archive.unpack(*made, MEMBERS)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == mode
    assert not any(path.stat().st_mode & 0o777 & mask & 0o111 for path in folder.iterdir())


def test_beside_the_manifest_or_in_dist(tmp_path: Path) -> None:
    manifest = tmp_path / "manifests" / "m.json"
    for folder in ("manifests", "dist"):
        (tmp_path / folder).mkdir()
    with pytest.raises(MissingArchive, match=r"a\.tar"):
        archive.find(manifest, "a.tar")
    (tmp_path / "dist" / "a.tar").touch()
    assert archive.find(manifest, "a.tar") == tmp_path / "dist" / "a.tar"
    (tmp_path / "manifests" / "a.tar").touch()
    assert archive.find(manifest, "a.tar") == tmp_path / "manifests" / "a.tar"


def flip(data: bytes) -> bytes:
    return data[:300] + bytes([data[300] ^ 1]) + data[301:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip, "SHA-256"),
        (lambda data: data[:-512], "bytes"),
        (lambda data: data + b"x", "bytes"),
        (lambda data: b"", "bytes"),
    ],
)
def test_a_tampered_archive_is_not_opened(
    made: tuple[Path, str, int], change: Callable[[bytes], bytes], words: str
) -> None:
    made[0].write_bytes(change(made[0].read_bytes()))
    with pytest.raises(TamperedArchive, match=words):
        archive.verify(*made)
    with pytest.raises(TamperedArchive, match=words):
        archive.unpack(*made, MEMBERS)
    assert not list(archive.cache_folder().iterdir())


def test_an_archive_that_is_gone(made: tuple[Path, str, int]) -> None:
    made[0].unlink()
    with pytest.raises(MissingArchive):
        archive.verify(*made)
    with pytest.raises(MissingArchive):
        archive.unpack(*made, MEMBERS)


@pytest.mark.parametrize(
    "bad",
    [
        member("../../escaped", b"x"),
        member("/escaped", b"x"),  # the filter makes it relative; then a named member is missing
        member("link", type=tarfile.SYMTYPE, linkname="../../escaped"),
        member("link", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        member("pipe", type=tarfile.FIFOTYPE),
        member("device", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    ],
)
def test_unsafe_members_leave_nothing(
    made: tuple[Path, str, int], tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes]
) -> None:
    wrong = write(tmp_path / "bad.tar", member("model.so", b"x"), bad)
    with pytest.raises(InvalidArchive, match=r"bad\.tar") as caught:
        archive.unpack(*wrong, ["model.so", "tokenizer.json"])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "escaped").exists() and not (tmp_path.parent / "escaped").exists()


def test_a_file_that_is_no_tar_and_a_tar_that_lacks_a_member(made: tuple[Path, str, int], tmp_path: Path) -> None:
    text = tmp_path / "text.tar"
    text.write_bytes(b"no tar")
    with pytest.raises(InvalidArchive, match=r"text\.tar"):
        archive.unpack(text, hashlib.sha256(b"no tar").hexdigest(), 6, [])
    with pytest.raises(InvalidArchive, match=r"no member 'weights\.safetensors'"):
        archive.unpack(*made, ["weights.safetensors"])


def test_other_bytes_in_the_cache_are_a_miss(made: tuple[Path, str, int]) -> None:
    folder = archive.unpack(*made, MEMBERS)
    (folder / "model.so").write_bytes(b"evil" * 100)
    assert held(archive.unpack(*made, MEMBERS)) == MEMBERS
    (folder / "model.so").unlink()
    assert held(archive.unpack(*made, MEMBERS)) == MEMBERS
    (folder / ".unpacked.json").write_text("{")
    assert held(archive.unpack(*made, MEMBERS)) == MEMBERS


def test_a_touched_copy_with_the_same_bytes_is_kept(made: tuple[Path, str, int]) -> None:
    folder = archive.unpack(*made, MEMBERS)
    before = (folder / "model.so").stat().st_ino
    os.utime(folder / "model.so")
    made[0].unlink()
    assert archive.unpack(*made, MEMBERS) == folder
    assert (folder / "model.so").stat().st_ino == before


def test_an_unwritable_cache_is_one_line(
    made: tuple[Path, str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("G2P_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InvalidArchive, match=r"cannot be unpacked into .* set G2P_CACHE to another folder"):
        archive.unpack(*made, MEMBERS)


UNPACK = """
import sys
from pathlib import Path
from g2p_build.runtime import archive
print(archive.unpack(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), []))
"""


def start(made: tuple[Path, str, int], code: str = UNPACK) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, made)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_several_processes_at_once(made: tuple[Path, str, int]) -> None:
    running = [start(made) for _ in range(4)]
    for process in running:
        out, error = process.communicate()
        assert process.returncode == 0, error
        assert out.strip() == str(archive.cache_folder() / made[1])
    assert [path.name for path in archive.cache_folder().iterdir()] == [made[1]]
    assert held(archive.cache_folder() / made[1]) == MEMBERS


def test_a_kill_leaves_nothing_that_counts(made: tuple[Path, str, int]) -> None:
    stopped = UNPACK.replace(
        "print(", "archive._publish = lambda *_: (print('ready', flush=True), sys.stdin.read())\nprint("
    )
    process = subprocess.Popen(
        [sys.executable, "-c", stopped, *map(str, made)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    [left] = archive.cache_folder().iterdir()
    assert left.name != made[1]
    assert held(archive.unpack(*made, MEMBERS)) == MEMBERS
    # A day later, the first process that unpacks removes what the killed one left.
    yesterday = time.time() - 2 * 86_400
    os.utime(left, (yesterday, yesterday))
    (archive.cache_folder() / made[1] / "model.so").unlink()
    archive.unpack(*made, MEMBERS)
    assert [path.name for path in archive.cache_folder().iterdir()] == [made[1]]
