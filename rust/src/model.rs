//! An open model.

use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::path::Path;
use std::ptr::NonNull;

use crate::call::c_lang;
use crate::error::{Error, ErrorKind};
use crate::ffi::{self, Functions};
use crate::library::Library;
use crate::{archive, manifest};

/// Bounds of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes of a word with its prompt.
    pub input: usize,
    /// The most ids of a pronunciation, the end id included.
    pub ids: usize,
    /// The number of different ids.
    pub vocabulary: usize,
    /// How many words one thread decodes at once.
    pub rows: usize,
}

/// How to open a model, if not as [`Model::load`] and its like do.
///
/// ```
/// let alone = g2p::OpenOptions::new().lexicon(false).load(g2p::default_manifest()?)?;
/// assert_eq!(alone.pronounce("knight", "eng-us")?, "ˈnaɪt");
/// # Ok::<(), g2p::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    lexicon: bool,
    draft: bool,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions {
            lexicon: true,
            draft: true,
        }
    }
}

impl OpenOptions {
    /// The options that [`Model::load`] and its like have.
    #[must_use]
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// Whether the lexicon that an archive has beside its weights comes before the model: true, if this is not called.
    #[must_use]
    pub fn lexicon(mut self, lexicon: bool) -> OpenOptions {
        self.lexicon = lexicon;
        self
    }

    /// Whether the draft table that an archive has beside its weights is used: true, if this is not called. What is said
    /// is the same without, and comes later.
    #[must_use]
    pub fn draft(mut self, draft: bool) -> OpenOptions {
        self.draft = draft;
        self
    }

    /// As [`Model::load`].
    ///
    /// # Errors
    /// The same.
    pub fn load(&self, manifest: impl AsRef<Path>) -> Result<Model, Error> {
        let path = manifest.as_ref();
        let file = archive::library(&manifest::read(path, "g2p")?)?;
        // SAFETY: the file has the digest that the manifest gives for a library with the interface of g2p.h.
        let (library, functions) = unsafe { Library::load::<Functions>(&file) }?;
        self.opened(functions, Some(library), path, functions.g2p_open_manifest, ffi::VERIFY)
    }

    /// As [`Model::open_with`].
    ///
    /// # Safety
    /// The same.
    ///
    /// # Errors
    /// The same.
    pub unsafe fn open_with(&self, library: impl AsRef<Path>, weights: impl AsRef<Path>) -> Result<Model, Error> {
        // SAFETY: as the caller promises.
        let (library, functions) = unsafe { Library::load::<Functions>(library.as_ref()) }?;
        self.opened(functions, Some(library), weights.as_ref(), functions.g2p_open, 0)
    }

    /// As [`Model::open`].
    ///
    /// # Errors
    /// The same.
    #[cfg(feature = "static")]
    pub fn open(&self, weights: impl AsRef<Path>) -> Result<Model, Error> {
        let functions = linked()?;
        self.opened(functions, None, weights.as_ref(), functions.g2p_open, 0)
    }

    /// As [`Model::open_manifest`].
    ///
    /// # Errors
    /// The same.
    #[cfg(feature = "static")]
    pub fn open_manifest(&self, manifest: impl AsRef<Path>) -> Result<Model, Error> {
        let functions = linked()?;
        self.opened(
            functions,
            None,
            manifest.as_ref(),
            functions.g2p_open_manifest,
            ffi::VERIFY,
        )
    }

    /// As [`Model::embedded`].
    ///
    /// # Errors
    /// The same.
    #[cfg(feature = "embed")]
    pub fn embedded(&self) -> Result<Model, Error> {
        let functions = linked()?;
        let weights = crate::embedded::weights();
        self.with_options(functions, None, 0, |options, raw, error| {
            // SAFETY: the weights live as long as the program, and begin at a multiple of 64 bytes.
            unsafe { (functions.g2p_open_memory)(weights.as_ptr().cast(), weights.len(), options, raw, error) }
        })
    }

    fn opened(
        &self,
        functions: Functions,
        library: Option<Library>,
        path: &Path,
        open: unsafe extern "C" fn(*const c_char, *const ffi::Options, *mut *mut ffi::G2p, *mut ffi::Error) -> i32,
        flags: u32,
    ) -> Result<Model, Error> {
        let path = c_path(path)?;
        self.with_options(functions, library, flags, |options, raw, error| {
            // SAFETY: the path ends with a zero. All pointers are to live values, or null where g2p.h allows it.
            unsafe { open(path.as_ptr().cast(), options, raw, error) }
        })
    }

    fn with_options(
        &self,
        functions: Functions,
        library: Option<Library>,
        flags: u32,
        open: impl FnOnce(&ffi::Options, &mut *mut ffi::G2p, &mut ffi::Error) -> i32,
    ) -> Result<Model, Error> {
        let options = ffi::Options {
            size: std::mem::size_of::<ffi::Options>(),
            flags: flags | if self.lexicon { 0 } else { ffi::NO_LEXICON } | if self.draft { 0 } else { ffi::NO_DRAFT },
            threads: 0,
            allocator: std::ptr::null(),
        };
        let mut raw = std::ptr::null_mut();
        let mut error = ffi::Error::new();
        let status = open(&options, &mut raw, &mut error);
        error.check(status)?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::new(ErrorKind::LibraryFailed, "it opened no model"))?;
        Ok(Model {
            raw,
            functions,
            _library: library,
        })
    }
}

/// An open model, which turns words into phonemes. Any number of threads may share one. It is closed when dropped.
pub struct Model {
    pub(crate) raw: NonNull<ffi::G2p>,
    pub(crate) functions: Functions,
    /// Keeps the code loaded that `functions` point to. As the last field it is dropped after the model is closed.
    _library: Option<Library>,
}

// SAFETY: a model may be used, and closed, by any thread: g2p.h, "Threads".
unsafe impl Send for Model {}
// SAFETY: any number of threads may call the functions that take a model, except g2p_close. Only `drop` calls that one,
// and nobody else has a reference then.
unsafe impl Sync for Model {}

impl Model {
    /// Opens the variant that a manifest describes. Its archives lie beside it, or in `../dist` from it.
    ///
    /// This reads both archives whole, and compares their sizes and SHA-256 with the manifest's. The library is then
    /// unpacked into a cache (`$G2P_CACHE`, else `g2p` in the user's cache directory) and loaded. So trust a manifest
    /// only if you would run a program from the same source. The weights are mapped where they lie, and must not change
    /// until the model is dropped.
    ///
    /// # Errors
    /// The manifest is missing, damaged, too new or for another machine; an archive is missing or damaged; or the
    /// library does not load.
    pub fn load(manifest: impl AsRef<Path>) -> Result<Model, Error> {
        OpenOptions::new().load(manifest)
    }

    /// Opens weights with a shared library that the caller names. No digest is checked.
    ///
    /// # Safety
    /// The file is a standalone library that this project built, or not a library: loading one runs its code.
    ///
    /// # Errors
    /// The library does not load, or the weights are not the ones that it takes.
    pub unsafe fn open_with(library: impl AsRef<Path>, weights: impl AsRef<Path>) -> Result<Model, Error> {
        // SAFETY: as the caller promises.
        unsafe { OpenOptions::new().open_with(library, weights) }
    }

    /// Opens weights (a safetensors file, or an archive with one) with the library that is linked into the program.
    ///
    /// It takes the same time whatever the size of the weights: they are mapped, and no digest is checked.
    ///
    /// # Errors
    /// The file cannot be read, or does not hold the weights that the library takes.
    #[cfg(feature = "static")]
    pub fn open(weights: impl AsRef<Path>) -> Result<Model, Error> {
        OpenOptions::new().open(weights)
    }

    /// Opens the weights that are in the program, with the library that is linked into it: no file is needed beside it.
    ///
    /// # Errors
    /// The weights that were embedded are not the ones that the library takes.
    #[cfg(feature = "embed")]
    pub fn embedded() -> Result<Model, Error> {
        OpenOptions::new().embedded()
    }

    /// Opens the weights of a manifest with the library that is linked into the program. It must be the manifest's.
    ///
    /// # Errors
    /// The same as for [`Model::load`]; also, the manifest is of another library.
    #[cfg(feature = "static")]
    pub fn open_manifest(manifest: impl AsRef<Path>) -> Result<Model, Error> {
        OpenOptions::new().open_manifest(manifest)
    }

    /// The language codes that the model knows. None: it does not say, and takes any code.
    #[must_use]
    pub fn languages(&self) -> Option<Vec<&str>> {
        let mut count = 0;
        // SAFETY: the model is open. It gives `count` texts that end with zeros and live as long as the model.
        unsafe {
            let codes = (self.functions.g2p_languages)(self.raw.as_ptr(), &mut count);
            if codes.is_null() {
                return None;
            }
            Some(
                std::slice::from_raw_parts(codes, count)
                    .iter()
                    .map(|&code| text(code))
                    .collect(),
            )
        }
    }

    /// The model's own code for a BCP 47 tag: `eng-us` for `en-US`. Every function that takes a language takes both.
    ///
    /// ```
    /// let model = g2p::Model::load(g2p::default_manifest()?)?;
    /// assert_eq!(model.language("en-US")?, "eng-us");
    /// assert_eq!(model.pronounce("tie", "fi")?, model.pronounce("tie", "fin")?);
    /// # Ok::<(), g2p::Error>(())
    /// ```
    ///
    /// # Errors
    /// The model does not know the language, or the tag may mean several. The message names them.
    pub fn language(&self, lang: &str) -> Result<String, Error> {
        let lang = c_lang(lang)?;
        let mut code = std::ptr::null();
        let mut error = ffi::Error::new();
        // SAFETY: the model is open. The text ends with a zero and lives until its answer, which may be it, is copied.
        unsafe {
            let status = (self.functions.g2p_find_language)(self.raw.as_ptr(), lang.as_ptr(), &mut code, &mut error);
            error.check(status)?;
            Ok(text(code).to_owned())
        }
    }

    /// Keeps what the model said of the `words` words that were used last, so that it need not say it again; 0, as at
    /// first: of none. Results are the same. Words that are added come before what is kept.
    ///
    /// The memory is taken at once: half a kilobyte for each word, and more with larger bounds.
    ///
    /// # Errors
    /// There is no memory for so many, or more than 16,777,216 are wanted.
    pub fn cache_words(&self, words: usize) -> Result<(), Error> {
        let mut error = ffi::Error::new();
        // SAFETY: the model is open.
        let status = unsafe { (self.functions.g2p_cache_words)(self.raw.as_ptr(), words, &mut error) };
        error.check(status)
    }

    /// The model's bounds.
    #[must_use]
    pub fn limits(&self) -> Limits {
        // SAFETY: the model is open.
        let bounds = unsafe { (self.functions.g2p_limits)(self.raw.as_ptr()) };
        Limits {
            input: bounds.input,
            ids: bounds.ids,
            vocabulary: bounds.vocabulary,
            rows: bounds.rows,
        }
    }

    /// Facts about the model as a JSON object: its batch, dtype, prompt, ids, bounds, languages and target.
    #[must_use]
    pub fn info(&self) -> &str {
        // SAFETY: the model is open. The text ends with a zero and lives as long as the model.
        unsafe { text((self.functions.g2p_info)(self.raw.as_ptr())) }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: nobody else has a reference, so no other call is running, and no call follows.
        unsafe { (self.functions.g2p_close)(self.raw.as_ptr()) };
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Model")
            .field("limits", &self.limits())
            .finish_non_exhaustive()
    }
}

/// The linked library's functions.
#[cfg(feature = "static")]
fn linked() -> Result<Functions, Error> {
    use crate::ffi::Interface;
    let functions = Functions::linked();
    let checked = functions.check_version();
    checked.map_err(|what| Error::new(ErrorKind::LibraryFailed, format_args!("the linked libg2p.a: {what}")))?;
    Ok(functions)
}

/// A text in the library's memory.
///
/// # Safety
/// It ends with a zero and lives for `'a`.
pub(crate) unsafe fn text<'a>(data: *const c_char) -> &'a str {
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(data) }
        .to_str()
        .expect("text of g2p.h is UTF-8")
}

/// A path in the form that g2p.h takes: the system's bytes, or UTF-8 on Windows.
pub(crate) fn c_path(path: &Path) -> Result<CString, Error> {
    #[cfg(unix)]
    let bytes = Some(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()));
    #[cfg(not(unix))]
    let bytes = path.to_str().map(str::as_bytes);
    bytes.and_then(|bytes| CString::new(bytes).ok()).ok_or_else(|| {
        let what = format!("{path:?} cannot be a path: give one without a zero in it");
        Error::new(ErrorKind::InvalidArgument, what)
    })
}
