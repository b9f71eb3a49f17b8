//! `g2p.h`, version 1: its structures, and its functions as a table of pointers.
//!
//! A status is an `i32` here, not a Rust enum: the library may give values that this crate does not know.

use std::marker::{PhantomData, PhantomPinned};
use std::os::raw::{c_char, c_int, c_void};

/// The version of the header that this file was written for.
const ABI_VERSION: u32 = 1;
pub(crate) const OK: c_int = 0;

/// Flags of `g2p_options`.
pub(crate) const VERIFY: u32 = 1;
pub(crate) const NO_LEXICON: u32 = 2;
pub(crate) const NO_DRAFT: u32 = 4;

/// Flags of `g2p_request`.
pub(crate) const SCORES: u32 = 2;
pub(crate) const EACH: u32 = 4;

/// `g2p`: opaque.
#[repr(C)]
pub(crate) struct G2p {
    _data: [u8; 0],
    _not_send_sync_unpin: PhantomData<(*mut u8, PhantomPinned)>,
}

/// `g2p_error`.
#[repr(C)]
pub(crate) struct Error {
    pub(crate) status: c_int,
    pub(crate) word: usize,
    pub(crate) message: [u8; 240],
}

/// `g2p_text`.
#[repr(C)]
pub(crate) struct Text {
    pub(crate) data: *const u8,
    pub(crate) size: usize,
}

/// `g2p_options`.
#[repr(C)]
pub(crate) struct Options {
    pub(crate) size: usize,
    pub(crate) flags: u32,
    pub(crate) threads: u32,
    pub(crate) allocator: *const c_void,
}

/// `g2p_bounds`.
#[repr(C)]
pub(crate) struct Bounds {
    pub(crate) input: usize,
    pub(crate) ids: usize,
    pub(crate) text: usize,
    pub(crate) vocabulary: usize,
    pub(crate) rows: usize,
}

/// `g2p_request`.
#[repr(C)]
pub(crate) struct Request {
    pub(crate) size: usize,
    pub(crate) words: *const Text,
    pub(crate) count: usize,
    pub(crate) lang: *const c_char,
    pub(crate) langs: *const *const c_char,
    pub(crate) threads: u32,
    pub(crate) flags: u32,
    pub(crate) most_ids: usize,
    pub(crate) cancel: *const i32,
}

/// `g2p_search`.
#[repr(C)]
pub(crate) struct Search {
    pub(crate) size: usize,
    pub(crate) count: u32,
    pub(crate) beams: u32,
    pub(crate) early: u32,
}

/// `g2p_texts` (of bytes) and `g2p_ids` (of ids).
#[repr(C)]
pub(crate) struct Pieces<T> {
    pub(crate) data: *mut T,
    pub(crate) offsets: *mut usize,
    pub(crate) count: usize,
}

/// `g2p_result`. It may grow in later versions, so the crate uses it only behind the library's pointers, and finds the
/// next one of a list by its `size`.
#[repr(C)]
pub(crate) struct Outcome {
    pub(crate) size: usize,
    pub(crate) word: usize,
    pub(crate) phonemes: Text,
    pub(crate) ids: *const i32,
    pub(crate) ids_count: usize,
    pub(crate) logits: *const f32,
    pub(crate) status: c_int,
    pub(crate) source: c_int,
    pub(crate) truncated: u32,
    pub(crate) repeats: u32,
    pub(crate) score: f32,
    pub(crate) message: Text,
    pub(crate) passes: u32,
    pub(crate) drafted: u32,
    pub(crate) accepted: u32,
}

/// `g2p_statistics`.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Statistics {
    pub(crate) size: usize,
    pub(crate) words: u64,
    pub(crate) ids: u64,
    pub(crate) passes: u64,
    pub(crate) drafted: u64,
    pub(crate) accepted: u64,
    pub(crate) encode_ns: u64,
    pub(crate) prefill_ns: u64,
    pub(crate) step_ns: u64,
    pub(crate) draft_ns: u64,
}

/// `g2p_results`.
#[repr(C)]
pub(crate) struct Outcomes {
    pub(crate) data: *const Outcome,
    pub(crate) count: usize,
    pub(crate) memory: *mut c_void,
}

pub(crate) type Callback = unsafe extern "C" fn(user: *mut c_void, result: *const Outcome) -> c_int;

/// What a library of a family is called by.
pub(crate) trait Interface: Sized {
    /// Looks up each function by its name, which ends with a zero. The error is the name that is missing.
    ///
    /// # Safety
    /// For each name, `find` gives the function that the family's header declares with this name.
    unsafe fn find(find: impl Fn(&'static str) -> Option<std::ptr::NonNull<c_void>>) -> Result<Self, &'static str>;

    /// Checks that the library has the version of the interface that is described here.
    fn check_version(&self) -> Result<(), String>;
}

/// Declares the functions of a header once, for a loaded library and, under a condition, for a linked one. `$version` gives
/// the version of the interface, which is `$known` here.
macro_rules! functions {
    (linked if $linked:meta; $version:ident is $known:expr; $(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        /// The library's functions. They may be called for as long as the library is loaded.
        #[derive(Clone, Copy)]
        #[cfg_attr(not(feature = "embed"), allow(dead_code))] // g2p_open_memory
        pub(crate) struct Functions {
            $(pub(crate) $name: unsafe extern "C" fn($($argument: $type),*) $(-> $result)?,)*
        }

        impl $crate::ffi::Interface for Functions {
            unsafe fn find(
                find: impl Fn(&'static str) -> Option<std::ptr::NonNull<c_void>>,
            ) -> Result<Functions, &'static str> {
                Ok(Functions {
                    $($name: {
                        let found = find(concat!(stringify!($name), "\0")).ok_or(stringify!($name))?;
                        // SAFETY: the caller promises the type. A function pointer has a data pointer's size here.
                        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) $(-> $result)?>(
                            found.as_ptr(),
                        ) }
                    },)*
                })
            }

            fn check_version(&self) -> Result<(), String> {
                // SAFETY: it takes no arguments, and has this type in every version.
                let version = unsafe { (self.$version)() };
                if version == $known {
                    return Ok(());
                }
                Err(format!("its interface is version {version}, this crate's is {}", $known))
            }
        }

        #[cfg($linked)]
        impl Functions {
            /// The functions of the library that is linked into this program.
            pub(crate) fn linked() -> Functions {
                extern "C" {
                    $(fn $name($($argument: $type),*) $(-> $result)?;)*
                }
                Functions { $($name,)* }
            }
        }
    };
}

pub(crate) use functions;

functions! {
    linked if feature = "static";
    g2p_abi_version is ABI_VERSION;
    fn g2p_abi_version() -> u32;
    fn g2p_open(weights: *const c_char, options: *const Options, model: *mut *mut G2p, error: *mut Error) -> c_int;
    fn g2p_open_manifest(
        manifest: *const c_char, options: *const Options, model: *mut *mut G2p, error: *mut Error
    ) -> c_int;
    fn g2p_open_memory(
        weights: *const c_void, size: usize, options: *const Options, model: *mut *mut G2p, error: *mut Error
    ) -> c_int;
    fn g2p_close(model: *mut G2p);
    fn g2p_limits(model: *const G2p) -> Bounds;
    fn g2p_languages(model: *const G2p, count: *mut usize) -> *const *const c_char;
    fn g2p_find_language(
        model: *const G2p, tag: *const c_char, code: *mut *const c_char, error: *mut Error
    ) -> c_int;
    fn g2p_cache_words(model: *mut G2p, words: usize, error: *mut Error) -> c_int;
    fn g2p_info(model: *const G2p) -> *const c_char;
    fn g2p_pronounce(
        model: *mut G2p, word: *const c_char, lang: *const c_char, phonemes: *mut c_char, capacity: usize,
        error: *mut Error
    ) -> c_int;
    fn g2p_pronounce_all(
        model: *mut G2p, request: *const Request, phonemes: *mut Pieces<u8>, error: *mut Error
    ) -> c_int;
    fn g2p_free_texts(model: *mut G2p, texts: *mut Pieces<u8>);
    fn g2p_tokens(model: *mut G2p, request: *const Request, ids: *mut Pieces<i32>, error: *mut Error) -> c_int;
    fn g2p_free_ids(model: *mut G2p, ids: *mut Pieces<i32>);
    fn g2p_results_all(model: *mut G2p, request: *const Request, results: *mut Outcomes, error: *mut Error) -> c_int;
    fn g2p_best(
        model: *mut G2p, request: *const Request, search: *const Search, results: *mut Outcomes, error: *mut Error
    ) -> c_int;
    fn g2p_free_results(model: *mut G2p, results: *mut Outcomes);
    fn g2p_add_lexicon(model: *mut G2p, path: *const c_char, lang: *const c_char, error: *mut Error) -> c_int;
    fn g2p_add_lexicon_memory(
        model: *mut G2p, data: *const c_void, size: usize, lang: *const c_char, error: *mut Error
    ) -> c_int;
    fn g2p_look_up(
        model: *mut G2p, word: *const c_char, lang: *const c_char, pronunciations: *mut Pieces<u8>,
        source: *mut c_int, error: *mut Error
    ) -> c_int;
    fn g2p_guess_word(
        model: *mut G2p, word: *const c_char, lang: *const c_char, phonemes: *mut c_char, capacity: usize,
        error: *mut Error
    ) -> c_int;
    fn g2p_get_statistics(model: *mut G2p, statistics: *mut Statistics, error: *mut Error) -> c_int;
    fn g2p_next_part(
        text: *const c_char, size: usize, start: usize, end: *mut usize, part: *mut c_int, error: *mut Error
    ) -> c_int;
    fn g2p_stream(
        model: *mut G2p, request: *const Request, callback: Callback, user: *mut c_void, error: *mut Error
    ) -> c_int;
}
