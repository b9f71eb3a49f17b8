"""Brings nodes up to date: keys say which are stale, the worker runs them, and the stores keep their outputs."""

import importlib
import importlib.metadata
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from filelock import Timeout

from g2p_build.engine import worker
from g2p_build.errors import BuildError, os_errors_explained
from g2p_build.stages.node import Node
from g2p_build.stages.protocol import Stage
from g2p_build.store import actions, blobs, digests, in_use, trees
from g2p_build.store.locks import file_lock
from g2p_build.store.memory import reserved
from g2p_build.store.scratch import scratch
from g2p_build.store.sources import keep_sources, read_sources, source_digest, source_files
from g2p_build.store.workspace import Workspace

__all__ = ["Build", "stage_of"]

T = TypeVar("T")

WORKER_MEMORY = 700_000_000  # bytes: a worker that has imported torch and TVM


def stage_of(node: Node) -> Stage:
    """The stage that a node runs."""
    found = importlib.import_module(node.module).STAGE
    assert isinstance(found, Stage)
    return found


class Build:
    """The build of one command. It reads each source file once, so all its decisions are about the same state.

    Threads may share it.
    """

    def __init__(self, workspace: Workspace) -> None:
        """Reads nothing yet; files are read when a method needs them."""
        self.workspace = workspace
        self.cache = workspace.cache
        self._making: set[str] = set()  # keys of nodes that threads of this process are making
        self._current: dict[str, Mapping[str, str]] = {}  # outputs by node's name; a node found current stays so
        self._keys: dict[str, str] = {}  # the same nodes' keys
        self._sources: dict[str, str] = {}  # module → digest
        self._files: dict[Path, tuple[str, digests.Stat]] = {}  # source file → digest, and its state before
        self._read: dict[Any, Any] = {}  # what `once` was asked for → the result
        self._versions: dict[str, str] = {}  # distribution → version

    def components(self, node: Node) -> dict[str, Any] | None:
        """Everything that a node's outputs depend on; the key is its digest. None while one of its inputs is stale.

        Raises:
            BuildError: source files that should be there are not.
        """
        depends = self.known_components(node)
        return None if None in depends["inputs"].values() else depends

    def known_components(self, node: Node) -> dict[str, Any]:
        """Everything that a node's outputs depend on, as far as it is known: a stale input's digest is None.

        Raises:
            BuildError: source files that should be there are not.
        """
        inputs: dict[str, str | None] = {name: self._file(path) for name, path in _source_files(node).items()}
        for name, (upstream, file) in node.inputs.items():
            made = self.current(upstream)
            inputs[name] = made[file] if made is not None else None
        return {
            "stage": node.stage,
            "params": node.params,
            "inputs": inputs,
            "source": self._source(node.module),
            "tools": {name: self._version(name) for name in stage_of(node).tools},
        }

    def current(self, node: Node) -> Mapping[str, str] | None:
        """The digests of a node's outputs (file name → digest) if it is up to date, else None."""
        known = self._current.get(node.name)
        if known is None:
            depends = self.components(node)
            key = actions.key_of(depends) if depends else ""
            action = actions.find(self.cache, key) if key else None
            if action is None:
                return None
            self._keys[node.name] = key
            known = self._current[node.name] = action.outputs
        return known

    def key(self, node: Node) -> str | None:
        """The key of a node, which names its run in the action cache. None while one of its inputs is stale.

        Raises:
            BuildError: source files that should be there are not.
        """
        if node.name in self._keys:
            return self._keys[node.name]
        depends = self.components(node)
        return actions.key_of(depends) if depends else None

    def keys(self, nodes: Iterable[Node]) -> tuple[str, ...]:
        """The keys of those nodes that have one."""
        return tuple(key for key in map(self.key, nodes) if key is not None)

    def once(self, what: Any, read: Callable[[], T]) -> T:
        """The result of `read`, which is called only the first time this build asks for `what`."""
        if what not in self._read:
            self._read[what] = read()
        found: T = self._read[what]
        return found

    def note_keys(self) -> None:
        """Writes down, for `doit why`, the keys of the nodes that this build found or made current in the tree."""
        trees.note_keys(self.workspace, self._keys)

    def files(self, node: Node) -> dict[str, Path]:
        """The files of an up-to-date node: output name → path of the blob, wherever in the cache's layers it lies.

        Raises:
            BuildError: the node is not up to date.
        """
        made = self.current(node)
        if made is None:
            raise BuildError(f"{node.name} is not built")
        found = {name: blobs.find(self.cache, digest) for name, digest in made.items()}
        return {name: path or blobs.path_of(self.cache, made[name]) for name, path in found.items()}

    @os_errors_explained()
    def realise(self, node: Node, say: Callable[[str], None] = print) -> None:
        """Makes a node's outputs, unless another build already has. The node's inputs must be up to date.

        Args:
            node: what to make.
            say: called with one line if this has to wait, which says for what.

        Raises:
            BuildError: the stage refused its inputs, failed or crashed, or the cache cannot be written. One line,
                without the node's name.
        """
        depends = self.components(node)
        if depends is None:
            raise BuildError("one of its inputs is not built")
        key = actions.key_of(depends)
        lock = file_lock(_made(self.cache / "locks") / f"{key}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if key not in self._making:
                say(f"{node.name}: another build is making it; waiting")
            lock.acquire()
        self._making.add(key)
        try:
            if actions.find(self.cache, key) is None:
                self._run(node, depends, _made(self.cache / "logs") / f"{key}.log", say)
        finally:
            self._making.discard(key)
            lock.release()

    def ensure(self, nodes: Iterable[Node]) -> None:
        """Brings nodes up to date, one after the other, in this process and its worker.

        Args:
            nodes: each after the nodes it takes its inputs from.

        Raises:
            BuildError: a stage failed. One line.
        """
        in_use.share(self.cache)
        for node in nodes:
            if self.current(node) is None:
                try:
                    self.realise(node)
                except BuildError as error:
                    raise BuildError(f"{node.name}: {error}") from None
        digests.save(self.cache)

    def _run(self, node: Node, depends: Mapping[str, Any], log: Path, say: Callable[[str], None]) -> None:
        inputs = {name: self.files(upstream)[file] for name, (upstream, file) in node.inputs.items()}
        inputs |= _source_files(node)
        stage = stage_of(node)
        need = WORKER_MEMORY + stage.memory(node.params, inputs)
        out = scratch(self.cache) / log.stem
        out.mkdir()
        try:
            with reserved(self.cache, need, lambda: say(f"{node.name}: waits for {need / 1e9:.1f} GB of memory")):
                function, sources = f"{node.module}:build", read_sources(self.cache, node.module)
                seconds = worker.run(function, node.params, inputs, out, log, stage.shows_progress, sources)
            self._check_unchanged(node, depends)
            outputs = {name: blobs.put(self.cache, out / name) for name in node.outputs}
        finally:
            shutil.rmtree(out, ignore_errors=True)
        actions.record(self.cache, actions.Action(depends, outputs, seconds))
        keep_sources(self.cache, depends["source"], source_files(self.cache, node.module))

    def _check_unchanged(self, node: Node, depends: Mapping[str, Any]) -> None:
        """Refuses the outputs if a file behind the key was edited while the stage ran, even if it was changed back.

        The key is wrong then: nobody knows what the stage has read.
        """
        now = _source_files(node)
        if source_digest(self.cache, node.module) != depends["source"]:
            raise BuildError(worker.EDITED)
        for name in sorted(now.keys() ^ (depends["inputs"].keys() - node.inputs.keys())):
            raise BuildError(f"{name} came or went while the stage ran: run the command again")
        for name, path in now.items():
            digest, before = self._files[path]
            if digests.stat(path) != before or digests.file_digest(self.cache, path) != digest:
                raise BuildError(f"{name} was changed while it was read: run the command again")

    def _source(self, module: str) -> str:
        if module not in self._sources:
            self._sources[module] = source_digest(self.cache, module)
        return self._sources[module]

    def _file(self, path: Path) -> str:
        if path not in self._files:
            before = digests.stat(path)
            self._files[path] = digests.file_digest(self.cache, path), before
        return self._files[path][0]

    def _version(self, distribution: str) -> str:
        if distribution not in self._versions:
            self._versions[distribution] = importlib.metadata.version(distribution)
        return self._versions[distribution]


def _source_files(node: Node) -> dict[str, Path]:
    return stage_of(node).source_files(tuple(map(Path, node.folders)))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
