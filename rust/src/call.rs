//! Calls of a model: words in, phonemes or ids out.

use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::ffi;
use crate::model::Model;

/// Options of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// How many threads may work on the words, the calling one included; 0: one for each processor.
    pub threads: u32,
    /// The most ids that a pronunciation may have; 0: the model's bound.
    pub most_ids: usize,
    /// Whether results have scores: see [`Pronunciation::score`]. They cost a few percent of a word's time.
    pub scores: bool,
    /// Stops the call when it is cancelled.
    pub cancel: Option<&'a CancelToken>,
}

/// How [`Model::best`] searches for several pronunciations of a word.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Pronunciations of each word, at most: 1 to `beams`.
    pub count: u32,
    /// How many beginnings are kept at each step: 1 to 64.
    pub beams: u32,
    /// Whether a search ends as soon as `beams` pronunciations are whole. Otherwise it goes on until no beginning has a
    /// better score than the last of them.
    pub early_stopping: bool,
}

impl Default for Search {
    /// The three best of four beams.
    fn default() -> Search {
        Search {
            count: 3,
            beams: 4,
            early_stopping: false,
        }
    }
}

/// The languages of words: one for all of them, or one for each.
///
/// Calls take what becomes one: `"fin"`, a `&String`, or a slice, an array or a vector of codes.
///
/// ```
/// let model = g2p::Model::load(g2p::default_manifest()?)?;
/// let found = model.pronounce_all(&["tie", "tie"], &["fin", "eng-us"], g2p::Options::default())?;
/// assert_ne!(found[0], found[1]);
/// # Ok::<(), g2p::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Languages<'a> {
    /// One code for all words.
    One(&'a str),
    /// A code for each word. Another number of codes than of words is an [`ErrorKind::InvalidArgument`].
    Each(Vec<&'a str>),
}

impl<'a> From<&'a str> for Languages<'a> {
    fn from(lang: &'a str) -> Languages<'a> {
        Languages::One(lang)
    }
}

impl<'a> From<&&'a str> for Languages<'a> {
    fn from(lang: &&'a str) -> Languages<'a> {
        Languages::One(lang)
    }
}

impl<'a> From<&'a String> for Languages<'a> {
    fn from(lang: &'a String) -> Languages<'a> {
        Languages::One(lang)
    }
}

impl<'a, L: AsRef<str>> From<&'a [L]> for Languages<'a> {
    fn from(langs: &'a [L]) -> Languages<'a> {
        Languages::Each(langs.iter().map(AsRef::as_ref).collect())
    }
}

impl<'a, L: AsRef<str>, const N: usize> From<&'a [L; N]> for Languages<'a> {
    fn from(langs: &'a [L; N]) -> Languages<'a> {
        Languages::from(langs.as_slice())
    }
}

impl<'a, L: AsRef<str>> From<&'a Vec<L>> for Languages<'a> {
    fn from(langs: &'a Vec<L>) -> Languages<'a> {
        Languages::from(langs.as_slice())
    }
}

/// Stops the calls that it was given to. Clones are the same token. A cancelled token stays cancelled.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicI32>);

impl CancelToken {
    /// Makes a token that is not cancelled.
    #[must_use]
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Cancels the token. The calls that have it end soon, with [`ErrorKind::Cancelled`].
    pub fn cancel(&self) {
        self.0.store(1, Ordering::Relaxed); // as g2p_cancel does
    }

    /// Whether it has been cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// What the library looks at, atomically; it never writes there. It lives as long as the token.
    pub(crate) fn flag(&self) -> *const i32 {
        Arc::as_ptr(&self.0).cast() // an AtomicI32 has the layout of an i32
    }
}

/// Where a pronunciation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The model.
    Model,
    /// A lexicon's table, which a build made.
    Lexicon,
    /// A list that was added: [`Model::add_lexicon`], [`Model::add_words`].
    User,
    /// The names of the letters of a word in capitals.
    Letters,
}

impl Source {
    /// Its name, as the command prints it: `model`, `lexicon`, `user` or `letters`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::Model => "model",
            Source::Lexicon => "lexicon",
            Source::User => "user",
            Source::Letters => "letters",
        }
    }

    /// The source for a `g2p_source` of `g2p.h`. One that this crate does not know is not the model.
    pub(crate) fn of_number(number: c_int) -> Source {
        match number {
            0 => Source::Model,
            2 => Source::User,
            3 => Source::Letters,
            _ => Source::Lexicon,
        }
    }
}

/// A word's pronunciation, and what is known of it. [`Model::results`] returns it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pronunciation {
    /// The phonemes.
    pub phonemes: String,
    /// Where they come from.
    pub source: Source,
    /// Whether the model reached its bound before it had ended the word.
    pub truncated: bool,
    /// Whether the phonemes end in one part again and again, at least four times: a loop.
    pub repeats: bool,
    /// Mean natural log-probability of the ids that the model generated, the end id included. None if
    /// [`Options::scores`] did not ask for it, and if the phonemes are not the model's.
    pub score: Option<f32>,
    /// Passes of the decoder that the model took. As the next two, 0 if the phonemes are not the model's.
    pub passes: u32,
    /// Ids that a draft table guessed and the model checked.
    pub drafted: u32,
    /// Those of them that were right.
    pub accepted: u32,
}

/// A finished word. [`Model::stream`] passes it to the callback.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pronounced<'a> {
    /// The index of the word, from 0.
    pub word: usize,
    /// Its phonemes.
    pub phonemes: &'a str,
    /// The generated ids, as [`Model::tokens`] gives them. None if the phonemes are not the model's.
    pub ids: &'a [i32],
    /// Where the phonemes come from.
    pub source: Source,
    /// As [`Pronunciation::truncated`].
    pub truncated: bool,
    /// As [`Pronunciation::repeats`].
    pub repeats: bool,
    /// As [`Pronunciation::score`].
    pub score: Option<f32>,
    /// As [`Pronunciation::passes`].
    pub passes: u32,
    /// As [`Pronunciation::drafted`].
    pub drafted: u32,
    /// As [`Pronunciation::accepted`].
    pub accepted: u32,
}

impl<'a> Pronounced<'a> {
    /// Reads a result of the library that is not an error.
    ///
    /// # Safety
    /// It is a result of a version that this crate knows, and its memory lives, unchanged, for `'a`.
    unsafe fn read(outcome: *const ffi::Outcome, scores: bool) -> Pronounced<'a> {
        // SAFETY: as the caller promises. The fields are read one by one: the structure may be longer.
        let (phonemes, ids, outcome) = unsafe {
            let text = slice((*outcome).phonemes.data, (*outcome).phonemes.size);
            (text, slice((*outcome).ids, (*outcome).ids_count), &*outcome)
        };
        Pronounced {
            word: outcome.word,
            phonemes: utf8(phonemes),
            ids,
            source: Source::of_number(outcome.source),
            truncated: outcome.truncated != 0,
            repeats: outcome.repeats != 0,
            score: Some(outcome.score).filter(|_| scores && !ids.is_empty()),
            passes: outcome.passes,
            drafted: outcome.drafted,
            accepted: outcome.accepted,
        }
    }
}

impl Model {
    /// Pronounces one word, on the calling thread.
    ///
    /// # Errors
    /// The word or the language is wrong, or there is no memory.
    pub fn pronounce(&self, word: &str, lang: &str) -> Result<String, Error> {
        let alone = Options {
            threads: 1,
            ..Options::default()
        };
        self.pronounce_all(&[word], lang, alone)?
            .pop()
            .ok_or_else(|| Error::new(ErrorKind::LibraryFailed, "the library gave no phonemes for a word"))
    }

    /// Pronounces words. Returns their phonemes in the order of the words.
    ///
    /// The phonemes of a word depend neither on the other words nor on the number of threads.
    ///
    /// # Errors
    /// A word or the language is wrong: the error names the first wrong word, and no word is pronounced. Or the call
    /// was cancelled, or there is no memory.
    pub fn pronounce_all<'l, W>(
        &self,
        words: &[W],
        lang: impl Into<Languages<'l>>,
        options: Options<'_>,
    ) -> Result<Vec<String>, Error>
    where
        W: AsRef<str>,
    {
        let mut texts = Results::new(self, self.functions.g2p_free_texts);
        let found = &mut texts.raw;
        self.request(words, lang.into(), options, 0, |request, error| {
            // SAFETY: `request` gives pointers that are valid during the call; the results are freed when dropped.
            unsafe { (self.functions.g2p_pronounce_all)(self.raw.as_ptr(), request, found, error) }
        })?;
        Ok(texts.pieces().map(|piece| utf8(piece).to_owned()).collect())
    }

    /// As [`Model::pronounce_all`], but with all that is known of each word. A wrong word has its own error, which
    /// names it, and ends nothing: the others are pronounced.
    ///
    /// ```
    /// let model = g2p::Model::load(g2p::default_manifest()?)?;
    /// let results = model.results(&["knight", "", "day"], "eng-us", g2p::Options { scores: true, ..Default::default() })?;
    /// let knight = results[0].as_ref().unwrap();
    /// assert_eq!((&*knight.phonemes, knight.source), ("ˈnaɪt", g2p::Source::Model));
    /// assert!(knight.score.unwrap() < 0.0 && !knight.truncated && !knight.repeats);
    /// assert_eq!(results[1].as_ref().unwrap_err().kind(), g2p::ErrorKind::EmptyWord);
    /// assert_eq!(results[2].as_ref().unwrap().phonemes, "ˈdeɪ");
    /// # Ok::<(), g2p::Error>(())
    /// ```
    ///
    /// # Errors
    /// The call was cancelled, or there is no memory.
    pub fn results<'l, W>(
        &self,
        words: &[W],
        lang: impl Into<Languages<'l>>,
        options: Options<'_>,
    ) -> Result<Vec<Result<Pronunciation, Error>>, Error>
    where
        W: AsRef<str>,
    {
        let mut outcomes = Outcomes::new(self);
        let found = &mut outcomes.raw;
        self.request(
            words,
            lang.into(),
            options,
            ffi::EACH | scores_flag(options),
            |request, error| {
                // SAFETY: as in `pronounce_all`.
                unsafe { (self.functions.g2p_results_all)(self.raw.as_ptr(), request, found, error) }
            },
        )?;
        Ok(outcomes.read(options.scores).map(|(_, outcome)| outcome).collect())
    }

    /// The best pronunciations of each word, the best first, with their scores. A wrong word has one result, its error, and
    /// ends nothing.
    ///
    /// Ids and scores are those of transformers' `generate` with as many beams. Two of a word's pronunciations may have the
    /// same phonemes by different ids. A word that a lexicon has gets its pronunciations from there, without scores.
    ///
    /// ```
    /// let model = g2p::Model::load(g2p::default_manifest()?)?;
    /// let search = g2p::Search { count: 2, ..Default::default() };
    /// let best = model.best(&["qrst"], "eng-us", search, g2p::Options::default())?;
    /// let [first, second] = &best[0][..] else { panic!() };
    /// assert!(first.as_ref().unwrap().score >= second.as_ref().unwrap().score);
    /// # Ok::<(), g2p::Error>(())
    /// ```
    ///
    /// # Errors
    /// The search asks for more than it has beams, or for too many beams; the variant was built with `kv_cache=false`; the
    /// call was cancelled; or there is no memory.
    pub fn best<'l, W>(
        &self,
        words: &[W],
        lang: impl Into<Languages<'l>>,
        search: Search,
        options: Options<'_>,
    ) -> Result<Vec<Vec<Result<Pronunciation, Error>>>, Error>
    where
        W: AsRef<str>,
    {
        let mut outcomes = Outcomes::new(self);
        let found = &mut outcomes.raw;
        let search = ffi::Search {
            size: std::mem::size_of::<ffi::Search>(),
            count: search.count,
            beams: search.beams,
            early: search.early_stopping.into(),
        };
        self.request(words, lang.into(), options, ffi::EACH, |request, error| {
            // SAFETY: as in `pronounce_all`.
            unsafe { (self.functions.g2p_best)(self.raw.as_ptr(), request, &search, found, error) }
        })?;
        let mut best: Vec<Vec<_>> = words.iter().map(|_| Vec::new()).collect();
        for (word, outcome) in outcomes.read(true) {
            best[word].push(outcome);
        }
        Ok(best)
    }

    /// As [`Model::pronounce_all`], but returns the ids that the model alone generates, whatever lexicons have. The start
    /// id is left out. The end id is included, but a pronunciation that reaches the bound has none.
    ///
    /// # Errors
    /// The same as for [`Model::pronounce_all`].
    pub fn tokens<'l, W>(
        &self,
        words: &[W],
        lang: impl Into<Languages<'l>>,
        options: Options<'_>,
    ) -> Result<Vec<Vec<i32>>, Error>
    where
        W: AsRef<str>,
    {
        let mut ids = Results::new(self, self.functions.g2p_free_ids);
        let found = &mut ids.raw;
        self.request(words, lang.into(), options, 0, |request, error| {
            // SAFETY: as in `pronounce_all`.
            unsafe { (self.functions.g2p_tokens)(self.raw.as_ptr(), request, found, error) }
        })?;
        Ok(ids.pieces().map(<[i32]>::to_vec).collect())
    }

    /// Pronounces words and passes each to a callback as soon as it is finished, in any order.
    ///
    /// The callback gets one word at a time, but any thread of the call may run it, so it must be `Send`. If it returns
    /// [`ControlFlow::Break`], the call ends with [`ErrorKind::Cancelled`]. If it panics, the call stops, and the panic
    /// goes on in the calling thread.
    ///
    /// # Errors
    /// The same as for [`Model::pronounce_all`].
    pub fn stream<'l, W, F>(
        &self,
        words: &[W],
        lang: impl Into<Languages<'l>>,
        options: Options<'_>,
        callback: F,
    ) -> Result<(), Error>
    where
        W: AsRef<str>,
        F: FnMut(Pronounced<'_>) -> ControlFlow<()> + Send,
    {
        let mut receiver = Receiver {
            callback,
            scores: options.scores,
            panic: None,
        };
        let user: *mut Receiver<F> = &mut receiver;
        let called = self.request(words, lang.into(), options, scores_flag(options), |request, error| {
            // SAFETY: as in `pronounce_all`. `deliver::<F>` gets a `Receiver` of the same F. Nobody else uses it during
            // the call, and no thread calls `deliver` after the call has returned.
            unsafe { (self.functions.g2p_stream)(self.raw.as_ptr(), request, deliver::<F>, user.cast(), error) }
        });
        match receiver.panic {
            Some(payload) => resume_unwind(payload),
            None => called,
        }
    }

    /// Makes a call. The pointers in its request are valid until it returns.
    fn request<W, C>(
        &self,
        words: &[W],
        lang: Languages<'_>,
        options: Options<'_>,
        flags: u32,
        call: C,
    ) -> Result<(), Error>
    where
        W: AsRef<str>,
        C: FnOnce(*const ffi::Request, *mut ffi::Error) -> c_int,
    {
        let langs = CodedLanguages::new(&lang, words.len())?;
        // The texts live as long as `words` is borrowed, so they outlive the call.
        let texts = words.iter().map(AsRef::as_ref).map(|word| ffi::Text {
            data: word.as_ptr(),
            size: word.len(),
        });
        let texts: Vec<ffi::Text> = texts.collect();
        let request = ffi::Request {
            size: std::mem::size_of::<ffi::Request>(),
            words: texts.as_ptr(),
            count: texts.len(),
            lang: langs.one(),
            langs: langs.each(),
            threads: options.threads,
            flags,
            most_ids: options.most_ids,
            cancel: options.cancel.map_or(std::ptr::null(), CancelToken::flag),
        };
        let mut error = ffi::Error::new();
        let status = call(&request, &mut error);
        error.check(status)
    }
}

/// Languages in the form that g2p.h takes.
struct CodedLanguages {
    /// For each word, where its code begins.
    each: Option<Vec<*const c_char>>,
    /// The codes, which the pointers point to; none is there twice.
    codes: Vec<CString>,
}

impl CodedLanguages {
    fn new(langs: &Languages<'_>, words: usize) -> Result<CodedLanguages, Error> {
        let each = match langs {
            Languages::One(lang) => {
                let codes = vec![c_lang(lang)?];
                return Ok(CodedLanguages { each: None, codes });
            }
            Languages::Each(each) => each,
        };
        if each.len() != words {
            let what = format!(
                "{} languages for {words} words: give one for all, or one for each",
                each.len()
            );
            return Err(Error::new(ErrorKind::InvalidArgument, what));
        }
        let mut codes = BTreeMap::new();
        for (index, lang) in each.iter().enumerate() {
            if !codes.contains_key(lang) {
                codes.insert(lang, c_lang(lang).map_err(|error| error.about_word(index))?);
            }
        }
        // Moving a CString does not move its text.
        let pointers = each.iter().map(|lang| codes[lang].as_ptr()).collect();
        Ok(CodedLanguages {
            each: Some(pointers),
            codes: codes.into_values().collect(),
        })
    }

    /// The code of all words; null if each has its own.
    fn one(&self) -> *const c_char {
        match self.each {
            None => self.codes[0].as_ptr(),
            Some(_) => std::ptr::null(),
        }
    }

    /// A pointer to each word's code; null if all have one.
    fn each(&self) -> *const *const c_char {
        self.each.as_ref().map_or(std::ptr::null(), |each| each.as_ptr())
    }
}

/// A language in the form that g2p.h takes.
pub(crate) fn c_lang(lang: &str) -> Result<CString, Error> {
    CString::new(lang).map_err(|_| Error::new(ErrorKind::UnknownLanguage, format_args!("{lang:?} is no language code")))
}

/// A word in the form that g2p.h takes one alone.
pub(crate) fn c_word(word: &str) -> Result<CString, Error> {
    CString::new(word).map_err(|_| {
        let what = format!("the word {word:?} holds a control character: give one word without tabs or line ends");
        Error::new(ErrorKind::InvalidWord, what)
    })
}

fn scores_flag(options: Options<'_>) -> u32 {
    if options.scores {
        ffi::SCORES
    } else {
        0
    }
}

/// A text of the library, which promises UTF-8.
pub(crate) fn utf8(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("text of g2p.h is UTF-8")
}

/// What `g2p_results_all` and `g2p_best` give, in the library's memory. It is freed when dropped.
struct Outcomes<'m> {
    model: &'m Model,
    raw: ffi::Outcomes,
}

impl<'m> Outcomes<'m> {
    fn new(model: &'m Model) -> Outcomes<'m> {
        let raw = ffi::Outcomes {
            data: std::ptr::null(),
            count: 0,
            memory: std::ptr::null_mut(),
        };
        Outcomes { model, raw }
    }

    /// The results, in order, and which word each is of.
    fn read(&self, scores: bool) -> impl Iterator<Item = (usize, Result<Pronunciation, Error>)> + '_ {
        (0..self.raw.count).map(move |index| {
            // SAFETY: the library filled `raw`: there are `count` results, each as long as it says, and all of one length.
            // Their memory lives until `self` is dropped.
            let outcome = unsafe {
                &*self
                    .raw
                    .data
                    .cast::<u8>()
                    .add(index * (*self.raw.data).size)
                    .cast::<ffi::Outcome>()
            };
            if outcome.status != ffi::OK {
                // SAFETY: as above.
                let message = unsafe { slice(outcome.message.data, outcome.message.size) };
                let kind = ErrorKind::of_status(outcome.status);
                let error = Error::new(kind, String::from_utf8_lossy(message)).about_word(outcome.word);
                return (outcome.word, Err(error));
            }
            // SAFETY: as above.
            let found = unsafe { Pronounced::read(outcome, scores) };
            let pronunciation = Pronunciation {
                phonemes: found.phonemes.to_owned(),
                source: found.source,
                truncated: found.truncated,
                repeats: found.repeats,
                score: found.score,
                passes: found.passes,
                drafted: found.drafted,
                accepted: found.accepted,
            };
            (found.word, Ok(pronunciation))
        })
    }
}

impl Drop for Outcomes<'_> {
    fn drop(&mut self) {
        // SAFETY: the pointers are the library's, or null, and then nothing is freed. The model is open.
        unsafe { (self.model.functions.g2p_free_results)(self.model.raw.as_ptr(), &mut self.raw) };
    }
}

/// Results in the library's memory. They are freed when dropped.
pub(crate) struct Results<'m, T> {
    model: &'m Model,
    pub(crate) raw: ffi::Pieces<T>,
    free: unsafe extern "C" fn(*mut ffi::G2p, *mut ffi::Pieces<T>),
}

impl<'m, T> Results<'m, T> {
    /// Makes empty results. A function of the library gets `raw` and fills it; `free` frees what it allocated.
    pub(crate) fn new(
        model: &'m Model,
        free: unsafe extern "C" fn(*mut ffi::G2p, *mut ffi::Pieces<T>),
    ) -> Results<'m, T> {
        let raw = ffi::Pieces {
            data: std::ptr::null_mut(),
            offsets: std::ptr::null_mut(),
            count: 0,
        };
        Results { model, raw, free }
    }

    /// The results of each word, in order. Without any, the library may have given no offsets.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[T]> {
        // SAFETY: the library filled `raw`: there are count + 1 offsets, and data up to the last of them.
        let (offsets, data) = unsafe {
            let given = !self.raw.offsets.is_null();
            let offsets = slice(self.raw.offsets, if given { self.raw.count + 1 } else { 0 });
            (offsets, slice(self.raw.data, offsets.last().copied().unwrap_or(0)))
        };
        offsets.windows(2).map(move |ends| &data[ends[0]..ends[1]])
    }
}

impl<T> Drop for Results<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the pointers are the library's, or null, and then nothing is freed. The model is open.
        unsafe { (self.free)(self.model.raw.as_ptr(), &mut self.raw) };
    }
}

/// A slice of the library's memory. If it is empty, its pointer may be null.
///
/// # Safety
/// `size` elements at `data` live, unchanged, for `'a`.
pub(crate) unsafe fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts(data, size) }
}

/// The closure of a stream, whether it asked for scores, and the panic that it ended with.
struct Receiver<F> {
    callback: F,
    scores: bool,
    panic: Option<Box<dyn Any + Send>>,
}

/// The callback that the library calls: passes a word to the closure. A panic must not leave this function; it stops
/// the call instead.
///
/// # Safety
/// `user` points to a `Receiver<F>` that nobody else uses meanwhile. `result` is a finished word.
unsafe extern "C" fn deliver<F>(user: *mut c_void, result: *const ffi::Outcome) -> c_int
where
    F: FnMut(Pronounced<'_>) -> ControlFlow<()> + Send,
{
    // SAFETY: the library calls for one word at a time, so this is the only reference. It may call from another thread,
    // so F is Send; the library's lock orders the calls.
    let receiver = unsafe { &mut *user.cast::<Receiver<F>>() };
    if receiver.panic.is_some() {
        return 1;
    }
    let (callback, scores) = (&mut receiver.callback, receiver.scores);
    // After a panic the closure is not called again, only dropped.
    let called = catch_unwind(AssertUnwindSafe(move || {
        // SAFETY: the library's memory lives until this function returns. The closure cannot keep references to it.
        callback(unsafe { Pronounced::read(result, scores) })
    }));
    match called {
        Ok(ControlFlow::Continue(())) => 0,
        Ok(ControlFlow::Break(())) => 1,
        Err(payload) => {
            receiver.panic = Some(payload);
            1
        }
    }
}

impl ffi::Error {
    pub(crate) fn new() -> ffi::Error {
        ffi::Error {
            status: ffi::OK,
            word: usize::MAX,
            message: [0; 240],
        }
    }

    /// Turns a status of the library into a result.
    pub(crate) fn check(&self, status: c_int) -> Result<(), Error> {
        if status == ffi::OK {
            return Ok(());
        }
        let message = self.message.split(|&byte| byte == 0).next().unwrap_or_default();
        let error = Error::new(ErrorKind::of_status(status), String::from_utf8_lossy(message));
        Err(if self.word == usize::MAX {
            error
        } else {
            error.about_word(self.word)
        })
    }
}
