//! An open speech model.

use std::ffi::CString;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use super::ffi::{self, Functions};
use super::pieces::{Call, Pieces};
use crate::call::{c_lang, utf8};
use crate::error::{Error, ErrorKind};
use crate::library::Library;
use crate::model::{c_path, text, Model};
use crate::{archive, json, manifest};

const MOST_WEIGHT: f64 = 1e6; // of a voice in a mixture
const MOST_THREADS: u32 = 256;

/// Bounds of a speech model.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// The most symbols of a piece. Longer phonemes are split.
    pub symbols: usize,
    /// Of the sound, in hertz.
    pub sample_rate: u32,
    /// Samples of a frame: each character lasts whole frames.
    pub frame: u32,
    /// The least speed.
    pub slowest: f32,
    /// The greatest.
    pub fastest: f32,
}

/// Who speaks, and how: [`Options::voice`] or [`Options::mix`], and what of the rest is not as usual.
#[derive(Clone, Debug)]
pub struct Options {
    /// Up to 8 voices, each with its share. Shares are taken in proportion.
    pub mix: Vec<(String, f64)>,
    /// 2 is twice as fast.
    pub speed: f64,
    /// Of the noise that a voice is made of. The same phonemes, voices, speed and seed give the same bytes.
    pub seed: u64,
    /// How many threads may work on it, up to 256; 0: one for each processor.
    pub threads: u32,
    /// Whether the first piece ends as soon as it may, so that it is there sooner.
    pub early: bool,
    /// Whether characters that the model has no symbol for are left out.
    pub skip_unknown: bool,
}

impl Options {
    /// One voice.
    #[must_use]
    pub fn voice(name: &str) -> Options {
        Options::mix([(name, 1.0)])
    }

    /// Several voices, each with its share.
    #[must_use]
    pub fn mix<'a>(shares: impl IntoIterator<Item = (&'a str, f64)>) -> Options {
        Options {
            mix: shares
                .into_iter()
                .map(|(name, share)| (name.to_owned(), share))
                .collect(),
            speed: 1.0,
            seed: 0,
            threads: 0,
            early: false,
            skip_unknown: false,
        }
    }
}

/// An open speech model with its voices. Any number of threads may share one. It is closed when it and the [`Pieces`] that it
/// makes are dropped.
#[derive(Clone)]
pub struct Speech {
    open: Arc<Open>,
}

/// What the library opened.
pub(crate) struct Open {
    pub(crate) raw: NonNull<ffi::Tts>,
    pub(crate) functions: Functions,
    /// Keeps the code loaded that `functions` point to. As the last field it is dropped after the model is closed.
    _library: Library,
}

// SAFETY: a model may be used, and closed, by any thread: tts.h, "Threads".
unsafe impl Send for Open {}
// SAFETY: any number of threads may call the functions that take a model, except tts_close. Only `drop` calls that one, and
// nobody else has a reference then.
unsafe impl Sync for Open {}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: nobody else has a reference, so no other call is running, and no call follows.
        unsafe { (self.functions.tts_close)(self.raw.as_ptr()) };
    }
}

impl Speech {
    /// Opens the variant that a manifest describes, with its voices. Its archives lie beside it, or in `../dist` from it.
    ///
    /// This reads all archives, and compares their sizes and SHA-256 with the manifest's, before any is opened. The library
    /// is unpacked into the cache that [`Model::load`] has, and loaded: trust a manifest only if you would run a program
    /// from the same source. Weights and voices are mapped where they lie, and must not change until the model is dropped.
    ///
    /// # Errors
    /// The manifest is missing, damaged, too new, for another machine or for words; an archive is missing or damaged; or
    /// the library does not load.
    pub fn open(manifest: impl AsRef<Path>) -> Result<Speech, Error> {
        let manifest = manifest::read(manifest.as_ref(), "kokoro")?;
        let file = archive::library(&manifest)?;
        let weights = c_path(&archive::whole(&manifest, "weights")?)?;
        let voices = c_path(&archive::whole(&manifest, "voices")?)?;
        // SAFETY: the file has the digest that the manifest gives for a library with the interface of tts.h.
        let (library, functions) = unsafe { Library::load::<Functions>(&file) }?;
        let options = ffi::Options {
            size: std::mem::size_of::<ffi::Options>(),
            threads: 0,
            allocator: std::ptr::null(),
            variant: std::ptr::null(),
        };
        let mut raw = std::ptr::null_mut();
        let mut error = crate::ffi::Error::new();
        // SAFETY: the path ends with a zero. All pointers are to live values, or null where tts.h allows it.
        let status = unsafe { (functions.tts_open)(weights.as_ptr(), &options, &mut raw, &mut error) };
        error.check(status)?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::new(ErrorKind::LibraryFailed, "it opened no model"))?;
        let open = Open {
            raw,
            functions,
            _library: library,
        };
        // SAFETY: the model is open. The path ends with a zero.
        let status = unsafe { (functions.tts_add_voices)(raw.as_ptr(), voices.as_ptr(), &mut error) };
        error.check(status)?;
        Ok(Speech { open: Arc::new(open) })
    }

    /// The names of the voices.
    ///
    /// # Errors
    /// The library failed.
    pub fn voices(&self) -> Result<Vec<String>, Error> {
        let (mut names, mut needed) = (vec![0_u8; 1], 0);
        let mut error = crate::ffi::Error::new();
        loop {
            let (memory, capacity) = (names.as_mut_ptr().cast(), names.len());
            // SAFETY: the model is open. The library writes no more than `capacity` bytes.
            let status = unsafe {
                (self.open.functions.tts_voices)(self.open.raw.as_ptr(), memory, capacity, &mut needed, &mut error)
            };
            if status != ffi::TOO_SMALL {
                error.check(status)?;
                let listed = names.split(|&byte| byte == 0).filter(|name| !name.is_empty());
                return Ok(listed.map(|name| utf8(name).to_owned()).collect());
            }
            names = vec![0; needed];
        }
    }

    /// The codes of the languages whose words [`Speech::phonemes`] takes.
    #[must_use]
    pub fn languages(&self) -> Vec<&str> {
        let mut count = 0;
        // SAFETY: the model is open. It gives `count` texts that end with zeros and live as long as the model.
        unsafe {
            let codes = (self.open.functions.tts_languages)(self.open.raw.as_ptr(), &mut count);
            (0..count).map(|place| text(*codes.add(place))).collect()
        }
    }

    /// The model's bounds.
    #[must_use]
    pub fn limits(&self) -> Limits {
        // SAFETY: the model is open.
        let bounds = unsafe { (self.open.functions.tts_limits)(self.open.raw.as_ptr()) };
        Limits {
            symbols: bounds.symbols,
            sample_rate: bounds.sample_rate,
            frame: bounds.frame,
            slowest: bounds.slowest,
            fastest: bounds.fastest,
        }
    }

    /// Facts about the model as a JSON object: its dtype, symbols, languages and target.
    #[must_use]
    pub fn info(&self) -> &str {
        // SAFETY: the model is open. The text ends with a zero and lives as long as the model.
        unsafe { text((self.open.functions.tts_info)(self.open.raw.as_ptr())) }
    }

    /// What [`Speech::speak`] takes for a text: its words pronounced by a G2P model, its punctuation, at which a voice pauses.
    ///
    /// # Errors
    /// The model has no table for the language; the text has a number, which is to be written out; or a word cannot be
    /// pronounced, or has a phoneme that the table has not. [`Error::place`] says where that begins.
    pub fn phonemes(&self, text: &str, lang: &str, words: &Model) -> Result<String, Error> {
        let lang = c_lang(lang)?;
        let request = ffi::TextRequest {
            size: std::mem::size_of::<ffi::TextRequest>(),
            text: crate::ffi::Text {
                data: text.as_ptr(),
                size: text.len(),
            },
            lang: lang.as_ptr(),
            g2p: words.raw.as_ptr(),
            next_part: words.functions.g2p_next_part,
            pronounce: words.functions.g2p_pronounce,
            cancel: std::ptr::null(),
        };
        let mut found = crate::ffi::Text {
            data: std::ptr::null(),
            size: 0,
        };
        let (raw, functions) = (self.open.raw.as_ptr(), &self.open.functions);
        let mut error = crate::ffi::Error::new();
        // SAFETY: both models are open, and what the request points to lives, until the call returns.
        let status = unsafe { (functions.tts_text)(raw, &request, &mut found, &mut error) };
        placed(&error, status)?;
        if found.size == 0 {
            return Ok(String::new());
        }
        // SAFETY: the library gave `size` bytes there, which live until they are freed, behind this line.
        let phonemes = utf8(unsafe { std::slice::from_raw_parts(found.data, found.size) }).to_owned();
        // SAFETY: it is what tts_text gave.
        unsafe { (functions.tts_free_text)(raw, &mut found) };
        Ok(phonemes)
    }

    /// The sound of phonemes, piece by piece, each as soon as it is made. Long phonemes are split at the ends of sentences, at
    /// other punctuation, at spaces.
    ///
    /// The work begins at once, in a thread, which is at most two pieces ahead. It ends where the iterator is dropped.
    ///
    /// # Errors
    /// An option is none that there is. What is wrong with the phonemes is the iterator's first item.
    pub fn speak(&self, phonemes: &str, options: &Options) -> Result<Pieces, Error> {
        let shares = self.shares(&options.mix)?;
        let (limits, invalid) = (self.limits(), |what| Err(Error::new(ErrorKind::InvalidArgument, what)));
        let (slowest, fastest) = (limits.slowest, limits.fastest);
        if !(f64::from(slowest)..=f64::from(fastest)).contains(&options.speed) {
            let speed = json::number(options.speed);
            return invalid(format!("speed={speed}: give {slowest} to {fastest}"));
        }
        if options.threads > MOST_THREADS {
            let threads = options.threads;
            return invalid(format!(
                "threads={threads}: give 1 to {MOST_THREADS}, or 0 for one for each processor"
            ));
        }
        let flag = |asked, flag| if asked { flag } else { 0 };
        Pieces::begin(Call {
            open: Arc::clone(&self.open),
            phonemes: phonemes.to_owned(),
            shares,
            speed: options.speed as f32,
            seed: options.seed,
            threads: options.threads,
            flags: flag(options.skip_unknown, ffi::SKIP_UNKNOWN) | flag(options.early, ffi::EARLY),
        })
    }

    /// Voices and their shares in the form that tts.h takes.
    fn shares(&self, mix: &[(String, f64)]) -> Result<Vec<(CString, f32)>, Error> {
        let invalid = |what| Err(Error::new(ErrorKind::InvalidArgument, what));
        let voices = self.voices()?;
        let there = voices.join(", ");
        if !(1..=ffi::MOST_MIXED).contains(&mix.len()) {
            let (count, most) = (mix.len(), ffi::MOST_MIXED);
            return invalid(format!("mix has {count} voices: give 1 to {most}"));
        }
        let mut shares = Vec::new();
        for (name, share) in mix {
            let unknown = || {
                Error::new(
                    ErrorKind::UnknownVoice,
                    format_args!("no voice is named '{name}': there is {there}"),
                )
            };
            let known = voices.contains(name).then(|| CString::new(name.as_str()).ok());
            let voice = known.flatten().ok_or_else(unknown)?;
            if !(0.0..=MOST_WEIGHT).contains(share) {
                let share = json::number(*share);
                return invalid(format!("mix: the share of '{name}' is {share}: give 0 to 1,000,000"));
            }
            shares.push((voice, *share as f32));
        }
        if mix.iter().all(|(_, share)| *share == 0.0) {
            return invalid("mix: no share is above 0: give one that is".to_owned());
        }
        Ok(shares)
    }
}

impl std::fmt::Debug for Speech {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Speech")
            .field("limits", &self.limits())
            .finish_non_exhaustive()
    }
}

/// Turns a status into a result, whose error says a place where the library's names one.
pub(crate) fn placed(error: &crate::ffi::Error, status: std::os::raw::c_int) -> Result<(), Error> {
    error.check(status).map_err(|found| match found.word() {
        Some(place) => found.at_place(place),
        None => found,
    })
}
