"""Compiles the Kotlin classes over the library, with a compiler that is found on this machine."""

import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from g2p_build.errors import BuildError
from g2p_build.native.files import KOTLIN
from g2p_build.products.members import entry

__all__ = ["classes_jar", "compiler"]

OLDEST = "2.2"
"""The version of Kotlin that the classes are written in. An app's own compiler may be as old as the one before it."""

JAVA = "8"  # whose classes every Android has

_MISSING = (
    "an AAR's classes are Kotlin, and there is no {missing} here: install Java and Kotlin's compiler, and put kotlinc "
    "on PATH or name its folder in KOTLIN_HOME; without them take target=android, a CMake project"
)


def compiler() -> Path:
    """The folder with the compiler's libraries.

    Raises:
        BuildError: there is none, or no Java to run it.
    """
    if shutil.which("java") is None:
        raise BuildError(_MISSING.format(missing="java on PATH"))
    named, command = os.environ.get("KOTLIN_HOME"), shutil.which("kotlinc")
    if not named and command is None:
        raise BuildError(_MISSING.format(missing="kotlinc on PATH"))
    home = Path(named) if named else Path(str(command)).resolve().parents[1]
    for library in ("kotlin-compiler", "kotlin-stdlib", "kotlinx-coroutines-core-jvm"):
        if not (home / "lib" / f"{library}.jar").is_file():
            where = f"KOTLIN_HOME={named}" if named else str(command)
            raise BuildError(f"{where} is no Kotlin compiler: there is no {home / 'lib' / library}.jar")
    return home / "lib"


def classes_jar(library: str, sources: Path) -> bytes:
    """The compiled classes; the same compiler always gives the same bytes.

    Args:
        library: the name of the library that they call.
        sources: the folder of their Kotlin files.

    Raises:
        BuildError: there is no compiler, or it refuses the sources. One line.
    """
    folder = compiler()
    needed = [folder / f"{name}.jar" for name in ("kotlin-stdlib", "kotlinx-coroutines-core-jvm")]
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        command = ["java", "-cp", str(folder / "kotlin-compiler.jar"), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
        command += ["-no-stdlib", "-no-reflect", "-Xexplicit-api=strict", "-module-name", library]
        command += ["-language-version", OLDEST, "-api-version", OLDEST, f"-Xjdk-release={JAVA}"]
        command += ["-cp", os.pathsep.join(map(str, needed)), "-d", str(out)]
        # Android's own classes are declared in Java files, which the compiler reads and compiles nothing of.
        files = [*sorted(KOTLIN.glob("*.java")), *sorted(sources.iterdir())]
        ran = subprocess.run([*command, *map(str, files)], capture_output=True, text=True)
        if ran.returncode != 0:
            said = [line for line in ran.stderr.splitlines() if "error" in line] or ran.stderr.splitlines()
            raise BuildError(f"Kotlin's compiler failed: {said[0] if said else f'it ended with {ran.returncode}'}")
        jar = io.BytesIO()
        with zipfile.ZipFile(jar, "w") as archive:
            for path in sorted(out.rglob("*")):
                if path.is_file():
                    content = path.read_bytes()
                    with archive.open(entry(path.relative_to(out).as_posix(), len(content)), "w") as member:
                        member.write(content)
    return jar.getvalue()
