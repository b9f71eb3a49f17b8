"""The Swift APIs, tested by XCTest over the C side for this machine, which Swift itself compiles: both kits in one app.

It takes Swift 5.9 or later: `swift` on PATH, or a folder with a Linux that has it, named by G2P_SWIFT_ROOT:

    debootstrap --variant=minbase trixie ROOT && mount --bind /proc ROOT/proc && mount --bind /dev ROOT/dev
    chroot ROOT apt-get install --no-install-recommends -y swiftlang libc6-dev g++
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import DEFAULT, ROOT, SPEECH, Tree, copy_tree, unpacked
from library.kits import archives

from g2p_build.native.files import SWIFT, source_files
from g2p_build.native.kit import SLICES, kit
from g2p_build.runtime import load, tts

pytestmark = pytest.mark.long

LIBRARIES = "/usr/libexec/swift/lib/swift/linux"
"""Where Debian has Swift's own libraries, which its compiler needs and does not look for."""

TESTS = ROOT / "tests" / "swift"

# Version 6 of the tools has the strictest checks.
APP = """// swift-tools-version:6.0
import PackageDescription

let package = Package(
  name: "App",
  dependencies: [.package(path: "../G2P"), .package(path: "../TTS")],
  targets: [
    .executableTarget(name: "Sample", dependencies: ["G2P", "TTS"]),
    .testTarget(name: "G2PTests", dependencies: ["G2P"]),
    .testTarget(name: "TTSTests", dependencies: ["TTS"]),
    .testTarget(name: "AppTests", dependencies: ["G2P", "TTS"]),
  ]
)
"""

LINE = "həlˈO wˈɜɹld. ðɪs ɪz ə tˈɛst, ænd ənˈʌðəɹ."
TEXT = "Hello,\nworld – it’s [well-known]!"


@dataclass(frozen=True)
class Place:
    """Where Swift is."""

    folder: Path  # an empty one
    before: tuple[str, ...]  # the words before a command that runs there
    there: Path  # the folder's name for such a command

    def swift(self, *words: str) -> str:
        """Runs a command of Swift's, which must succeed, and gives what it says, errors first."""
        env = {"HOME": self.there, "LANG": "C.UTF-8", "G2P_GOLDEN": self.there / "golden.tsv"}
        env["TTS_EXPECTED"] = self.there / "expected"
        if self.before:
            env["LD_LIBRARY_PATH"] = Path(LIBRARIES)
        command = [*self.before, "env", *(f"{name}={value}" for name, value in env.items()), "swift", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stderr + done.stdout
        assert done.returncode == 0, said
        return said


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = os.environ.get("G2P_SWIFT_ROOT")
    if root is None:
        if not shutil.which("swift"):
            pytest.skip("no swift on PATH, and no G2P_SWIFT_ROOT")
        folder = tmp_path_factory.mktemp("swift")
        yield Place(folder, (), folder)
        return
    folder = Path(root, "tmp", "g2p-swift-test")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield Place(folder, ("chroot", root), Path("/tmp/g2p-swift-test"))
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def app(place: Place, built: Tree, speech: Tree, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The packages of both kits, and one of an app that has both, with tests of all three."""
    words = archives(built, DEFAULT)
    weights = {"weights": archive(words.manifest, "weights")}
    package(place, "g2p", words.folder, weights)
    folder = tmp_path_factory.mktemp("speech")
    tree = copy_tree(folder / "tree", speech.cache)
    tree.compiled("checkpoint=kokoro_small", "target.package=objects")
    [manifest] = (tree.root / "manifests").glob("kokoro_small-*.json")
    made = unpacked(tree, manifest.stem, folder / "kit")
    package(place, "tts", made, {role: archive(manifest, role) for role in ("weights", "voices")})
    tests = place.folder / "App" / "Tests"
    for name, target in (("g2p", "G2PTests"), ("tts", "TTSTests"), ("app", "AppTests")):
        shutil.copytree(TESTS / name, tests / target)
    shutil.copy(ROOT / "examples" / "swift" / "Sources" / "Shown.swift", tests / "G2PTests")  # needs no SwiftUI
    (place.folder / "App" / "Package.swift").write_text(APP)
    sample = place.folder / "App" / "Sources" / "Sample"
    sample.mkdir(parents=True)
    (sample / "main.swift").write_text(documented(), encoding="utf-8")
    rows = json.loads((ROOT / "g2p_build" / "reference" / "golden" / "embedded.json").read_bytes())["words"]
    golden = "".join(f"{row['lang']}\t{row['word']}\t{row['ipa']}\n" for row in rows)
    (place.folder / "golden.tsv").write_text(golden, encoding="utf-8")
    say(built, speech, place.folder / "expected")
    return place


def archive(manifest: Path, role: str) -> Path:
    """An archive of a published variant."""
    named = json.loads(manifest.read_bytes())["archives"][role]["file"]
    return manifest.parents[1] / "dist" / str(named)


def package(place: Place, name: str, folder: Path, resources: Mapping[str, Path]) -> None:
    """The Swift package of a kit for this machine, as the kit of Apple's platforms has it.

    Only the kernels are no XCFramework, which is Apple's alone: they are linked as they are.
    """
    title, out = name.upper(), place.folder / name.upper()
    out.mkdir()
    sources = {path.name: path for path in folder.iterdir() if path.suffix in (".c", ".h", ".inc")}
    kernels = {each.name: folder / "kernels.o" for each in SLICES}
    kit(name, sources, source_files((SWIFT, SWIFT / name)), kernels, "arm64-apple-ios14.0", out)
    shutil.copy(folder / "kernels.o", out)
    linked = f'linkerSettings: [.unsafeFlags(["{place.there / title / "kernels.o"}"])]'
    written = (out / "Package.swift").read_text(encoding="utf-8")
    for line, other in {
        "swift-tools-version:5.9": "swift-tools-version:6.0",
        f'dependencies: ["{title}Kernels"], ': "",
        '"program.inc"])': f'"program.inc"], {linked})',
        f'    .binaryTarget(name: "{title}Kernels", path: "{title}Kernels.xcframework"),\n': "",
    }.items():
        assert line in written
        written = written.replace(line, other)
    (out / "Package.swift").write_text(written, encoding="utf-8")
    for role, path in resources.items():
        shutil.copy(path, out / "Sources" / title / "Weights" / f"{role}.tar")


def documented() -> str:
    """A program of the samples of docs/kokoro.md, with voices that the small model has."""
    page = (ROOT / "docs" / "kokoro.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```swift\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    lines = "".join(blocks).replace("jf_alpha", "first").replace("jm_kumo", "second").splitlines()
    imports = [line for line in lines if line.startswith("import ")]
    body = [line for line in lines if not line.startswith("import ")]
    play = "func play(_ samples: [Float], _ rate: Int) {}"
    # In a function, because code of the top level prefers functions that are not asynchronous.
    sample = ["func sample() async throws {", *body, "print(phonemes, sound.count > 0)", "}", "try await sample()"]
    return "\n".join([*imports, play, *sample, ""])


def say(built: Tree, speech: Tree, out: Path) -> None:
    """Writes down what Python's runtime says."""
    out.mkdir()
    words = load(built.root / "manifests" / f"{DEFAULT}.json")
    with tts.load(speech.root / "manifests" / f"{SPEECH}.json") as model:
        early = list(model.speak(LINE, "first", seed=3, early=True))
        timings = [timing for piece in early for timing in piece.timings]
        files = {
            "plain": model.say(LINE, "first", speed=1.2, seed=7),
            "mixed": model.say(LINE, mix={"second": 0.3, "first": 0.9}),
            "skipped": model.say("hə😀l?", "second", skip_unknown=True),
            "early": b"".join(piece.samples for piece in early),
            "timings": "".join(f"{t.place} {t.symbol} {t.first} {t.samples}\n" for t in timings).encode(),
            "text": TEXT.encode(),
            "read": model.phonemes(TEXT, words, "eng-us").encode(),
        }
    for name, data in files.items():
        (out / name).write_bytes(data)


def test_the_apis_over_the_c_side(app: Place) -> None:
    said = app.swift("test", "--package-path", str(app.there / "App"))
    for path in sorted(TESTS.rglob("*.swift")):
        functions = re.findall(r"func (test\w+)", path.read_text(encoding="utf-8"))
        assert sorted(set(re.findall(rf"'{path.stem}\.(test\w+)' passed", said))) == sorted(functions) != []
    assert "warning:" not in said


def test_the_documented_program_runs_with_both_kits(app: Place) -> None:
    said = app.swift("run", "--package-path", str(app.there / "App"), "Sample")
    assert said.splitlines()[-1] == "hɛlˈO, wˈɜɹld. true"
