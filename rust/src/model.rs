//! An open model.

use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::path::Path;
use std::ptr::NonNull;

use crate::error::{Error, ErrorKind};
use crate::ffi::{self, Functions};
use crate::library::Library;
use crate::{archive, manifest};

/// Bounds of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes that a word may have together with its prompt.
    pub input: usize,
    /// Ids that a pronunciation may have, the end id among them.
    pub ids: usize,
    /// Ids that there are.
    pub vocabulary: usize,
    /// Words that one thread decodes at once.
    pub rows: usize,
}

/// An open model, from words to phonemes. Any number of threads may share one; it is closed when dropped.
pub struct Model {
    pub(crate) raw: NonNull<ffi::G2p>,
    pub(crate) functions: Functions,
    /// Holds the code that `functions` point to; dropped, as the last of the fields, after the model is closed.
    _library: Option<Library>,
}

// SAFETY: a model may be used, and closed, by any thread: g2p.h, "Threads".
unsafe impl Send for Model {}
// SAFETY: every function that takes a model may be called by any number of threads at once, but for g2p_close, which
// only `drop` calls: nobody else has a reference then.
unsafe impl Sync for Model {}

impl Model {
    /// Opens the variant that a manifest describes. Its archives lie beside it, or in `../dist` from it.
    ///
    /// Both archives' sizes and SHA-256 are compared with the manifest's, which reads all of them. The library is then unpacked into a cache
    /// (`$G2P_CACHE`, else `g2p` in the user's cache directory) and loaded: a manifest is trusted as a program is. The
    /// weights are mapped where they lie, and must stay as they are until the model is dropped.
    ///
    /// # Errors
    /// The manifest is missing, damaged, newer or for another machine; so are its archives; the library does not load.
    pub fn load(manifest: impl AsRef<Path>) -> Result<Model, Error> {
        let path = manifest.as_ref();
        let file = archive::library(path, &manifest::read(path)?)?;
        // SAFETY: the bytes are those that the manifest names, as a library with the interface of g2p.h.
        let (library, functions) = unsafe { Library::load(&file) }?;
        Model::opened(functions, Some(library), path, functions.g2p_open_manifest, ffi::VERIFY)
    }

    /// Opens weights with a shared library at a path of the caller's. Nothing is verified.
    ///
    /// # Safety
    /// The file is a standalone library that this project built, or no library at all: loading one runs its code.
    ///
    /// # Errors
    /// The library does not load, or the weights are not those that it takes.
    pub unsafe fn open_with(library: impl AsRef<Path>, weights: impl AsRef<Path>) -> Result<Model, Error> {
        // SAFETY: as the caller promises.
        let (library, functions) = unsafe { Library::load(library.as_ref()) }?;
        Model::opened(functions, Some(library), weights.as_ref(), functions.g2p_open, 0)
    }

    /// Opens weights (a safetensors file, or an archive with one) with the library that is linked into the program.
    ///
    /// Nothing that is done here grows with the weights: they are mapped, and not verified.
    ///
    /// # Errors
    /// The file cannot be read, or does not hold what the library takes.
    #[cfg(feature = "static")]
    pub fn open(weights: impl AsRef<Path>) -> Result<Model, Error> {
        let functions = linked()?;
        Model::opened(functions, None, weights.as_ref(), functions.g2p_open, 0)
    }

    /// Opens the weights of a manifest with the library that is linked into the program, which must be the manifest's.
    ///
    /// # Errors
    /// As of [`Model::load`]; besides, the manifest is of another library.
    #[cfg(feature = "static")]
    pub fn open_manifest(manifest: impl AsRef<Path>) -> Result<Model, Error> {
        let functions = linked()?;
        Model::opened(
            functions,
            None,
            manifest.as_ref(),
            functions.g2p_open_manifest,
            ffi::VERIFY,
        )
    }

    fn opened(
        functions: Functions,
        library: Option<Library>,
        path: &Path,
        open: unsafe extern "C" fn(*const c_char, *const ffi::Options, *mut *mut ffi::G2p, *mut ffi::Error) -> i32,
        flags: u32,
    ) -> Result<Model, Error> {
        let path = c_path(path)?;
        let options = ffi::Options {
            size: std::mem::size_of::<ffi::Options>(),
            flags,
            threads: 0,
            allocator: std::ptr::null(),
        };
        let mut raw = std::ptr::null_mut();
        let mut error = ffi::Error::new();
        // SAFETY: the path ends with a zero; all pointers are to live values, or null where that is allowed.
        let status = unsafe { open(path.as_ptr().cast(), &options, &mut raw, &mut error) };
        error.check(status)?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::new(ErrorKind::LibraryFailed, "it opened no model"))?;
        Ok(Model {
            raw,
            functions,
            _library: library,
        })
    }

    /// The codes of the languages that the model knows; None where it does not say, and takes any code.
    #[must_use]
    pub fn languages(&self) -> Option<Vec<&str>> {
        let mut count = 0;
        // SAFETY: the model is open; it gives `count` texts that end with zeros and live as long as it does.
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

    /// What the model is, as a JSON object: its batch, dtype, prompt, ids, bounds, languages and target.
    #[must_use]
    pub fn info(&self) -> &str {
        // SAFETY: the model is open; the text ends with a zero and lives as long as the model does.
        unsafe { text((self.functions.g2p_info)(self.raw.as_ptr())) }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: nobody else has a reference, so no other call is running, and this is the last one.
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
    let functions = Functions::linked();
    let checked = functions.check_version();
    checked.map_err(|what| Error::new(ErrorKind::LibraryFailed, format_args!("the linked libg2p.a: {what}")))?;
    Ok(functions)
}

/// A text of the library's.
///
/// # Safety
/// It ends with a zero and lives for `'a`.
unsafe fn text<'a>(data: *const c_char) -> &'a str {
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(data) }
        .to_str()
        .expect("text of g2p.h is UTF-8")
}

/// A path as g2p.h takes it: the system's bytes, or UTF-8 on Windows.
fn c_path(path: &Path) -> Result<CString, Error> {
    #[cfg(unix)]
    let bytes = Some(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()));
    #[cfg(not(unix))]
    let bytes = path.to_str().map(str::as_bytes);
    bytes.and_then(|bytes| CString::new(bytes).ok()).ok_or_else(|| {
        let what = format!("{path:?} is no path that can be opened: give one without a zero in it");
        Error::new(ErrorKind::InvalidArgument, what)
    })
}
