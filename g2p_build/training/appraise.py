"""Scores a checkpoint by itself, greedy, on words that it was trained on and on words that it was not.

    python -m g2p_build.training.appraise --data DATA g2p_build/checkpoints/embedded

Prints for each language PER and WER on DATA/test, on the held-out words (training/use.py says which), on the first
words of the training data, and how much of running text would be wrong: of the most used words in the training data,
those that are wrong, weighted by their use.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers import T5ForConditionalGeneration

from g2p_build.checkpoints.files import local_files
from g2p_build.checkpoints.tensors import read_checkpoint
from g2p_build.engine import streams
from g2p_build.errors import BuildError
from g2p_build.reference.generate import generate, text_of, tokens_of
from g2p_build.reference.pretrained import as_model
from g2p_build.reference.scores import read_dictionary, score
from g2p_build.training.use import HELD_OUT, frequencies_of, held_out, most_used, wrong_by_use

__all__ = ["main", "pronounced"]


def pronounced(model: T5ForConditionalGeneration, prompt: str, language: str, words: Sequence[str]) -> list[str]:
    """What the model writes for each word, greedy, in at most 128 ids."""
    return [text_of(ids) for ids in generate(model, [tokens_of(prompt, language, word) for word in words], 128)]


def _appraise(args: argparse.Namespace) -> None:
    architecture, state = read_checkpoint(local_files(args.checkpoint))
    model = as_model(architecture, state)
    train, test = read_dictionary(args.data / "train"), read_dictionary(args.data / "test")
    for language in args.languages.split(",") if args.languages else sorted(test):
        if language not in train or language not in test:
            raise BuildError(f"--languages names {language!r}, but the data have {', '.join(sorted(test))}")
        out = held_out(language, (word for word, _ in train[language]), args.hold_out)
        kept = [entry for entry in train[language] if entry[0] not in out]
        parts = {
            "test": test[language],
            "held-out": [entry for entry in train[language] if entry[0] in out],
            # Not the first ones: the file is in the order of the alphabet, or in none.
            "trained": kept[:: max(1, len(kept) // args.trained)][: args.trained],
        }
        for name, entries in parts.items():
            if entries:
                said = pronounced(model, args.prompt, language, [word for word, _ in entries])
                result = score(said, [known for _, known in entries])
                rates = f"PER {result.per():.4f} WER {result.wer():.4f}"
                print(f"{language} {name}: {rates} over {result.words} words", flush=True)
        use = frequencies_of(language)
        entries = most_used(train[language], use)
        if entries:
            said = pronounced(model, args.prompt, language, [word for word, _ in entries])
            wrong = wrong_by_use(entries, said, use)
            print(f"{language} running text: {wrong:.2%} wrong, {len(entries)} words by use", flush=True)


def main(argv: Sequence[str]) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(
        "python -m g2p_build.training.appraise", description="Scores a checkpoint by itself."
    )
    parser.add_argument("checkpoint", type=Path, help="its folder")
    parser.add_argument("--data", type=Path, required=True, help="a folder with train/LANG.tsv and test/LANG.tsv")
    parser.add_argument("--languages", help="LANG,...: these only")
    parser.add_argument("--hold-out", type=int, default=HELD_OUT, metavar="WORDS", help="default: %(default)s")
    parser.add_argument("--trained", type=int, default=500, metavar="WORDS", help="default: %(default)s")
    parser.add_argument("--prompt", default="<{lang}>: {word}", help="default: %(default)s")
    try:
        _appraise(parser.parse_args(argv))
    except (BuildError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    streams.guard()
    sys.exit(main(sys.argv[1:]))
