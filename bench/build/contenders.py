"""The tools that are compared: each with a folder in which it has built a graph, and a way to see what it ran."""

import dataclasses
import functools
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.build.graphs import LEAF, RAN, Step, leaf_file, write
from bench.common import checkout
from g2p_build.config import compose

__all__ = ["OURS", "PEERS", "Contender", "change_weights", "leaf_names", "lose_product", "make", "overrides"]

OURS = "g2p-build"

PEERS = {
    "ninja": ["ninja", "-j1", "--quiet"],
    "doit": [sys.executable, "-m", "doit"],
    "snakemake": ["snakemake", "--cores", "1", "--quiet"],
    "dvc": ["dvc", "repro", "--quiet"],
}
"""The command that brings everything up to date, silently and one job at a time."""

FIRST = {"snakemake": ["snakemake", "--cores", "all", "--quiet"]}
"""A faster command for the first build, which is not measured."""

WEIGHTS = "model.safetensors"

# A model that is quick to make, so that a cold build of 200 takes a minute rather than an hour.
SMALL = ("d_model=24", "d_kv=7", "d_ff=40", "num_heads=3", "num_layers=1", "num_decoder_layers=1")


@dataclasses.dataclass(frozen=True)
class Contender:
    """A tool in a folder of its own, where everything has been built once."""

    name: str
    folder: Path
    command: tuple[str, ...]
    env: dict[str, str]
    ran: Callable[[str], list[str]]  # from what a run said on its error stream to the steps that it ran

    def run(self) -> list[str]:
        """Brings everything up to date and returns the names of the steps that ran.

        Raises:
            RuntimeError: the tool failed.
        """
        return self.ran(self.start())

    def start(self) -> str:
        """The run alone, which is what is timed: what the tool said on its error stream.

        Raises:
            RuntimeError: the tool failed.
        """
        done = subprocess.run(self.command, cwd=self.folder, env=self.env, capture_output=True, text=True)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise RuntimeError(f"{self.name} failed with exit status {done.returncode}: {said[-500:]}")
        return done.stderr


def leaf_names(count: int) -> list[str]:
    """The names of the checkpoints: `w000`, `w001`, ..."""
    return [f"w{number:03d}" for number in range(count)]


def overrides(leaves: Sequence[str]) -> list[str]:
    """What describes a variant for each checkpoint, in a folder that holds them."""
    paths = ",".join(f"leaves/{leaf}" for leaf in leaves)
    return ["checkpoint=path", f"checkpoint.path={paths}", "max_lens=short"]


def make(name: str, folder: Path, plan: Sequence[Step], leaves: Sequence[str], commands: Path | None) -> Contender:
    """Gives a tool a folder with the graph in it, and builds it once.

    Args:
        name: OURS or one of PEERS.
        folder: where; not there yet.
        plan: the steps of one variant.
        leaves: names of the checkpoints, one a variant.
        commands: the folder of the tool's command; None for ours.

    Raises:
        RuntimeError: the tool failed.
    """
    folder.mkdir(parents=True)
    for number, leaf in enumerate(leaves):
        for file, data in _checkpoint().items():
            path = folder / leaf_file(leaf, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        change_weights(folder, leaf, float(number))
    env = {key: value for key, value in os.environ.items() if not key.startswith(("G2P_", "DVC_", "SNAKEMAKE_"))}
    env |= {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "home/.cache")}
    if name == OURS:
        return _ours(folder, leaves, env)
    env |= {"PATH": f"{commands}{os.pathsep}{env['PATH']}", "DVC_NO_ANALYTICS": "1"}
    env |= {"DVC_SITE_CACHE_DIR": str(folder / "home/dvc")}
    write(name, folder, plan, leaves)
    peer = Contender(name, folder, tuple(PEERS[name]), env, lambda _: _noted(folder))
    if name == "dvc":
        _build_for_dvc(folder, plan, leaves, env)
    dataclasses.replace(peer, command=tuple(FIRST.get(name, PEERS[name]))).run()
    return peer


def change_weights(folder: Path, leaf: str, value: float) -> None:
    """Gives the last of a checkpoint's weights another value."""
    path = folder / leaf_file(leaf, WEIGHTS)
    path.write_bytes(path.read_bytes()[:-4] + struct.pack("<f", value / 1000))


def lose_product(contender: Contender, leaf: str) -> None:
    """Deletes one of the files that a variant ends as: the archive of its weights."""
    if contender.name == OURS:
        [manifest] = contender.folder.glob(f"manifests/{leaf}-*.json")
        path = contender.folder / "dist" / json.loads(manifest.read_bytes())["archives"]["weights"]["file"]
    else:
        path = contender.folder / f"out/publish/{leaf}/weights.tar"
    path.unlink()


def _ours(folder: Path, leaves: Sequence[str], env: dict[str, str]) -> Contender:
    checkout.copy(folder)
    env = env | {"G2P_BUILD_CACHE": str(folder / "cache"), "G2P_BUILD_SHARED_CACHE": ""}
    env |= {"PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1"}
    command = (sys.executable, "-m", "doit", "compile", *overrides(leaves))
    ours = Contender(OURS, folder, command, env, said)
    ours.run()
    return ours


def said(log: str) -> list[str]:
    """The steps that our reporter names: `archive   0.0 s  weights-w000-float32`."""
    lines = re.findall(r"^(\w+) +[\d.]+ s +(\w+)", log, re.MULTILINE)
    return [f"{label}_archive" if stage == "archive" else stage for stage, label in lines]


def _noted(folder: Path) -> list[str]:
    """The steps that left a line since the last look."""
    notes = folder / RAN
    names = [line.split()[0] for line in notes.read_text().splitlines()] if notes.exists() else []
    notes.write_text("")
    return names


def _build_for_dvc(folder: Path, plan: Sequence[Step], leaves: Sequence[str], env: dict[str, str]) -> None:
    """Builds the graph and writes dvc.lock: DVC itself writes all of it anew after each stage, which takes too long."""
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], cwd=folder, env=env, check=True, capture_output=True)
    (folder / ".dvc/config").write_text("[core]\n    no_scm = True\n    analytics = false\n    check_update = false\n")

    def entry(path: str) -> dict[str, object]:
        data = (folder / path).read_bytes()
        return {"path": path, "hash": "md5", "md5": hashlib.md5(data).hexdigest(), "size": len(data)}

    stages = {}
    for leaf in leaves:
        for step in plan:
            command = " && ".join(step.commands()).replace(LEAF, leaf)
            subprocess.run(command, cwd=folder, shell=True, check=True)
            inputs = [entry(path.replace(LEAF, leaf)) for path in step.inputs]
            outputs = [entry(path.replace(LEAF, leaf)) for path in step.outputs]
            stages[f"{step.name}@{leaf}"] = {"cmd": command, "deps": inputs, "outs": outputs}
    (folder / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))
    _noted(folder)


@functools.cache
def _checkpoint() -> dict[str, bytes]:
    """The files of a small checkpoint with random weights: name → bytes."""
    from safetensors.torch import save

    from g2p_build.checkpoints.random_weights import random_checkpoint

    [variant] = compose.variants(["checkpoint=random", *(f"checkpoint.shape.{field}" for field in SMALL)])
    shape = dataclasses.asdict(variant.checkpoint)["shape"]
    _, tensors = random_checkpoint(shape, seed=0)
    settings = {"model_type": "t5", **shape}
    return {"config.json": json.dumps(settings).encode(), WEIGHTS: save(tensors, metadata={"format": "pt"})}
