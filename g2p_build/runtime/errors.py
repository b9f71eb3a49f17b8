"""What can go wrong between a list of words and their phonemes: one class per cause, one line per message."""

__all__ = [
    "EmptyWord",
    "G2PError",
    "InvalidArchive",
    "InvalidManifest",
    "InvalidWeights",
    "InvalidWord",
    "LibraryFailed",
    "MissingArchive",
    "NewerManifest",
    "NoManifest",
    "NotLinked",
    "TamperedArchive",
    "UnknownLanguage",
    "UnsupportedCPU",
    "UnsupportedTarget",
    "WordTooLong",
]


class G2PError(Exception):
    """Base of everything the runtime raises on purpose; its text is one line for the person at the keyboard.

    Names that come out of files may hold anything: what cannot be printed is shown escaped, what is endless is cut.
    """

    def __init__(self, message: str) -> None:
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message[:1000])
        super().__init__(text)


class WordTooLong(G2PError):
    """The prompt with this word in it has more bytes than the variant's input bound."""


class EmptyWord(G2PError):
    """A word with nothing in it, or only white space."""


class InvalidWord(G2PError):
    """A word with control characters, or text that is not valid Unicode."""


class ForeignCharacter(G2PError):
    """A word with a character that is not of its language's alphabet: a digit, an emoji, a letter of another script."""


class UnknownLanguage(G2PError):
    """A language code that the checkpoint does not list."""


class NoManifest(G2PError):
    """No manifest at the path given, or none in the index that this machine can run."""


class InvalidManifest(G2PError):
    """A manifest or an index that is not JSON, breaks its schema, contradicts itself or has another digest."""


class NewerManifest(G2PError):
    """A manifest or an index whose schema version is newer than this runtime."""


class MissingArchive(G2PError):
    """An archive that the manifest names is not there."""


class TamperedArchive(G2PError):
    """An archive whose size or SHA-256 is not the manifest's."""


class InvalidArchive(G2PError):
    """An archive with the right digest that is no tar, holds unsafe members or lacks one that the manifest names."""


class InvalidWeights(G2PError):
    """A weights file whose header lies, or whose tensors are not those that the functions take."""


class NotLinked(G2PError):
    """The variant's library is object files, to be linked by an app's own tools."""


class UnsupportedTarget(G2PError):
    """The variant's library is for another kind of machine."""


class UnsupportedCPU(UnsupportedTarget):
    """The variant's library needs CPU features that this machine lacks."""


class LibraryFailed(G2PError):
    """The library, or the TVM runtime under it, does not load."""
