"""The Swift API, tested by XCTest over the C side for this machine, which Swift itself compiles.

It takes Swift 5.9 or later: `swift` on PATH, or a folder with a Linux that has it, named by G2P_SWIFT_ROOT:

    debootstrap --variant=minbase trixie ROOT && mount --bind /proc ROOT/proc && mount --bind /dev ROOT/dev
    chroot ROOT apt-get install --no-install-recommends -y swiftlang libc6-dev g++
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import DEFAULT, ROOT, Tree
from library.kits import archives

from g2p_build.native.files import SWIFT

pytestmark = pytest.mark.long

LIBRARIES = "/usr/libexec/swift/lib/swift/linux"
"""Where Debian has Swift's own libraries, which its compiler needs and does not look for."""

# As the kit's own, but for the kernels: an XCFramework is Apple's alone. Version 6 has the strictest checks.
PACKAGE = """// swift-tools-version:6.0
import PackageDescription

let package = Package(
  name: "G2P",
  products: [.library(name: "G2P", targets: ["G2P"])],
  targets: [
    .target(name: "CG2P", exclude: ["model.inc", "program.inc"], linkerSettings: [.unsafeFlags(["KERNELS"])]),
    .target(name: "G2P", dependencies: ["CG2P"], resources: [.copy("Weights")]),
    .testTarget(name: "G2PTests", dependencies: ["G2P"]),
  ],
  cLanguageStandard: .c11
)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Path, list[str], Path]]:
    """An empty folder, the words before a command that runs where Swift is, and the folder's name there."""
    root = os.environ.get("G2P_SWIFT_ROOT")
    if root is None:
        if not shutil.which("swift"):
            pytest.skip("no swift on PATH, and no G2P_SWIFT_ROOT")
        yield tmp_path, [], tmp_path
        return
    folder = Path(root, "tmp", "g2p-swift-test")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder, ["chroot", root], Path("/tmp/g2p-swift-test")
    shutil.rmtree(folder)


def test_the_api_over_the_c_side(built: Tree, place: tuple[Path, list[str], Path]) -> None:
    folder, before, there = place
    kit = archives(built, DEFAULT)
    c, swift = folder / "Sources" / "CG2P", folder / "Sources" / "G2P"
    shutil.copytree(kit.folder, c, ignore=shutil.ignore_patterns("*.o", "*.json", "CMakeLists.txt", "g2p.h"))
    (c / "include").mkdir()
    shutil.copy(kit.folder / "g2p.h", c / "include")
    (c / "include" / "module.modulemap").write_text('module CG2P {\n  header "g2p.h"\n  export *\n}\n')
    shutil.copy(kit.folder / "kernels.o", folder)
    shutil.copytree(SWIFT, swift)
    (swift / "Weights").mkdir()
    data = json.loads(kit.manifest.read_bytes())
    shutil.copy(
        kit.manifest.parents[1] / "dist" / data["archives"]["weights"]["file"], swift / "Weights" / "weights.tar"
    )
    shutil.copytree(ROOT / "tests" / "swift", folder / "Tests" / "G2PTests")
    shutil.copy(
        ROOT / "examples" / "swift" / "Sources" / "Shown.swift", folder / "Tests" / "G2PTests"
    )  # needs no SwiftUI
    (folder / "Package.swift").write_text(PACKAGE.replace("KERNELS", str(there / "kernels.o")))
    rows = json.loads((ROOT / "g2p_build" / "reference" / "golden" / "embedded.json").read_bytes())["words"]
    golden = "".join(f"{row['lang']}\t{row['word']}\t{row['ipa']}\n" for row in rows)
    (folder / "golden.tsv").write_text(golden, encoding="utf-8")
    env = {"HOME": str(there), "G2P_GOLDEN": str(there / "golden.tsv"), "LANG": "C.UTF-8"}
    if before:
        env["LD_LIBRARY_PATH"] = LIBRARIES
    words = [*before, "env", *(f"{name}={value}" for name, value in env.items())]
    done = subprocess.run(
        [*words, "swift", "test", "--package-path", there], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    functions = re.findall(r"func (test\w+)", (ROOT / "tests" / "swift" / "G2PTests.swift").read_text(encoding="utf-8"))
    assert sorted(set(re.findall(r"'G2PTests\.(test\w+)' passed", said))) == sorted(functions)
    assert "warning:" not in said
