"""The examples work, without this package in the process."""

import json
import subprocess
import sys
from pathlib import Path

from conftest import DEFAULT, ROOT, Tree

from g2p_build.reference.golden import FOLDER


def test_a_loader_of_the_standard_library_alone(built: Tree, tmp_path: Path) -> None:
    golden = [
        row
        for row in json.loads((FOLDER / "embedded.json").read_text(encoding="utf-8"))["words"]
        if row["lang"] == "fin"
    ]
    example = tmp_path / "app.py"
    forbidden = ["g2p_build", "torch", "tvm", "tvm_ffi", "numpy", "transformers", "jsonschema", "safetensors"]
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({forbidden!r}))\n"
    source = (ROOT / "examples" / "pronounce.py").read_text(encoding="utf-8")
    example.write_text(blocked + source, encoding="utf-8")
    manifest = built.root / "manifests" / f"{DEFAULT}.json"
    result = subprocess.run(
        [sys.executable, str(example), str(manifest), "fin", *(row["word"] for row in golden)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "".join(f"{row['word']}\t{row['ipa']}\n" for row in golden)
