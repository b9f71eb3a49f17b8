"""A stand-in for the hub. It serves the endpoints that a download needs from a table of files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Hub:
    """The files that the server holds, and the requests that it got."""

    files: dict[tuple[str, str], Mapping[str, bytes]]  # (repository, commit) → name → bytes
    gated: frozenset[str] = frozenset()
    url: str = ""
    status: int = 0  # if not 0, every answer has this status
    asked: list[str] = field(default_factory=list)  # "METHOD name" of every request for a file


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serves a hub on a port of its own on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, body: bool) -> None:
            match = re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", self.path)
            if hub.status:
                return self._send(hub.status, {}, b"", body)
            if match is None:
                return self._send(404, {}, b"", body)
            repo, revision, name = match.groups()
            hub.asked.append(f"{self.command} {name}")
            if repo in hub.gated:
                return self._send(403, {"X-Error-Code": "GatedRepo"}, b"", body)
            if repo not in {known for known, _ in hub.files}:
                return self._send(401, {"X-Error-Code": "RepoNotFound"}, b"", body)
            if (repo, revision) not in hub.files:
                return self._send(404, {"X-Error-Code": "RevisionNotFound"}, b"", body)
            data = hub.files[repo, revision].get(name)
            if data is None:
                return self._send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": revision}, b"", body)
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            headers = {"ETag": etag, "X-Repo-Commit": revision, "X-Linked-ETag": etag, "X-Linked-Size": str(len(data))}
            return self._send(200, headers, data, body)

        def _send(self, status: int, headers: Mapping[str, str], data: bytes, body: bool) -> None:
            if status >= 400:
                data = json.dumps({"error": str(status)}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
