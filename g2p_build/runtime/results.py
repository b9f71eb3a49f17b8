"""What is known of a pronunciation besides its phonemes."""

from dataclasses import dataclass
from typing import Literal

from g2p_build.runtime.errors import G2PError

__all__ = ["PARTS", "SOURCES", "Part", "PartKind", "Result", "Search", "Source", "Statistics"]

Source = Literal["model", "lexicon", "user", "letters"]

SOURCES: tuple[Source, ...] = ("model", "lexicon", "user", "letters")
"""Where a pronunciation comes from, in the order of ``g2p_source`` in ``g2p.h``."""


@dataclass(frozen=True)
class Result:
    """One word of a list.

    Attributes:
        word: the word, as it was given.
        lang: its language.
        phonemes: its pronunciation; empty where the word is wrong.
        source: where the pronunciation comes from: the model, a lexicon's table that a build made, a list that the user
            added, or the names of the word's letters.
        truncated: the model reached the variant's bound before it had ended the word.
        repeats: the pronunciation ends in one part again and again, at least four times: a loop.
        score: mean natural log-probability of the ids that the model generated, the end id included. None where scores
            were not asked for, and where the pronunciation is not from the model.
        error: what is wrong with the word, or None.
        passes: of the decoder that the model took; as the next two, 0 where the pronunciation is not from it, and where
            what runs the variant does not count.
        drafted: ids that a draft table guessed and the model checked.
        accepted: those of them that were right.
    """

    word: str
    lang: str
    phonemes: str
    source: Source = "model"
    truncated: bool = False
    repeats: bool = False
    score: float | None = None
    error: G2PError | None = None
    passes: int = 0
    drafted: int = 0
    accepted: int = 0


@dataclass(frozen=True)
class Search:
    """How several pronunciations of a word are searched for. `G2P.best` says what its fields mean."""

    n: int
    beams: int
    early_stopping: bool


@dataclass(frozen=True)
class Statistics:
    """What a model has done since it was opened. Words of lexicons are not counted.

    Times are in nanoseconds, of all threads together.

    Attributes:
        words: that the model finished.
        ids: that it generated.
        passes: of its decoder, each word's own: ids, less those that guesses saved.
        drafted: ids that a draft table guessed and the model checked.
        accepted: those of them that were right.
        encode_ns: time in the encoder.
        prefill_ns: time on what the decoder keeps of the encoder's output.
        step_ns: time in passes of the decoder.
        draft_ns: time on guesses, and on how far to check them.
    """

    words: int
    ids: int
    passes: int
    drafted: int
    accepted: int
    encode_ns: int
    prefill_ns: int
    step_ns: int
    draft_ns: int


PartKind = Literal["word", "number", "space", "other"]

PARTS: tuple[PartKind, ...] = ("word", "number", "space", "other")
"""What a part of a text is, in the order of ``g2p_part`` in ``g2p.h``."""


@dataclass(frozen=True)
class Part:
    """A part of a text.

    Attributes:
        text: the part itself. Together the parts are the text.
        start: the index of its first character in the text.
        kind: ``"word"``: it has a letter. ``"number"``: it has a digit and no letter. ``"space"``: it cannot be seen.
            ``"other"``: punctuation, symbols and emoji.
        result: what is known of a word; None for the other kinds.
    """

    text: str
    start: int
    kind: PartKind
    result: Result | None = None
