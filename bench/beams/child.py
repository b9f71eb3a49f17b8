"""A library's process: opens a model, then searches (see `g2p_build.engine.pipes`).

    {"engine": "ours", "place": PATH, "dtype": "float32", "words": [[language, text, ids], ...], "tokens": 127}  →  {}
    {"beams": 4, "list": false}  →  {"seconds": 1.2, "best": ["ˈnaɪt", ...]}

A search is for as many pronunciations as there are beams, on one thread: of one word a call, or of the whole list.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.pronounce.setup import Word
from g2p_build.engine import pipes

CT2_BATCH = 16  # words that CTranslate2 takes together: the fastest of 4, 8, 16, 32 and 64

Search = Callable[[Sequence[Word], int], list[str]]
"""From words and a number of beams to each word's best pronunciation."""


def main() -> None:
    """Answers until nobody asks any more."""
    answer, questions = pipes.answering(), pipes.requests()
    asked = next(questions)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    words = [Word(lang, text, tuple(ids)) for lang, text, ids in asked["words"]]
    opened: dict[str, Callable[[dict[str, Any]], Search]] = {
        "ours": _ours,
        "ctranslate2": _ctranslate2,
        "transformers": _transformers,
    }
    search = opened[asked["engine"]](asked)
    search(words[:2], 2)
    answer({})
    for question in questions:
        calls = [words] if question["list"] else [[word] for word in words]
        started = time.perf_counter()
        best = [phonemes for call in calls for phonemes in search(call, question["beams"])]
        answer({"seconds": time.perf_counter() - started, "best": best})


def _ours(asked: dict[str, Any]) -> Search:
    from g2p_build.runtime import standalone

    folder = Path(asked["place"])
    model = standalone.open_model(folder / "libg2p.so", folder / "weights.safetensors")

    def search(words: Sequence[Word], beams: int) -> list[str]:
        listed, langs = [word.text for word in words], [word.language for word in words]
        found = model.best(listed, langs, 1, standalone.Search(beams, beams, False))
        return [each[0].phonemes for each in found]

    return search


def _ctranslate2(asked: dict[str, Any]) -> Search:
    import ctranslate2

    folder = Path(asked["place"], "model")
    names: list[str] = json.loads((folder / "shared_vocabulary.json").read_bytes())
    numbers = {name: number for number, name in enumerate(names)}
    translator = ctranslate2.Translator(
        str(folder), device="cpu", compute_type=asked["dtype"], inter_threads=1, intra_threads=1
    )

    def search(words: Sequence[Word], beams: int) -> list[str]:
        results = translator.translate_batch(
            [[names[number] for number in word.ids] for word in words],
            max_batch_size=CT2_BATCH,
            beam_size=beams,
            num_hypotheses=beams,
            return_scores=True,
            max_decoding_length=asked["tokens"],
            max_input_length=0,
        )
        return [_text([numbers[name] for name in result.hypotheses[0]]) for result in results]

    return search


def _transformers(asked: dict[str, Any]) -> Search:
    import torch

    from bench.pronounce import plain
    from g2p_build.reference.pretrained import as_model

    torch.set_num_threads(1)
    model = as_model(*plain.read(Path(asked["place"])))

    def search(words: Sequence[Word], beams: int) -> list[str]:
        width = max(len(word.ids) for word in words)
        ids = torch.tensor([[*word.ids, *[0] * (width - len(word.ids))] for word in words])
        with torch.no_grad():
            out = model.generate(
                input_ids=ids,
                attention_mask=(ids != 0).long(),
                num_beams=beams,
                num_return_sequences=beams,
                max_length=asked["tokens"] + 1,
                decoder_start_token_id=0,
                pad_token_id=0,
                eos_token_id=1,
            )
        return [_text(row) for row in out[::beams].tolist()]

    return search


def _text(ids: Sequence[int]) -> str:
    """The text of ByT5's ids, without special ones."""
    return bytes(number - 3 for number in ids if 3 <= number < 259).decode("utf-8", "ignore")


if __name__ == "__main__":
    main()
