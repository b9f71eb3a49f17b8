//! Words that are not left to the model.

use std::os::raw::c_int;
use std::path::Path;

use crate::call::{c_lang, c_word, utf8, Results};
use crate::error::{Error, ErrorKind};
use crate::ffi;
use crate::model::{c_path, Model};

impl Model {
    /// Adds a file of words that are not left to the model. It comes before those that were added earlier, and before the
    /// archive's own. Calls that run at the time may or may not see it.
    ///
    /// The file is a table (`*.g2plex`), or UTF-8 text with a word a line: the word, a tab, and its pronunciations with
    /// commas between them. The first of them is the answer. A text's words are of the language `lang`; a table has its own
    /// languages, and `lang` is None. A text is copied. A table is mapped, and must not change until the model is dropped.
    /// A model takes up to 16 lexicons.
    ///
    /// A word that is typed in capitals is looked up as it was typed, and then in lower case.
    ///
    /// # Errors
    /// The file cannot be read or is no lexicon; the message names the line. Or the language is unknown, missing, or one
    /// too many.
    pub fn add_lexicon(&self, path: impl AsRef<Path>, lang: Option<&str>) -> Result<(), Error> {
        let path = c_path(path.as_ref())?;
        let lang = lang.map(c_lang).transpose()?;
        let lang = lang.as_ref().map_or(std::ptr::null(), |lang| lang.as_ptr());
        let mut error = ffi::Error::new();
        // SAFETY: the model is open. The texts end with zeros and live until the call returns.
        let status = unsafe { (self.functions.g2p_add_lexicon)(self.raw.as_ptr(), path.as_ptr(), lang, &mut error) };
        error.check(status)
    }

    /// Adds words with their pronunciations, as [`Model::add_lexicon`] does with a file of them. The first pronunciation of
    /// a word is the answer.
    ///
    /// ```
    /// let model = g2p::Model::load(g2p::default_manifest()?)?;
    /// model.add_words([("read", ["ˈɹid", "ˈɹɛd"]), ("US", ["ˌjuˈɛs", "ˈəs"])], "eng-us")?;
    /// assert_eq!(model.pronounce("Read", "eng-us")?, "ˈɹid");
    /// assert_eq!(model.look_up("read", "eng-us")?, ["ˈɹid", "ˈɹɛd"]);
    /// assert!(model.look_up("us", "eng-us")?.is_empty()); // US has capitals of its own
    /// # Ok::<(), g2p::Error>(())
    /// ```
    ///
    /// # Errors
    /// A word or a pronunciation is none; the message names the line, which is its number from 1. Or the language is unknown.
    pub fn add_words<W, P>(&self, words: impl IntoIterator<Item = (W, P)>, lang: &str) -> Result<(), Error>
    where
        W: AsRef<str>,
        P: IntoIterator,
        P::Item: AsRef<str>,
    {
        let mut text = String::new();
        for (number, (word, pronunciations)) in (1..).zip(words) {
            add_line(&mut text, number, word.as_ref(), pronunciations)?;
        }
        let lang = c_lang(lang)?;
        let mut error = ffi::Error::new();
        // SAFETY: the model is open. The language ends with a zero. The library copies the text: it has a language.
        let status = unsafe {
            let data = text.as_ptr().cast();
            (self.functions.g2p_add_lexicon_memory)(self.raw.as_ptr(), data, text.len(), lang.as_ptr(), &mut error)
        };
        error.check(status)
    }

    /// All pronunciations of a word in the first lexicon that has it, the answer first. None if no lexicon has it.
    ///
    /// # Errors
    /// The word is empty or holds a control character, or the language is unknown.
    pub fn look_up(&self, word: &str, lang: &str) -> Result<Vec<String>, Error> {
        let lang = c_lang(lang)?;
        let word = c_word(word)?;
        let mut texts = Results::new(self, self.functions.g2p_free_texts);
        let mut source: c_int = 0;
        let mut error = ffi::Error::new();
        // SAFETY: the model is open. The texts end with zeros and live until the call returns. The results are freed when
        // dropped.
        let status = unsafe {
            let found = &mut texts.raw;
            (self.functions.g2p_look_up)(
                self.raw.as_ptr(),
                word.as_ptr(),
                lang.as_ptr(),
                found,
                &mut source,
                &mut error,
            )
        };
        error.check(status)?;
        Ok(texts.pieces().map(|piece| utf8(piece).to_owned()).collect())
    }
}

/// Adds a line of a list: the word, a tab, and its pronunciations with commas between them.
fn add_line<P>(text: &mut String, number: usize, word: &str, pronunciations: P) -> Result<(), Error>
where
    P: IntoIterator,
    P::Item: AsRef<str>,
{
    let start = text.len();
    for (place, pronunciation) in pronunciations.into_iter().enumerate() {
        text.push_str(if place > 0 { "," } else { "" });
        text.push_str(pronunciation.as_ref());
    }
    // The library would take these for the ends of words and lines, and would skip a blank line.
    let wrong = |text: &str| text.contains(['\t', '\n', '\r']);
    let what = if wrong(word) || wrong(&text[start..]) {
        "holds a tab or a line end: give a word and its pronunciations without them"
    } else if word.trim().is_empty() {
        "is no word: give at least one letter"
    } else {
        text.insert_str(start, &format!("{word}\t"));
        text.push('\n');
        return Ok(());
    };
    let shown = format!("the lexicon: line {number}: {word:?} {what}");
    Err(Error::new(ErrorKind::InvalidLexicon, shown))
}
