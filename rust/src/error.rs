//! The errors of the crate.

use std::fmt;
use std::path::Path;

/// The longest message, in characters. A longer one loses its middle.
const LONGEST: usize = 400;

/// Why a call failed. The first kinds are the statuses of `g2p.h`, which explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A [`CancelToken`](crate::CancelToken) or a callback asked for it.
    Cancelled,
    /// The allocator gave none.
    NoMemory,
    /// A path holds a zero, a lexicon's language is missing or one too many, or this crate made a mistake.
    InvalidArgument,
    /// A word is empty, or holds only white space.
    EmptyWord,
    /// A word holds a control character.
    InvalidWord,
    /// A word, with its prompt, is longer than the model's input.
    WordTooLong,
    /// A word holds a character that is not in the alphabet of its language.
    ForeignCharacter,
    /// The language is not among [`Model::languages`](crate::Model::languages).
    UnknownLanguage,
    /// A manifest, index, archive or weights file is missing or cannot be read.
    NoFile,
    /// The weights are not a safetensors file with this model's tensors.
    InvalidWeights,
    /// A lexicon has a line that is no word with its pronunciations, or is a damaged table.
    InvalidLexicon,
    /// A draft table is damaged.
    InvalidDraft,
    /// The phonemes have a character that the speech model has no symbol for: see [`Error::place`].
    UnknownPhoneme,
    /// A voice is not among [`Speech::voices`](crate::kokoro::Speech::voices).
    UnknownVoice,
    /// The file of voices is damaged, or not the model's.
    InvalidVoices,
    /// A file is not a manifest or index, was changed after it was built, or is of another library.
    InvalidManifest,
    /// The manifest has a newer schema version than this crate knows.
    NewerManifest,
    /// An archive has another size or digest than its manifest says.
    WrongDigest,
    /// The library uses instructions that this processor lacks.
    UnsupportedCpu,
    /// This build of the library has no such function.
    Unsupported,
    /// The manifest is for another architecture or system, or holds no library that can be loaded.
    UnsupportedTarget,
    /// The archive does not hold what its manifest says, or cannot be unpacked.
    InvalidArchive,
    /// The library does not load, has another version of the interface, or gave a status that this crate does not know.
    LibraryFailed,
}

impl ErrorKind {
    /// The kind for a status of `g2p.h` other than `G2P_OK`.
    pub(crate) fn of_status(status: i32) -> ErrorKind {
        match status {
            1 => ErrorKind::Cancelled,
            2 => ErrorKind::NoMemory,
            3 => ErrorKind::InvalidArgument,
            4 => ErrorKind::EmptyWord,
            5 => ErrorKind::InvalidWord,
            6 => ErrorKind::WordTooLong,
            7 => ErrorKind::UnknownLanguage,
            9 => ErrorKind::NoFile,
            10 => ErrorKind::InvalidWeights,
            11 => ErrorKind::InvalidManifest,
            12 => ErrorKind::NewerManifest,
            13 => ErrorKind::WrongDigest,
            14 => ErrorKind::UnsupportedCpu,
            15 => ErrorKind::Unsupported,
            16 => ErrorKind::ForeignCharacter,
            17 => ErrorKind::InvalidLexicon,
            18 => ErrorKind::InvalidDraft,
            19 => ErrorKind::UnknownPhoneme,
            20 => ErrorKind::UnknownVoice,
            21 => ErrorKind::InvalidVoices,
            _ => ErrorKind::LibraryFailed,
        }
    }
}

/// Why a call failed, in one line for the person at the keyboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    word: Option<usize>,
    place: Option<usize>,
    message: String,
}

impl Error {
    /// Makes an error that is not about a word. The message is joined into one line.
    pub(crate) fn new(kind: ErrorKind, message: impl fmt::Display) -> Error {
        Error {
            kind,
            word: None,
            place: None,
            message: one_line(&message.to_string()),
        }
    }

    pub(crate) fn about_word(self, word: usize) -> Error {
        Error {
            word: Some(word),
            ..self
        }
    }

    pub(crate) fn at_place(self, place: usize) -> Error {
        Error {
            place: Some(place),
            ..self
        }
    }

    /// Makes an error about a file. The message begins with the file's name.
    pub(crate) fn in_file(kind: ErrorKind, path: &Path, message: impl fmt::Display) -> Error {
        Error::new(kind, format_args!("{}: {message}", path.display()))
    }

    /// The kind of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The index of the wrong word, from 0. None if the error is not about a word.
    #[must_use]
    pub fn word(&self) -> Option<usize> {
        self.word
    }

    /// Where the phonemes or the text of a speech model are wrong, in bytes. None if the error is not about a place in them.
    #[must_use]
    pub fn place(&self) -> Option<usize> {
        self.place
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let count = line.chars().count();
    if count <= LONGEST {
        return line;
    }
    let head: String = line.chars().take(LONGEST / 2).collect();
    let tail: String = line.chars().skip(count - LONGEST / 4).collect();
    format!("{head} ... {tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_header_has_a_kind_of_its_own_but_the_one_that_no_call_here_gives() {
        let kinds: Vec<_> = (1..22).map(ErrorKind::of_status).collect();
        for (number, kind) in kinds.iter().enumerate() {
            assert_eq!(kinds.iter().filter(|other| *other == kind).count(), 1);
            // G2P_TOO_SMALL: the library allocates the results.
            assert_eq!(*kind == ErrorKind::LibraryFailed, number + 1 == 8);
        }
        assert_eq!(ErrorKind::of_status(99), ErrorKind::LibraryFailed);
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        assert_eq!(Error::new(ErrorKind::NoFile, "a\n b\tc").to_string(), "a b c");
        let long = Error::new(ErrorKind::NoFile, "é".repeat(1000)).to_string();
        assert_eq!(long.chars().count(), LONGEST / 2 + 5 + LONGEST / 4);
    }
}
