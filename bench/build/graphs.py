"""The graph of some variants, written down for other build tools: the same nodes and edges, a `cat` for a stage."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from g2p_build import graph
from g2p_build.checkpoints.files import local_files
from g2p_build.config.variant import Variant

__all__ = ["LEAF", "RAN", "WRITERS", "Step", "leaf_file", "steps", "write"]

LEAF = "<leaf>"
"""Stands for a checkpoint's name wherever a step has one."""

RAN = "ran.txt"
"""The file in which each step that runs leaves a line with its name."""


@dataclass(frozen=True)
class Step:
    """A node of one variant's graph as other tools see it: files made of files. `LEAF` is in every path."""

    name: str
    makes: dict[str, tuple[str, ...]]  # output → the inputs it is made of

    @property
    def inputs(self) -> list[str]:
        """Each file that it reads, once."""
        return sorted({path for made_of in self.makes.values() for path in made_of})

    @property
    def outputs(self) -> list[str]:
        """Each file that it writes."""
        return list(self.makes)

    def commands(self) -> list[str]:
        """The shell's lines that make the outputs."""
        lines = [f"cat {' '.join(made_of)} > {path}" for path, made_of in self.makes.items()]
        return [*lines, f"echo {self.name} {LEAF} >> {RAN}"]


def leaf_file(leaf: str, file: str) -> str:
    """Where a checkpoint's file lies, which is what the graph starts from."""
    return f"leaves/{leaf}/{file}"


def steps(variant: Variant) -> list[Step]:
    """What is to be done for one variant whose checkpoint is a folder: its stages, and its publication.

    Every output is made of all that its stage reads. The outputs of the checkpoint are the exception: the architecture
    and the ids come from the config alone and the tensors from the weights, as they do in the real stage.
    """
    nodes = graph.nodes(variant)
    roles = {node.name: role for role, node in nodes.items()}
    found = []
    for role, node in nodes.items():
        if role == "checkpoint" and node.folders:  # the core's files, another folder's, do not change
            config, weights = (leaf_file(LEAF, file) for file in local_files(Path(node.folders[0])))
            sources = [(config,), (weights,), (config,)]
            made_of: dict[str, tuple[str, ...]] = dict(zip(node.outputs, sources, strict=True))
        else:
            reads = tuple(_output(roles[upstream.name], file) for upstream, file in node.inputs.values())
            made_of = dict.fromkeys(node.outputs, reads)
        found.append(Step(role, {_output(role, file): reads for file, reads in made_of.items()}))
    products = {"library.tar": ("library_archive", "archive.tar"), "weights.tar": ("weights_archive", "archive.tar")}
    products["manifest.json"] = ("manifest", "manifest.json")
    found.append(Step("publish", {_output("publish", file): (_output(*made),) for file, made in products.items()}))
    return found


def write(tool: str, folder: Path, plan: Sequence[Step], leaves: Sequence[str]) -> None:
    """Writes a tool's own file for a graph, and the folders that its outputs go into."""
    name, writer = WRITERS[tool]
    (folder / name).write_text(writer(plan, leaves), encoding="utf-8")
    for leaf in leaves:
        for step in plan:
            (folder / _output(step.name, "")).with_name(leaf).mkdir(parents=True)


def ninja(plan: Sequence[Step], leaves: Sequence[str]) -> str:
    """A build.ninja. `restat`, and outputs that are only replaced when they differ, are its early cut-off."""
    lines = []
    for step in plan:
        commands = step.commands()
        for at, path in enumerate(step.outputs):
            commands[at] = commands[at].replace(f"> {path}", f"> {path}.new") + (
                f" && if cmp -s {path}.new {path}; then rm {path}.new; else mv {path}.new {path}; fi"
            )
        command = " && ".join(commands).replace(LEAF, "$leaf")
        lines += [f"rule {step.name}", f"  command = {command}", "  restat = 1"]
    for leaf in leaves:
        for step in plan:
            made, needed = (" ".join(paths).replace(LEAF, leaf) for paths in (step.outputs, step.inputs))
            lines += [f"build {made}: {step.name} {needed}", f"  leaf = {leaf}"]
    return "\n".join(lines) + "\n"


def snakefile(plan: Sequence[Step], leaves: Sequence[str]) -> str:
    """A Snakefile: a rule with a wildcard for each step."""

    def quoted(paths: Sequence[str]) -> str:
        return ", ".join(json.dumps(path.replace(LEAF, "{leaf}")) for path in paths)

    lines = [f"LEAVES = {json.dumps(list(leaves))}", "rule all:"]
    lines += [f"    input: expand([{quoted(plan[-1].outputs)}], leaf=LEAVES)"]
    for step in plan:
        lines += [f"rule {step.name}:", f"    input: {quoted(step.inputs)}", f"    output: {quoted(step.outputs)}"]
        lines += [f"    shell: {json.dumps(' && '.join(step.commands()).replace(LEAF, '{wildcards.leaf}'))}"]
    return "\n".join(lines) + "\n"


def dvc(plan: Sequence[Step], leaves: Sequence[str]) -> str:
    """A dvc.yaml (JSON is YAML): a stage over all leaves for each step; outputs stay out of DVC's cache."""

    def over(paths: Sequence[str]) -> list[str]:
        return [path.replace(LEAF, "${item}") for path in paths]

    stages = {
        step.name: {
            "foreach": list(leaves),
            "do": {
                "cmd": " && ".join(over(step.commands())),
                "deps": over(step.inputs),
                "outs": [{path: {"cache": False}} for path in over(step.outputs)],
            },
        }
        for step in plan
    }
    return json.dumps({"stages": stages}, indent=1) + "\n"


def dodo(plan: Sequence[Step], leaves: Sequence[str]) -> str:
    """A dodo.py: a task with a subtask a leaf for each step, by doit's own file dependencies."""
    lines = [f"LEAVES = {json.dumps(list(leaves))}"]
    for step in plan:
        task = {"file_dep": step.inputs, "targets": step.outputs, "actions": [" && ".join(step.commands())]}
        fields = ", ".join(
            f"{json.dumps(name)}: [text.replace({LEAF!r}, leaf) for text in {json.dumps(texts)}]"
            for name, texts in task.items()
        )
        lines += [f"def task_{step.name}():", "    for leaf in LEAVES:", f'        yield {{"name": leaf, {fields}}}']
    return "\n".join(lines) + "\n"


WRITERS: dict[str, tuple[str, Callable[[Sequence[Step], Sequence[str]], str]]] = {
    "ninja": ("build.ninja", ninja),
    "doit": ("dodo.py", dodo),
    "snakemake": ("Snakefile", snakefile),
    "dvc": ("dvc.yaml", dvc),
}
"""For each tool the file that it reads, and what writes it."""


def _output(role: str, file: str) -> str:
    return f"out/{role}/{LEAF}/{file}"
