"""The errors of the runtime: one class for each cause. Each message is one line."""

from typing import Any

__all__ = [
    "Cancelled",
    "Closed",
    "EmptyWord",
    "ForeignCharacter",
    "G2PError",
    "InvalidArchive",
    "InvalidDraft",
    "InvalidLexicon",
    "InvalidManifest",
    "InvalidVoices",
    "InvalidWeights",
    "InvalidWord",
    "LibraryFailed",
    "MissingArchive",
    "NewerManifest",
    "NoManifest",
    "NotLinked",
    "TamperedArchive",
    "UnknownLanguage",
    "UnknownPhoneme",
    "UnknownVoice",
    "UnsupportedCPU",
    "UnsupportedTarget",
    "WordTooLong",
]


class G2PError(Exception):
    """Base of every error that the runtime raises on purpose. Its text is one line for the person at the keyboard.

    Names out of files may hold anything. So unprintable characters are escaped, and long texts are cut.
    """

    def __init__(self, message: str) -> None:
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message[:1000])
        super().__init__(text)


class WordTooLong(G2PError):
    """With this word, the prompt is longer than the variant's input bound."""


class EmptyWord(G2PError):
    """A word with nothing in it, or only white space; or nothing to speak."""


class InvalidWord(G2PError):
    """A word with control characters, or text that is not valid Unicode."""


class ForeignCharacter(G2PError):
    """A word with a character that is not of its language's alphabet: a digit, an emoji, a letter of another script."""


class UnknownLanguage(G2PError):
    """A language code that the checkpoint does not list."""


class UnknownPhoneme(G2PError):
    """A character of the phonemes that the speech model has no symbol for.

    Attributes:
        place: its index in the phonemes.
    """

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.place)


class UnknownVoice(G2PError):
    """A voice that the speech model does not have."""


class NoManifest(G2PError):
    """There is no manifest at the given path, or the index has none that this machine can run."""


class InvalidManifest(G2PError):
    """A manifest or an index is not JSON, breaks its schema, contradicts itself or has another digest than it says."""


class NewerManifest(G2PError):
    """A manifest or an index has a newer schema version than this runtime knows."""


class MissingArchive(G2PError):
    """An archive that the manifest names is missing or cannot be read."""


class TamperedArchive(G2PError):
    """An archive has another size or SHA-256 than its manifest says."""


class InvalidArchive(G2PError):
    """An archive has the right digest, but is not a tar, holds unsafe members or lacks one that the manifest names."""


class InvalidWeights(G2PError):
    """The header of a weights file is wrong, or its tensors are not the ones that the functions take."""


class InvalidVoices(G2PError):
    """A file of voices is damaged, or its voices are not of the model's shape."""


class InvalidLexicon(G2PError):
    """A lexicon cannot be read, is no table and no list of words, or is a damaged table."""


class InvalidDraft(G2PError):
    """A draft table is damaged, or is none."""


class Cancelled(G2PError):
    """The call was stopped by its token."""


class Closed(G2PError):
    """The model was closed."""


class NotLinked(G2PError):
    """The variant has no library that can be loaded: it holds object files for an app's own linker."""


class UnsupportedTarget(G2PError):
    """The variant's library is for another kind of machine."""


class UnsupportedCPU(UnsupportedTarget):
    """The variant's library needs CPU features that this machine lacks."""


class LibraryFailed(G2PError):
    """The library, or the TVM runtime that it needs, does not load."""
