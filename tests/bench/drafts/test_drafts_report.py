"""The page with what guesses save."""

from typing import Any

from bench.common import machine
from bench.drafts.report import markdown


def counts(words: int, passes: int, step_ns: int) -> dict[str, int]:
    return {"words": words, "ids": 10 * words, "passes": passes, "drafted": 8 * words, "accepted": 4 * words} | {
        "encode_ns": 3000 * words, "prefill_ns": 0, "step_ns": step_ns, "draft_ns": 1000 * words
    }  # fmt: skip


def test_times_stand_beside_those_without_a_table() -> None:
    without = {"fin": counts(2, 20, 12_000), "swa": counts(4, 40, 16_000)}
    found = {"fin": counts(2, 4, 2_000), "swa": counts(4, 4, 4_000)}
    result: dict[str, Any] = {
        "command": "python -m bench.drafts",
        "machine": machine.describe(0.5),
        "words": {"fin": 2, "swa": 4},
        "rounds": 5,
        "found": {"float32": {"without": without, "with": found, "wrong": without}},
    }
    lines = markdown(result)
    shares = "60.0 % | 0.0 % | 20.0 % | 20.0 %"
    assert f"| float32 | with | fin | 10.0 | 2.00 | 8.0 | 4.0 | 5 | 0.500 | {shares} |" in lines
    assert f"| float32 | with | all | 10.0 | 1.33 | 8.0 | 4.0 | 5 | 0.577 | {shares} |" in lines
    assert sum("| without |" in line for line in lines) == 1
    assert any("6 words" in line for line in lines) and any("of 5 rounds" in line for line in lines)
