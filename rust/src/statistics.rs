//! What a model has done, and what its draft table guesses.

use crate::call::{c_lang, c_word, utf8};
use crate::error::Error;
use crate::ffi;
use crate::model::Model;

/// What a model has done since it was opened. Words of lexicons are not counted. Times are in nanoseconds, of all threads
/// together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Words that the model finished.
    pub words: u64,
    /// Ids that it generated.
    pub ids: u64,
    /// Passes of its decoder, each word's own: ids, less those that guesses saved.
    pub passes: u64,
    /// Ids that a draft table guessed and the model checked.
    pub drafted: u64,
    /// Those of them that were right.
    pub accepted: u64,
    /// Time in the encoder.
    pub encode_ns: u64,
    /// Time on what the decoder keeps of the encoder's output.
    pub prefill_ns: u64,
    /// Time in passes of the decoder.
    pub step_ns: u64,
    /// Time on guesses, and on how far to check them.
    pub draft_ns: u64,
}

impl Model {
    /// What the model has done since it was opened. What a call did is the difference between two of these, where no other
    /// call runs at the time.
    ///
    /// ```
    /// let model = g2p::OpenOptions::new().lexicon(false).load(g2p::default_manifest()?)?;
    /// model.pronounce("habari", "swa")?;
    /// let counts = model.statistics();
    /// assert_eq!((counts.words, counts.ids), (1, 9)); // bytes of haɓaɾi, and the end
    /// assert!(counts.passes < counts.ids && counts.accepted > 0);
    /// # Ok::<(), g2p::Error>(())
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut found = ffi::Statistics {
            size: std::mem::size_of::<ffi::Statistics>(),
            ..Default::default()
        };
        let mut error = ffi::Error::new();
        // SAFETY: the model is open. Both pointers are to live values, and the structure has the size that it says.
        let status = unsafe { (self.functions.g2p_get_statistics)(self.raw.as_ptr(), &mut found, &mut error) };
        error
            .check(status)
            .expect("a library of this version has these statistics");
        Statistics {
            words: found.words,
            ids: found.ids,
            passes: found.passes,
            drafted: found.drafted,
            accepted: found.accepted,
            encode_ns: found.encode_ns,
            prefill_ns: found.prefill_ns,
            step_ns: found.step_ns,
            draft_ns: found.draft_ns,
        }
    }

    /// What the draft table guesses for a word before the model is asked. Nothing if there is no table, or it has not the
    /// language. It is for looking at: what is pronounced is the model's own.
    ///
    /// # Errors
    /// The word or the language is wrong, or there is no memory.
    pub fn guess(&self, word: &str, lang: &str) -> Result<String, Error> {
        let lang = c_lang(lang)?;
        let word = c_word(word)?;
        // SAFETY: the model is open.
        let mut phonemes = vec![0_u8; unsafe { (self.functions.g2p_limits)(self.raw.as_ptr()) }.text];
        let mut error = ffi::Error::new();
        // SAFETY: the model is open. The texts end with zeros; the buffer has the size that is given.
        let status = unsafe {
            let (buffer, size) = (phonemes.as_mut_ptr().cast(), phonemes.len());
            (self.functions.g2p_guess_word)(
                self.raw.as_ptr(),
                word.as_ptr(),
                lang.as_ptr(),
                buffer,
                size,
                &mut error,
            )
        };
        error.check(status)?;
        let text = phonemes.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(utf8(text).to_owned())
    }
}
