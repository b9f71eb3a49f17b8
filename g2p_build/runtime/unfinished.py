"""The output file of a long list. A run that was killed goes on where its output ends: docs/lists.md says how.

While words are pronounced, ``out.tsv.part`` holds their lines, and the record ``out.tsv.part.json`` says how many bytes
of the input they come from, and the digests of both. When the list has ended, the part takes the output's place.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from g2p_build.runtime.errors import G2PError

__all__ = ["Unfinished", "locked"]

_CHUNK = 1 << 20  # bytes
_SECONDS = 1.0  # between two records
_NOTHING = {"bytes": 0, "lines": 0, "sha256": hashlib.sha256().hexdigest()}


class Unfinished:
    """A part and its record, in a `with` statement. Nobody else writes the same part meanwhile.

    Attributes:
        lines: how many lines of the input the part has the words of.
        bytes: how many bytes of the input these are.
    """

    def __init__(self, place: Path, run: Mapping[str, Any]) -> None:
        """Opens the part of an earlier run, or begins one.

        Args:
            place: where the output goes in the end.
            run: what the lines depend on besides the input: names of options → plain data.

        Raises:
            G2PError: it cannot be written; another process writes it; or the earlier run had other options.
        """
        self._place = place.resolve()  # through a link: its target is replaced
        self._part = self._place.with_name(self._place.name + ".part")
        self._record = self._place.with_name(self._place.name + ".part.json")
        self._run = dict(run)
        self._saved_at = time.monotonic()
        self._read, self._written = hashlib.sha256(), hashlib.sha256()
        try:
            self._file = locked(self._part)
        except OSError as error:
            raise self._failed(error) from None
        try:
            self._state = self._earlier()
            self._write_record()
        except OSError as error:
            self._file.close()
            raise self._failed(error) from None
        except BaseException:
            self._file.close()
            raise
        self.lines, self.bytes = self._state["input"]["lines"], self._state["input"]["bytes"]

    def __enter__(self) -> "Unfinished":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self._save()
        except G2PError:
            if kind is None:
                raise
        finally:
            with contextlib.suppress(OSError):  # it would write once more what could not be written
                self._file.close()

    def skip(self, source: int) -> None:
        """Reads past what the part has the words of.

        Args:
            source: the input's file descriptor, at its beginning.

        Raises:
            G2PError: the input begins otherwise than it did for the part.
        """
        left = self.bytes
        while left and (chunk := os.read(source, min(left, _CHUNK))):
            self._read.update(chunk)
            left -= len(chunk)
        if left or self._read.hexdigest() != self._state["input"]["sha256"]:
            raise self._not_ours(f"holds the words of another input: the first {self.lines} lines differ")

    def write(self, text: str, taken: bytes) -> None:
        """Adds lines.

        Args:
            text: whole lines.
            taken: the lines of the input that they come from, with their ends.

        Raises:
            G2PError: they cannot be written. What was written before is kept.
        """
        data = text.encode()
        try:
            self._file.write(data)
        except OSError as error:
            raise self._failed(error) from None
        self._written.update(data)
        self._read.update(taken)
        self.bytes, self.lines = self.bytes + len(taken), self.lines + taken.count(b"\n")
        if not taken.endswith(b"\n"):
            return  # the last line of the input, which may get longer until another run
        self._state = {
            "input": {"bytes": self.bytes, "lines": self.lines, "sha256": self._read.hexdigest()},
            "output": {"bytes": self._file.tell(), "sha256": self._written.hexdigest()},
        }
        if time.monotonic() - self._saved_at >= _SECONDS:
            self._save()

    def finish(self) -> None:
        """Puts the part into the output's place."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(self._place)
            self._record.unlink(missing_ok=True)
        except OSError as error:
            raise self._failed(error) from None

    def _earlier(self) -> dict[str, Any]:
        """The state that the record tells, after the part has been checked and cut to it."""
        size = os.fstat(self._file.fileno()).st_size
        if not size:  # new, or killed before its first line
            return {"input": _NOTHING, "output": {"bytes": 0, "sha256": self._written.hexdigest()}}
        try:
            found = json.loads(self._record.read_bytes())
            run, state = found["run"], {"input": found["input"], "output": found["output"]}
            end = int(state["output"]["bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            raise self._not_ours("has no record of what it was made from") from None
        for name in self._run.keys() | run.keys():
            mine, its = self._run.get(name), run.get(name)
            # Until now no line was wrong, so nothing depends on what becomes of a wrong one.
            if mine != its and (name, its) != ("--on-error", "stop"):
                raise self._not_ours(f"was made with another {name}{_both(its, mine)}")
        left = end
        while left and (chunk := self._file.read(min(left, _CHUNK))):
            self._written.update(chunk)
            left -= len(chunk)
        if left or self._written.hexdigest() != state["output"]["sha256"]:
            raise self._not_ours("was changed since it was written")
        self._file.seek(end)
        self._file.truncate()  # whatever is behind has no record, and may be half a line
        return state

    def _save(self) -> None:
        if self._file.closed or not self._ours():
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())  # a record must not be on the disk before what it tells of
            self._write_record()
        except OSError as error:
            raise self._failed(error) from None
        self._saved_at = time.monotonic()

    def _write_record(self) -> None:
        temporary = self._record.with_name(self._record.name + ".tmp")  # the part's lock is the record's too
        temporary.write_text(json.dumps({"run": self._run, **self._state}, indent=2), encoding="utf-8")
        temporary.replace(self._record)

    def _ours(self) -> bool:
        """Whether the part still is where it was opened. It is not after `finish`."""
        return _same(self._file.fileno(), self._part)

    def _failed(self, error: OSError) -> G2PError:
        return G2PError(
            f"{self._part}: cannot be written: {error.strerror or error}: the same command goes on with what is in it"
        )

    def _not_ours(self, why: str) -> G2PError:
        return G2PError(f"{self._part} {why}: give what it was made with to go on, or remove it to begin anew")


def locked(path: Path) -> Any:
    """A part, open for reading and writing, at its beginning. Nobody else gets it as long as it is open.

    Raises:
        G2PError: another process has it.
        OSError: it cannot be opened.
    """
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise G2PError(
                f"{path} is being written by another process: wait for it, or give another --output"
            ) from None
        except OSError:
            pass  # a file system without locks: whoever writes the same output twice at once is on his own
        if _same(file.fileno(), path):
            return file
        file.close()  # another process has just finished it


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _both(its: Any, mine: Any) -> str:
    plain = (str, int, bool, type(None))
    return f", {its} and not {mine}" if isinstance(its, plain) and isinstance(mine, plain) else ""
