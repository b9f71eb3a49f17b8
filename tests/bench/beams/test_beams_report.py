"""The page with what searches take."""

from typing import Any

from bench.beams.report import markdown
from bench.common import machine


def test_libraries_stand_beside_each_other() -> None:
    found: dict[str, dict[str, dict[str, Any]]] = {
        "ours float32": {
            "1": {"alone": [0.01, 0.02, 0.03], "list": [0.01], "best": ["a", "b"]},
            "4": {"alone": [0.02], "list": [0.01], "best": ["a", "b"]},
        },
        "ctranslate2 float32": {"4": {"alone": [0.04], "list": [0.02], "best": ["a", "c"]}},
        "transformers float32": {"4": {"alone": [0.4], "list": [], "best": ["a", "b"]}},
    }
    result: dict[str, Any] = {
        "command": "python -m bench.beams",
        "machine": machine.describe(0.5),
        "versions": {"CTranslate2": "4"},
        "words": 2,
        "rounds": 3,
        "found": found,
    }
    lines = markdown(result)
    assert [line for line in lines if line.startswith(("| 1 ", "| 4 "))] == [
        "| 1 | ours float32 | 10.0 (7.50-12.5) | 5.00 (5.00-5.00) |  |",
        "| 4 | ours float32 | 10.0 (10.0-10.0) | 5.00 (5.00-5.00) | 100 % |",
        "| 4 | ctranslate2 float32 | 20.0 (20.0-20.0) | 10.0 (10.0-10.0) | 50.0 % |",
        "| 4 | transformers float32 | 200 (200-200) |  | 100 % |",
    ]
    assert any("2 words" in line for line in lines) and any("of 3 rounds" in line for line in lines)
