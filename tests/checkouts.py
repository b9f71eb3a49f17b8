"""A tree that builds one variant of a small checkpoint. Tests change it and look at what a build does then."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import Tree, copy_tree
from stages.small_checkpoints import checkpoint, write

from g2p_build.store import actions


@dataclass
class Checkout:
    """A tree, and the folder of the checkpoint that it builds."""

    tree: Tree
    checkpoint: Path
    lexicon: Path  # xx.tsv, the words that its variant has besides
    draft: Path  # xx.tsv, the words that its draft table is made from
    overrides: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)  # folders in which Python looks for modules first

    def doit(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs doit for the variant. The caller looks at the exit status."""
        env = self.tree.env | {"PYTHONPATH": os.pathsep.join([*self.first, str(self.tree.root)])}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # stale bytecode could be used too, so let Python write it
        variant = ["checkpoint=path", f"checkpoint.path={self.checkpoint}", "target=android", "max_lens=short"]
        variant += [f"lexicon={self.lexicon}", f"draft={self.draft}"]
        command = [sys.executable, "-m", "doit", *words, *variant, *self.overrides]
        return subprocess.run(command, cwd=self.tree.root, env=env, capture_output=True, text=True)

    def json(self, *words: str) -> list[dict[str, Any]]:
        """Runs doit for the variant, which must succeed. Returns the JSON lines that it prints."""
        result = self.doit(*words)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def copy(self, to: Path) -> "Checkout":
        """Copies the tree, the checkpoint and the cache into another folder."""
        for source in (self.tree.root, self.tree.cache, self.checkpoint, self.lexicon.parent, self.draft.parent):
            shutil.copytree(source, to / source.name)
        return checkout_in(to)

    def edit(self, file: str, old: str, new: str) -> None:
        """Replaces a text in a file of the tree. It must occur once."""
        path = self.tree.root / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")

    def append(self, file: str, text: str) -> None:
        """Appends a text to a file of the tree."""
        path = self.tree.root / file
        path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + text, encoding="utf-8")

    def pretend(self, distribution: str, version: str) -> None:
        """Makes Python think that another version of a tool is installed."""
        folder = self.tree.root / "packages" / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        self.first.append(str(folder.parent))

    def product(self, pattern: str) -> Path:
        """The one file of the tree that matches a pattern."""
        [path] = self.tree.root.glob(pattern)
        return path

    def entry(self, stage: str, output: str) -> tuple[Path, Path]:
        """The path of a stage's entry in the action cache, and the path of the blob of one of its outputs."""
        for path in (self.tree.cache / "actions").glob("*/*.json"):
            action = actions.read(self.tree.cache, path.stem)
            if action and action.components["stage"] == stage and output in action.outputs:
                if stage == "archive" and "weights.safetensors" in action.components["inputs"]:
                    continue
                digest = action.outputs[output]
                return path, self.tree.cache / "blobs" / digest[:2] / digest
        raise AssertionError(f"no {stage} was built")

    def files(self) -> list[Path]:
        """Every file that a build reads or has written, except the cache's entries and records."""
        tops = (self.tree.root, self.checkpoint, self.lexicon.parent, self.draft.parent, self.tree.cache / "blobs")
        return [path for top in tops for path in top.rglob("*") if "__pycache__" not in path.parts]


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def checkout_in(folder: Path) -> Checkout:
    """The checkout that `compiled_checkout` made in a folder."""
    words, guesses = (folder / name / "xx.tsv" for name in ("words", "guesses"))
    return Checkout(Tree(folder / "tree", folder / "cache"), folder / "small", words, guesses)


def compiled_checkout(folder: Path) -> None:
    """Makes a checkout in a folder, and builds and publishes its variant."""
    write(folder / "small", *checkpoint(num_layers=1))
    for name in ("words", "guesses"):
        (folder / name).mkdir()
        (folder / name / "xx.tsv").write_text("a\tx\nb\ty\n", encoding="utf-8")
    copy_tree(folder / "tree", folder / "cache")
    assert {line["outcome"] for line in checkout_in(folder).json("compile", "--json")} == {"built"}
