"""The checkpoint stage on the hub. A stand-in on this machine serves it; the tests need no network."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hub_server import Hub, serve
from small_checkpoints import checkpoint, write, write_pickled, write_sharded

from g2p_build.stages import checkpoint as stage

REPO = "someone/byt5-g2p"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

# The hub's library reads the environment when it is imported, so each resolution runs in a process of its own.
RESOLVE = """
import sys
from pathlib import Path
from g2p_build.errors import BuildError
from g2p_build.stages import checkpoint
out, *sources = sys.argv[1:]
for source in sources:
    repo, _, revision = source.partition("@")
    try:
        checkpoint.build({"source": "hub", "repo": repo, "revision": revision}, {}, Path(out))
    except BuildError as error:
        print(error)
"""


class Resolver:
    """Runs the stage with a hub's cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"

    def __call__(self, url: str, revision: str = COMMIT, offline: bool = False) -> str:
        """Resolves `REPO`. Returns the error, or "" if the stage wrote its outputs."""
        errors = self.errors(url, [f"{REPO}@{revision}"], offline)
        assert bool(errors) != bool(self.digest())
        return "".join(errors)

    def errors(self, url: str, sources: Sequence[str], offline: bool = False) -> list[str]:
        """Resolves each `repository@revision`, all in one process. Returns the error of each."""
        for path in self.out.glob("*"):
            path.unlink()
        self.out.mkdir(exist_ok=True)
        proxies = {"http_proxy", "https_proxy", "all_proxy"}
        kept = {name: value for name, value in os.environ.items() if name.lower() not in proxies and name[:3] != "HF_"}
        environment = kept | {
            "HF_HOME": str(self.folder / "hf"),
            "HF_ENDPOINT": url,
            "HF_HUB_OFFLINE": str(int(offline)),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        command = [sys.executable, "-c", RESOLVE, str(self.out), *sources]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def digest(self) -> str | None:
        """SHA-256 of the weights that the last run wrote; None if it wrote none."""
        weights = self.out / "model.safetensors"
        return hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else None


@pytest.fixture
def resolve(tmp_path: Path) -> Resolver:
    return Resolver(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def expected(tmp_path: Path, folder: Path) -> str:
    """SHA-256 of the weights that the stage makes from a local folder."""
    out = tmp_path / "local"
    out.mkdir()
    stage.build({"source": "path"}, stage.source_files((folder,)), out)
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def both(folder: Path) -> Path:
    write_pickled(folder, {}, {"a.weight": torch.ones(3)})  # not even a T5: reading it would be an error
    return write(folder, *checkpoint())


def pickled(folder: Path) -> Path:
    return write_pickled(folder, *checkpoint())


def sharded(folder: Path) -> Path:
    return write_sharded(folder, *checkpoint())


def unreachable() -> str:
    """The address of a hub that has gone away."""
    with serve(Hub({})) as hub:
        return hub.url


@pytest.mark.parametrize(
    ("make", "fetched"),
    [
        (both, {"config.json", "model.safetensors"}),
        (pickled, {"config.json", "pytorch_model.bin"}),
        (
            sharded,
            {
                "config.json",
                "model.safetensors.index.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
            },
        ),
    ],
)
def test_download_then_cache(
    tmp_path: Path, resolve: Resolver, make: Callable[[Path], Path], fetched: set[str]
) -> None:
    folder = make(tmp_path / "folder")
    local = expected(tmp_path, folder)
    with serve(Hub({(REPO, COMMIT): contents(folder)})) as hub:
        assert resolve(hub.url) == ""
        assert resolve.digest() == local
        assert {line.removeprefix("GET ") for line in hub.asked if line.startswith("GET ")} == fetched
        hub.asked.clear()
        assert resolve(hub.url) == ""
        assert hub.asked == []  # a cached commit needs no request
    assert resolve(hub.url) == ""  # the hub is gone
    assert resolve.digest() == local
    assert resolve(hub.url, offline=True) == ""
    assert resolve.digest() == local


def test_what_the_cache_lacks_is_an_error_offline(resolve: Resolver) -> None:
    advice = "connect and run again, or give a local copy by checkpoint=path checkpoint.path=DIR"
    for offline, reason in ((False, "Connection refused"), (True, "HF_HUB_OFFLINE is set")):
        error = resolve(unreachable(), offline=offline)
        assert error.startswith(f"{REPO} at revision {COMMIT} is not in the hub's cache, and the hub cannot be reached")
        assert reason in error
        assert error.endswith(advice)


def test_a_pickle_cached_by_another_program_serves_offline(tmp_path: Path, resolve: Resolver) -> None:
    # This cache does not say whether the repository has safetensors. Without the hub, the pickle must do.
    folder = pickled(tmp_path / "folder")
    snapshot = tmp_path / "hf" / "hub" / f"models--{REPO.replace('/', '--')}" / "snapshots" / COMMIT
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    assert resolve(unreachable()) == ""
    assert resolve(unreachable(), offline=True) == ""


def test_safetensors_that_arrive_later_are_found(tmp_path: Path, resolve: Resolver) -> None:
    folder = both(tmp_path / "folder")
    later = "f" * 40
    with serve(Hub({(REPO, COMMIT): contents(pickled(tmp_path / "old")), (REPO, later): contents(folder)})) as hub:
        assert resolve(hub.url) == ""
        hub.asked.clear()
        assert resolve(hub.url, revision=later) == ""
        assert "GET model.safetensors" in hub.asked


def test_each_thing_that_the_hub_lacks_is_one_line(tmp_path: Path, resolve: Resolver) -> None:
    files = contents(write(tmp_path / "folder", *checkpoint()))
    hub = Hub(
        {
            (REPO, COMMIT): files,
            ("someone/gated", COMMIT): files,
            ("someone/empty", COMMIT): {},
            ("someone/config-only", COMMIT): {"config.json": files["config.json"]},
            ("someone/truncated", COMMIT): files | {"model.safetensors": files["model.safetensors"][:-9]},
        },
        gated=frozenset({"someone/gated"}),
    )
    errors = {
        f"{REPO}@{'f' * 40}": f"{REPO} has no revision {'f' * 40}: check checkpoint.revision",
        f"someone/nothing@{COMMIT}": "the hub has no repository someone/nothing, or it is private",
        f"someone/gated@{COMMIT}": "someone/gated is gated: accept its terms",
        f"someone/empty@{COMMIT}": f"someone/empty at revision {COMMIT} has no config.json",
        f"someone/config-only@{COMMIT}": f"someone/config-only at revision {COMMIT} has no weights",
        f"someone/truncated@{COMMIT}": "model.safetensors is truncated or not a safetensors file",
        f"not a name@{COMMIT}": "'not a name' is not a repository's name",
    }
    with serve(hub):
        found = resolve.errors(hub.url, list(errors))
    assert [line[: len(start)] for line, start in zip(found, errors.values(), strict=True)] == list(errors.values())


def test_a_hub_in_trouble_is_out_of_reach(resolve: Resolver) -> None:
    with serve(Hub({}, status=503)) as hub:
        assert "the hub cannot be reached (it answered 503)" in resolve(hub.url)
