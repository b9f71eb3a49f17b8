"""The npm package in real projects: what docs/web.md says that each bundler needs is enough, and is needed."""

import json
import re
import shutil
import socket
import subprocess
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Tree
from test_web import HERE
from tools import NODE

pytestmark = [pytest.mark.long, pytest.mark.skipif(NODE is None, reason="there is no node")]

# Up to Vite 7 its development server copies packages elsewhere, without the files beside them.
PACKAGES = ("esbuild@0.28.2", "vite7@npm:vite@7.3.8", "vite8@npm:vite@8.4.0", "webpack@5.113.0", "webpack-cli@7.3.1")
VITES = ("vite7", "vite8")
SAID = ["ˈnaɪt"]
PAGE = '<!doctype html><title>Words</title><script type="module" src="/main.js"></script>\n'
MAIN = """import { load } from "g2p";
globalThis.said = load("/weights.tar").then((g2p) => g2p.pronounce(["knight"], "eng-us"));
"""
SCRIPT = """import { load } from "g2p";
load("public/weights.tar").then((g2p) => g2p.pronounce(["knight"], "eng-us")).then(
  (said) => console.log(JSON.stringify(said)),
  ({ code, message }) => console.log(JSON.stringify([code, message])),
);
"""
GIVEN = SCRIPT.replace('"g2p";', '"g2p";\nimport module from "g2p/g2p.wasm";').replace('tar")', 'tar", { module })')

DOCUMENTED = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project(ported: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has installed the package, not linked it, and the bundlers."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")
    folder = tmp_path_factory.mktemp("project")
    manifest = ported.root / "manifests" / "embedded-wasm-b1-i64-o128-float32-kv.json"
    archives = {part: entry["file"] for part, entry in json.loads(manifest.read_bytes())["archives"].items()}
    with tarfile.open(ported.root / "dist" / archives["library"]) as archive:
        archive.extractall(folder / "package", filter="data")
    npm = ["npm", "--no-audit", "--no-fund", "--install-links"]
    (folder / "app").mkdir()
    (folder / "app" / "package.json").write_text('{"name": "app", "private": true, "type": "module"}\n')
    made = subprocess.run(
        [*npm, "install", "../package", *PACKAGES], cwd=folder / "app", capture_output=True, timeout=300
    )
    if made.returncode:
        pytest.skip("npm installs nothing here")
    for name, text in (("index.html", PAGE), ("main.js", MAIN), ("script.js", SCRIPT), ("given.js", GIVEN)):
        (folder / "app" / name).write_text(text, encoding="utf-8")
    (folder / "app" / "public").mkdir()
    shutil.copyfile(ported.root / "dist" / archives["weights"], folder / "app" / "public" / "weights.tar")
    assert not (folder / "app" / "node_modules" / "g2p").is_symlink()
    return folder / "app"


def run(project: Path, *command: str) -> str:
    """Runs a command with Node in the project, which must succeed. Returns what it prints."""
    ran = subprocess.run([str(NODE), *command], cwd=project, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def said_at(url: str) -> Any:
    """What the module at an address says, run as a page would run it."""
    return json.loads(run(HERE, "--experimental-vm-modules", "--no-warnings", "served.mjs", url))


@contextmanager
def folder_served(folder: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@contextmanager
def vite_serves(project: Path, vite: str) -> Iterator[str]:
    """Vite's development server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shutil.rmtree(project / "node_modules" / ".vite", ignore_errors=True)
    command = [str(NODE), f"node_modules/{vite}/bin/vite.js", "--host", "127.0.0.1", "--port", port, "--strictPort"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            url = f"http://127.0.0.1:{port}/"
            until = time.monotonic() + 30
            while True:
                try:
                    urllib.request.urlopen(url, timeout=5).close()
                    break
                except (urllib.error.URLError, OSError):
                    assert time.monotonic() < until and server.poll() is None, "Vite does not answer"
                    time.sleep(0.1)
            yield url
        finally:
            server.terminate()


@pytest.fixture
def documented_line(project: Path) -> Iterator[None]:
    """The line of Vite's configuration that the page names."""
    [line] = re.findall(r"^export default .*optimizeDeps.*$", DOCUMENTED, re.MULTILINE)
    (project / "vite.config.js").write_text(line + "\n")
    yield
    (project / "vite.config.js").unlink()


@pytest.mark.parametrize("vite", VITES)
def test_vites_development_server_with_the_line(project: Path, vite: str, documented_line: None) -> None:
    with vite_serves(project, vite) as url:
        assert said_at(f"{url}main.js") == SAID


def test_without_the_line_the_error_says_that_a_page_came(project: Path) -> None:
    with vite_serves(project, "vite7") as url:
        code, message = said_at(f"{url}main.js")
    assert code == "G2P_NO_FILE"
    assert "g2p-relaxed.wasm is not a WebAssembly module but a web page" in message and "docs/web.md" in message


def test_vite_8_needs_no_line(project: Path) -> None:
    with vite_serves(project, "vite8") as url:
        assert said_at(f"{url}main.js") == SAID


@pytest.mark.parametrize("vite", VITES)
def test_what_vite_builds(project: Path, vite: str) -> None:
    run(project, f"node_modules/{vite}/bin/vite.js", "build", "--outDir", f"made/{vite}")
    page = (project / "made" / vite / "index.html").read_text()
    [script] = re.findall(r'src="/(\S+)"', page)
    with folder_served(project / "made" / vite) as url:
        assert said_at(f"{url}{script}") == SAID


def test_what_webpack_builds_for_pages_and_for_node(project: Path) -> None:
    webpack = ("node_modules/webpack-cli/bin/cli.js", "--mode", "production")
    run(project, *webpack, "--entry", "./main.js", "--output-path", "made/webpack")
    shutil.copy2(project / "public" / "weights.tar", project / "made" / "webpack")
    with folder_served(project / "made" / "webpack") as url:
        assert said_at(f"{url}main.js") == SAID
    to = ("--output-path", "made/webpack-node", "--output-filename", "script.cjs")
    run(project, *webpack, "--entry", "./script.js", "--target", "node", *to)
    assert json.loads(run(project, "made/webpack-node/script.cjs")) == SAID


def esbuild(project: Path, *options: str) -> None:
    command = [project / "node_modules/.bin/esbuild", "--bundle", "--platform=node", "--log-level=error", *options]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(("form", "name"), [("esm", "script.mjs"), ("cjs", "script.cjs")])
def test_what_esbuild_builds_with_the_options(project: Path, form: str, name: str) -> None:
    [options] = re.findall(r"`(--loader:\S+) (--target=\S+)`", DOCUMENTED)
    esbuild(project, *options, f"--format={form}", "given.js", f"--outfile=made/given/{name}")
    assert json.loads(run(project, f"made/given/{name}")) == SAID


def test_what_esbuild_builds_without_them(project: Path) -> None:
    esbuild(project, "--format=cjs", "script.js", "--outfile=made/plain/script.cjs")
    code, message = json.loads(run(project, "made/plain/script.cjs"))
    assert code == "G2P_INVALID_ARGUMENT" and "give options.module" in message
    esbuild(project, "--format=esm", "script.js", "--outfile=made/plain/script.mjs")
    code, message = json.loads(run(project, "made/plain/script.mjs"))
    assert code == "G2P_NO_FILE" and "made/plain/g2p-relaxed.wasm cannot be read" in message
    for name in ("g2p.wasm", "g2p-relaxed.wasm"):
        shutil.copy2(project / "node_modules" / "g2p" / name, project / "made" / "plain")
    assert json.loads(run(project, "made/plain/script.mjs")) == SAID


def test_node_itself(project: Path) -> None:
    assert json.loads(run(project, "script.js")) == SAID
    required = SCRIPT.replace('import { load } from "g2p"', 'const { load } = require("g2p")')
    (project / "required.cjs").write_text(required)
    assert json.loads(run(project, "required.cjs")) == SAID
