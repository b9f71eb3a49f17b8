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

/// Options of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// How many threads may work on the words, the calling one included; 0: one for each processor.
    pub threads: u32,
    /// The most ids that a pronunciation may have; 0: the model's bound.
    pub most_ids: usize,
    /// Stops the call when it is cancelled.
    pub cancel: Option<&'a CancelToken>,
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
}

/// A finished word. [`Model::stream`] passes it to the callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pronounced<'a> {
    /// The index of the word, from 0.
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

    /// Pronounces words. Returns their phonemes in the order of the words.
    ///
    /// The phonemes of a word depend neither on the other words nor on the number of threads.
    ///
    /// # Errors
    /// A word or the language is wrong: the error names the first wrong word, and no word is pronounced. Or the call
    /// was cancelled, or there is no memory.
    pub fn pronounce_all<W>(&self, words: &[W], lang: &str, options: Options<'_>) -> Result<Vec<String>, Error>
    where
        W: AsRef<str>,
    {
        let mut texts = Results::new(self, self.functions.g2p_free_texts);
        let found = &mut texts.raw;
        self.request(words, lang, options, |request, error| {
            // SAFETY: `request` gives pointers that are valid during the call; the results are freed when dropped.
            unsafe { (self.functions.g2p_pronounce_all)(self.raw.as_ptr(), request, found, error) }
        })?;
        let text = |piece: &[u8]| std::str::from_utf8(piece).expect("text of g2p.h is UTF-8").to_owned();
        Ok(texts.pieces().map(text).collect())
    }

    /// As [`Model::pronounce_all`], but returns the generated ids. The start id is left out. The end id is included,
    /// but a pronunciation that reaches the bound has none.
    ///
    /// # Errors
    /// The same as for [`Model::pronounce_all`].
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

    /// Pronounces words and passes each to a callback as soon as it is finished, in any order.
    ///
    /// The callback gets one word at a time, but any thread of the call may run it, so it must be `Send`. If it returns
    /// [`ControlFlow::Break`], the call ends with [`ErrorKind::Cancelled`]. If it panics, the call stops, and the panic
    /// goes on in the calling thread.
    ///
    /// # Errors
    /// The same as for [`Model::pronounce_all`].
    pub fn stream<W, F>(&self, words: &[W], lang: &str, options: Options<'_>, callback: F) -> Result<(), Error>
    where
        W: AsRef<str>,
        F: FnMut(Pronounced<'_>) -> ControlFlow<()> + Send,
    {
        let mut receiver = Receiver { callback, panic: None };
        let user: *mut Receiver<F> = &mut receiver;
        let called = self.request(words, lang, options, |request, error| {
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
    fn request<W, C>(&self, words: &[W], lang: &str, options: Options<'_>, call: C) -> Result<(), Error>
    where
        W: AsRef<str>,
        C: FnOnce(*const ffi::Request, *mut ffi::Error) -> c_int,
    {
        let lang = CString::new(lang)
            .map_err(|_| Error::new(ErrorKind::UnknownLanguage, format_args!("{lang:?} is no language code")))?;
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
            lang: lang.as_ptr(),
            langs: std::ptr::null(),
            threads: options.threads,
            flags: 0,
            most_ids: options.most_ids,
            // An AtomicI32 has the layout of an i32. The library only reads it, atomically.
            cancel: options
                .cancel
                .map_or(std::ptr::null(), |token| Arc::as_ptr(&token.0).cast()),
        };
        let mut error = ffi::Error::new();
        let status = call(&request, &mut error);
        error.check(status)
    }
}

/// Results in the library's memory. They are freed when dropped.
struct Results<'m, T> {
    model: &'m Model,
    raw: ffi::Pieces<T>,
    free: unsafe extern "C" fn(*mut ffi::G2p, *mut ffi::Pieces<T>),
}

impl<'m, T> Results<'m, T> {
    /// Makes empty results. A function of the library gets `raw` and fills it; `free` frees what it allocated.
    fn new(model: &'m Model, free: unsafe extern "C" fn(*mut ffi::G2p, *mut ffi::Pieces<T>)) -> Results<'m, T> {
        let raw = ffi::Pieces {
            data: std::ptr::null_mut(),
            offsets: std::ptr::null_mut(),
            count: 0,
        };
        Results { model, raw, free }
    }

    /// The results of each word, in order.
    fn pieces(&self) -> impl Iterator<Item = &[T]> {
        // SAFETY: the library filled `raw`: there are count + 1 offsets, and data up to the last of them.
        let (offsets, data) = unsafe {
            let offsets = slice(self.raw.offsets, self.raw.count + 1);
            (offsets, slice(self.raw.data, offsets[self.raw.count]))
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
unsafe fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts(data, size) }
}

/// The closure of a stream, and the panic that it ended with.
struct Receiver<F> {
    callback: F,
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
    let callback = &mut receiver.callback;
    // After a panic the closure is not called again, only dropped.
    let called = catch_unwind(AssertUnwindSafe(move || {
        // SAFETY: the library's memory lives until this function returns. The closure cannot keep references to it.
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
