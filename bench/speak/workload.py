"""What is spoken."""

from collections.abc import Mapping

from bench.speak.setup import Utterance
from g2p_build.errors import BuildError

__all__ = ["CLAUSE", "EARLY", "LONG", "SENTENCE", "utterances"]

SENTENCE, CLAUSE, EARLY, LONG = "sentence", "clause", "early", "long"

_CLAUSE = "həlˈO ðˈɛɹ,"
_SENTENCE = "həlˈO wˈɜɹld, ðɪs ɪz ə tˈɛst ʌv ðə kəkˈOɹO tˈɛkst tə spˈiʧ mˈɑdəl."
# Nobody splits it: it is one sentence, and its commas come early.
_LONG = (
    "wɛn ðə sˈʌnlIt stɹˈIks ɹˈAndɹɑps ɪn ði ˈɛɹ, ðA ˈækt æz ə pɹˈɪzəm ænd fˈɔɹm ə ɹˈAnbO, ænd ðə ɹˈAnbO ɪz ə dɪvˈɪʒən "
    "ʌv wˈIt lˈIt ˈɪntu mˈɛni bjˈutəfəl kˈʌləɹz."
)


def utterances(vocabulary: Mapping[str, int]) -> dict[str, Utterance]:
    """What is spoken, by name: a `SENTENCE`, a `CLAUSE`, the sentence behind the clause (`EARLY`), a `LONG` sentence.

    Args:
        vocabulary: the checkpoint's symbols with their ids.

    Raises:
        BuildError: a symbol is not among them.
    """
    texts = {SENTENCE: _SENTENCE, CLAUSE: _CLAUSE, EARLY: f"{_CLAUSE} {_SENTENCE}", LONG: _LONG}
    for text in texts.values():
        for symbol in text:
            if symbol not in vocabulary:
                raise BuildError(f"the benchmark says {symbol!r}, and the checkpoint has no such symbol")
    return {name: Utterance(text, (0, *(vocabulary[symbol] for symbol in text), 0)) for name, text in texts.items()}
