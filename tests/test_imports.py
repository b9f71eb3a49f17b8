"""Which package imports which: the design's arrows, checked against the imports."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Package → the packages of the project that it may import, besides itself.
ALLOWED = {
    "dodo": {"tasks"},
    "tasks": {"bench.accuracy", "bench.pronounce", "bench.speak", "products", "training", "engine", "graph", "config"}
    | {"runtime", "store", "errors"},
    "g2p_build": {"products", "engine", "graph", "config", "store", "errors"},  # __main__
    "bench.pronounce": {"bench.common", "reference", "engine", "graph", "families", "config"}
    | {"models", "runtime", "store", "errors"},
    # The same names for our variants as in bench.pronounce, and what it knows of processes.
    "bench.accuracy": {"bench.common", "bench.pronounce", "training", "reference", "engine", "graph", "families"}
    | {"config", "runtime", "store", "errors"},
    "bench.speak": {"bench.common", "engine", "graph", "families", "config", "stages", "checkpoints", "compiler"}
    | {"models", "native", "runtime", "store", "errors"},
    "bench.build": {"bench.common", "engine", "graph", "config", "checkpoints", "store"},
    # onnxruntime-web gets the same graphs, from the same environment, as ONNX Runtime in bench.pronounce.
    "bench.web": {"bench.common", "bench.pronounce", "reference", "engine", "config", "store"},
    "bench.packages": {"bench.common"},
    "bench.steps": {"bench.common", "compiler", "stages", "models", "native", "engine", "graph", "config", "store"},
    # CTranslate2 gets the same files, from the same environment, as in bench.pronounce.
    "bench.beams": {"bench.common", "bench.pronounce", "reference", "runtime", "engine", "config", "store"},
    # The peers get the same files as in bench.pronounce, and its engines open them.
    "bench.instructions": {"bench.common", "bench.pronounce", "reference", "engine", "config", "store"},
    "bench.drafts": {"bench.common", "draft", "runtime", "engine", "config"},
    "bench.truth": {
        "bench.common",
        "bench.speak",
        "stages",
        "native",
        "runtime",
        "engine",
        "config",
        "store",
    },
    "bench.common": {"engine", "graph", "config", "store", "errors"},
    "training": {"reference", "engine", "checkpoints", "models", "store", "errors"},  # from engine only streams
    "products": {"engine", "graph", "config", "native", "runtime", "store", "errors"},
    "reference": {"engine", "graph", "families", "config", "models", "runtime", "store", "errors"},
    "engine": {"stages", "store", "errors"},
    "graph": {"config", "native", "stages"},
    "families": {"config", "checkpoints", "native", "runtime", "stages"},
    "config": {"runtime", "stages", "errors"},  # from stages only the type of a node
    "stages": {"checkpoints", "compiler", "draft", "lexicon", "models", "native", "runtime", "store", "errors"},
    "checkpoints": {"models", "errors"},
    "compiler": {"models", "errors"},
    "models": {"errors"},
    "native": {"store", "errors"},
    "draft": {"errors"},
    "lexicon": {"runtime", "errors"},
    "store": {"errors"},
    "runtime": set(),
    "errors": set(),
}

OURS = ("bench", "g2p_build", "tasks")  # folders of packages


def part(module: str) -> str:
    """The row of the table that a module belongs to."""
    names = module.split(".")
    if names[0] == "bench":
        return ".".join(names[:2])
    if names[0] == "g2p_build" and len(names) > 1 and names[1] in ALLOWED:
        return names[1]
    return names[0]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                # In an installed package, tasks/ has another name.
                folder = path.parent.parts[len(ROOT.parts) :][: None if node.level == 1 else 1 - node.level]
                assert folder[:1] == ("tasks",), f"{path}: imports are absolute here"
                base = ".".join([*folder, *filter(None, [node.module])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


SOURCES = sorted([ROOT / "dodo.py", *(path for name in OURS for path in ROOT.glob(f"{name}/**/*.py"))])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_one_way(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    # `from g2p_build import x` also gives g2p_build.x, which is the module that is meant.
    ours = {name for name in imports(path) - {"bench", "g2p_build"} if name.split(".")[0] in (*OURS, "dodo")}
    wrong = {name for name in ours if part(name) not in ALLOWED.get(part(module), set()) | {part(module)}}
    assert not wrong, f"{module} may not import {sorted(wrong)}"


def test_every_folder_has_a_row_and_every_row_a_folder() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES}
    assert {part(module) for module in modules - {"bench.__init__"}} == set(ALLOWED)


def test_the_arrows_make_no_cycle() -> None:
    graphlib.TopologicalSorter(ALLOWED).prepare()


def test_every_arrow_is_used() -> None:
    used: dict[str, set[str]] = {}
    for path in SOURCES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        used.setdefault(part(module), set()).update(map(part, imports(path)))
    assert {row: sorted(parts - used[row]) for row, parts in ALLOWED.items() if parts - used[row]} == {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_the_tasks(path: Path) -> None:
    if path.name != "dodo.py" and "tasks" not in path.relative_to(ROOT).parts:
        assert not {name for name in imports(path) if name.split(".")[0] == "tasks"}


FOREIGN = ["torch", "transformers", "hydra", "omegaconf", "doit", "tvm", "safetensors", "huggingface_hub", "filelock"]


def modules_after(code: str) -> set[str]:
    """The top-level modules and this package's parts that a new interpreter has loaded after some code."""
    code += "\nimport sys; print(*sorted(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_the_runtime_stands_alone() -> None:
    assert "numpy" not in modules_after("import g2p_build.runtime.cli, g2p_build.runtime.tts_cli")
    modules = "g2p_build.runtime, g2p_build.runtime.cli, g2p_build.runtime.tts_cli, g2p_build.runtime.vm.library"
    loaded = modules_after(f"import {modules}")
    assert not loaded & set(FOREIGN)
    assert {name for name in loaded if name.startswith("g2p_build")} <= {
        name for name in loaded if name.startswith("g2p_build.runtime")
    } | {"g2p_build"}


def test_describing_a_build_loads_neither_torch_nor_tvm() -> None:
    loaded = modules_after(
        "import pathlib, tasks; tasks.load(['batch=1,8'], pathlib.Path()); import g2p_build.stages.code"
    )
    assert not loaded & {"torch", "transformers", "tvm", "tvm_ffi", "numpy"}


TRACES = """
from g2p_build.checkpoints.files import EMBEDDED, local_files
from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.compiler.export import export
from g2p_build.models.programs import programs
export(programs(read_checkpoint(local_files(EMBEDDED))[0], [1], [16], 16, "float32", kv_cache=True))
"""


def test_tracing_a_model_does_not_load_torchs_compilers() -> None:
    loaded = modules_after(TRACES)
    assert {"torch", "tvm"} <= loaded
    assert not loaded & {"torch._dynamo", "torch._inductor", "sympy"}
