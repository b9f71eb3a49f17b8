//! Texts: words, and what is between them.

use std::ops::Range;
use std::os::raw::c_int;

use crate::call::{Options, Pronunciation};
use crate::error::Error;
use crate::ffi;
use crate::model::Model;

/// What a part of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartKind {
    /// It has a letter.
    Word,
    /// It has a digit, and no letter: the caller writes it out, in the words of the language.
    Number,
    /// White space, and other characters that cannot be seen.
    Space,
    /// Punctuation, symbols, emoji.
    Other,
}

/// A part of a text.
#[derive(Debug)]
#[non_exhaustive]
pub struct Part {
    /// Where it is in the text, in bytes. Together the parts are the text.
    pub range: Range<usize>,
    /// What it is.
    pub kind: PartKind,
    /// What is known of a word, or what is wrong with it; `None` for the other kinds.
    pub result: Option<Result<Pronunciation, Error>>,
}

impl Model {
    /// Splits a text at Unicode's word boundaries, and pronounces its words.
    ///
    /// Letters of scripts without spaces between words, such as Thai, are one word up to the next space or mark.
    ///
    /// ```
    /// let model = g2p::Model::load(g2p::default_manifest()?)?;
    /// let text = "That knight, 2 days.";
    /// let parts = model.text(text, "eng-us", g2p::Options::default())?;
    /// let said: Vec<&str> = parts.iter().map(|part| match &part.result {
    ///     Some(Ok(word)) => &word.phonemes,
    ///     _ => &text[part.range.clone()],
    /// }).collect();
    /// assert_eq!(said.concat(), "ˈðæt ˈnaɪt, 2 ˈdeɪz.");
    /// # Ok::<(), g2p::Error>(())
    /// ```
    ///
    /// # Errors
    /// The language is unknown, the call was cancelled, or there is no memory.
    pub fn text(&self, text: &str, lang: &str, options: Options<'_>) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let (end, kind) = self.part(text, start)?;
            parts.push(Part {
                range: start..end,
                kind,
                result: None,
            });
            start = end;
        }
        let is_word = |part: &&Part| part.kind == PartKind::Word;
        let words: Vec<&str> = parts
            .iter()
            .filter(is_word)
            .map(|part| &text[part.range.clone()])
            .collect();
        let mut results = self.results(&words, lang, options)?.into_iter();
        for part in parts.iter_mut().filter(|part| part.kind == PartKind::Word) {
            part.result = results.next();
        }
        Ok(parts)
    }

    /// The end and the kind of the part that begins at a byte.
    fn part(&self, text: &str, start: usize) -> Result<(usize, PartKind), Error> {
        let (mut end, mut kind): (usize, c_int) = (0, 0);
        let mut error = ffi::Error::new();
        // SAFETY: the text lives until the call returns, which writes the end, the kind and the error.
        let status = unsafe {
            (self.functions.g2p_next_part)(text.as_ptr().cast(), text.len(), start, &mut end, &mut kind, &mut error)
        };
        error.check(status)?;
        let kinds = [PartKind::Word, PartKind::Number, PartKind::Space];
        let kind = usize::try_from(kind).ok().and_then(|number| kinds.get(number).copied());
        Ok((end, kind.unwrap_or(PartKind::Other)))
    }
}
