//! Calls of a model: words in, phonemes or ids out.

use std::any::Any;
use std::ffi::CString;
use std::ops::ControlFlow;
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::ffi;
use crate::model::Model;

/// How to go about a list of words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// How many threads may work on it, the calling one among them; 0: one for each processor.
    pub threads: u32,
    /// The most ids that a pronunciation may have; 0: the model's bound.
    pub most_ids: usize,
    /// Stops the call when it is cancelled.
    pub cancel: Option<&'a CancelToken>,
}

/// Stops the calls that were given it. Its clones are one token; once cancelled it stays so.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicI32>);

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Has the calls that were given this token end soon, with [`ErrorKind::Cancelled`].
    pub fn cancel(&self) {
        self.0.store(1, Ordering::Relaxed); // as g2p_cancel does
    }
}

/// One finished word, as [`Model::stream`] hands it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pronounced<'a> {
    /// Which of the words it is, from 0.
    pub word: usize,
    /// Its phonemes.
    pub phonemes: &'a str,
    /// The generated ids, as [`Model::tokens`] gives them.
    pub ids: &'a [i32],
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

    /// Pronounces words, in their order. They depend neither on the number of threads nor on each other.
    ///
    /// # Errors
    /// The first wrong word, which the error names; none is pronounced then. Or the call was cancelled, or there is no
    /// memory.
    pub fn pronounce_all<W>(&self, words: &[W], lang: &str, options: Options<'_>) -> Result<Vec<String>, Error>
    where
        W: AsRef<str>,
    {
        let mut texts = Results::new(self, self.functions.g2p_free_texts);
        let found = &mut texts.raw;
        self.request(words, lang, options, |request, error| {
            // SAFETY: `request` gives pointers that are good for the call; the results are freed when dropped.
            unsafe { (self.functions.g2p_pronounce_all)(self.raw.as_ptr(), request, found, error) }
        })?;
        let text = |piece: &[u8]| std::str::from_utf8(piece).expect("text of g2p.h is UTF-8").to_owned();
        Ok(texts.pieces().map(text).collect())
    }

    /// As [`Model::pronounce_all`], but gives the generated ids: those after the start id, with the end id where it was
    /// produced.
    ///
    /// # Errors
    /// As of [`Model::pronounce_all`].
    pub fn tokens<W>(&self, words: &[W], lang: &str, options: Options<'_>) -> Result<Vec<Vec<i32>>, Error>
    where
        W: AsRef<str>,
    {
        let mut ids = Results::new(self, self.functions.g2p_free_ids);
        let found = &mut ids.raw;
        self.request(words, lang, options, |request, error| {
            // SAFETY: as in `pronounce_all`.
            unsafe { (self.functions.g2p_tokens)(self.raw.as_ptr(), request, found, error) }
        })?;
        Ok(ids.pieces().map(<[i32]>::to_vec).collect())
    }

    /// Pronounces words and hands over each as soon as it is finished, in any order.
    ///
    /// The callback is called for one word at a time, but from any of the call's threads, so it must be `Send`. Where it
    /// breaks, the call ends with [`ErrorKind::Cancelled`]; where it panics, the call stops and the panic goes on in the
    /// calling thread.
    ///
    /// # Errors
    /// As of [`Model::pronounce_all`].
    pub fn stream<W, F>(&self, words: &[W], lang: &str, options: Options<'_>, callback: F) -> Result<(), Error>
    where
        W: AsRef<str>,
        F: FnMut(Pronounced<'_>) -> ControlFlow<()> + Send,
    {
        let mut receiver = Receiver { callback, panic: None };
        let user: *mut Receiver<F> = &mut receiver;
        let called = self.request(words, lang, options, |request, error| {
            // SAFETY: as in `pronounce_all`; `deliver::<F>` gets the receiver of this F, which nobody else uses during
            // the call. No thread calls it after the call has returned.
            unsafe { (self.functions.g2p_stream)(self.raw.as_ptr(), request, deliver::<F>, user.cast(), error) }
        });
        match receiver.panic {
            Some(payload) => resume_unwind(payload),
            None => called,
        }
    }

    /// Makes a call with pointers that are good until it returns.
    fn request<W, C>(&self, words: &[W], lang: &str, options: Options<'_>, call: C) -> Result<(), Error>
    where
        W: AsRef<str>,
        C: FnOnce(*const ffi::Request, *mut ffi::Error) -> c_int,
    {
        let lang = CString::new(lang)
            .map_err(|_| Error::new(ErrorKind::UnknownLanguage, format_args!("{lang:?} is no language code")))?;
        // The texts live as long as `words` is borrowed, which is until after the call.
        let texts = words.iter().map(AsRef::as_ref).map(|word| ffi::Text {
            data: word.as_ptr(),
            size: word.len(),
        });
        let texts: Vec<ffi::Text> = texts.collect();
        let request = ffi::Request {
            size: std::mem::size_of::<ffi::Request>(),
            words: texts.as_ptr(),
            count: texts.len(),
            lang: lang.as_ptr(),
            langs: std::ptr::null(),
            threads: options.threads,
            flags: 0,
            most_ids: options.most_ids,
            // An AtomicI32 is laid out as an i32, and the library only reads it, atomically.
            cancel: options
                .cancel
                .map_or(std::ptr::null(), |token| Arc::as_ptr(&token.0).cast()),
        };
        let mut error = ffi::Error::new();
        let status = call(&request, &mut error);
        error.check(status)
    }
}

/// Results in the library's memory, freed when dropped.
struct Results<'m, T> {
    model: &'m Model,
    raw: ffi::Pieces<T>,
    free: unsafe extern "C" fn(*mut ffi::G2p, *mut ffi::Pieces<T>),
}

impl<'m, T> Results<'m, T> {
    /// None yet: the function that fills them gets `raw`, and `free` is its counterpart.
    fn new(model: &'m Model, free: unsafe extern "C" fn(*mut ffi::G2p, *mut ffi::Pieces<T>)) -> Results<'m, T> {
        let raw = ffi::Pieces {
            data: std::ptr::null_mut(),
            offsets: std::ptr::null_mut(),
            count: 0,
        };
        Results { model, raw, free }
    }

    /// What each word got.
    fn pieces(&self) -> impl Iterator<Item = &[T]> {
        // SAFETY: the library filled them: there are count + 1 offsets, and data up to the last of them.
        let (offsets, data) = unsafe {
            let offsets = slice(self.raw.offsets, self.raw.count + 1);
            (offsets, slice(self.raw.data, offsets[self.raw.count]))
        };
        offsets.windows(2).map(move |ends| &data[ends[0]..ends[1]])
    }
}

impl<T> Drop for Results<'_, T> {
    fn drop(&mut self) {
        // SAFETY: they are the library's, or null, which is nothing to free; the model is open.
        unsafe { (self.free)(self.model.raw.as_ptr(), &mut self.raw) };
    }
}

/// A slice of the library's, whose pointer may be null where it is empty.
///
/// # Safety
/// `size` elements at `data` live, unchanged, for `'a`.
unsafe fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts(data, size) }
}

/// What a stream's callback needs across the calls of it.
struct Receiver<F> {
    callback: F,
    panic: Option<Box<dyn Any + Send>>,
}

/// The callback of g2p.h: hands a word to the closure; a panic stops the call and must not leave this function.
///
/// # Safety
/// `user` is a `Receiver<F>` that nobody else uses meanwhile, `result` is a finished word.
unsafe extern "C" fn deliver<F>(user: *mut c_void, result: *const ffi::Outcome) -> c_int
where
    F: FnMut(Pronounced<'_>) -> ControlFlow<()> + Send,
{
    // SAFETY: the library calls for one word at a time, so this is the only reference. Another thread than the caller's
    // may have it, which is why F is Send; the library's lock orders the calls.
    let receiver = unsafe { &mut *user.cast::<Receiver<F>>() };
    if receiver.panic.is_some() {
        return 1;
    }
    let callback = &mut receiver.callback;
    // After a panic the closure is only dropped.
    let called = catch_unwind(AssertUnwindSafe(move || {
        // SAFETY: the library's memory lives until this function returns, and the closure cannot keep the references.
        let (word, phonemes, ids) = unsafe {
            let text = slice((*result).phonemes.data, (*result).phonemes.size);
            ((*result).word, text, slice((*result).ids, (*result).ids_count))
        };
        let phonemes = std::str::from_utf8(phonemes).expect("text of g2p.h is UTF-8");
        callback(Pronounced { word, phonemes, ids })
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

    /// What a status and its error say.
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
