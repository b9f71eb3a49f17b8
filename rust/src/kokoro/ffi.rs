//! `tts.h`, version 1: its structures, and its functions as a table of pointers.

use std::marker::{PhantomData, PhantomPinned};
use std::os::raw::{c_char, c_int, c_void};

use crate::ffi::{functions, Error, G2p, Text};

/// The version of the header that this file was written for.
const ABI_VERSION: u32 = 1;

/// `g2p_status`: the buffer is too small.
pub(crate) const TOO_SMALL: c_int = 8;

/// Flags of `tts_request`.
pub(crate) const SKIP_UNKNOWN: u32 = 1;
pub(crate) const EARLY: u32 = 2;

/// Voices that may be mixed.
pub(crate) const MOST_MIXED: usize = 8;

/// `tts`: opaque.
#[repr(C)]
pub(crate) struct Tts {
    _data: [u8; 0],
    _not_send_sync_unpin: PhantomData<(*mut u8, PhantomPinned)>,
}

/// `tts_options`.
#[repr(C)]
pub(crate) struct Options {
    pub(crate) size: usize,
    pub(crate) threads: u32,
    pub(crate) allocator: *const c_void,
    pub(crate) variant: *const c_void,
}

/// `tts_bounds`.
#[repr(C)]
pub(crate) struct Bounds {
    pub(crate) symbols: usize,
    pub(crate) sample_rate: u32,
    pub(crate) frame: u32,
    pub(crate) slowest: f32,
    pub(crate) fastest: f32,
}

/// `tts_share`.
#[repr(C)]
pub(crate) struct Share {
    pub(crate) voice: *const c_char,
    pub(crate) weight: f32,
}

/// `tts_request`.
#[repr(C)]
pub(crate) struct Request {
    pub(crate) size: usize,
    pub(crate) phonemes: Text,
    pub(crate) voice: *const c_char,
    pub(crate) mixture: *const Share,
    pub(crate) mixture_count: usize,
    pub(crate) speed: f32,
    pub(crate) seed: u64,
    pub(crate) threads: u32,
    pub(crate) flags: u32,
    pub(crate) cancel: *const i32,
}

/// `tts_timing`.
#[repr(C)]
pub(crate) struct Timing {
    pub(crate) start: usize,
    pub(crate) size: usize,
    pub(crate) first: u64,
    pub(crate) samples: u32,
}

/// `tts_piece`. It may grow in later versions, so the crate uses it only behind the library's pointer.
#[repr(C)]
pub(crate) struct Piece {
    pub(crate) size: usize,
    pub(crate) first: u64,
    pub(crate) samples: *const f32,
    pub(crate) samples_count: usize,
    pub(crate) timings: *const Timing,
    pub(crate) timings_count: usize,
}

pub(crate) type Callback = unsafe extern "C" fn(user: *mut c_void, piece: *const Piece) -> c_int;

/// `tts_text_request`.
#[repr(C)]
pub(crate) struct TextRequest {
    pub(crate) size: usize,
    pub(crate) text: Text,
    pub(crate) lang: *const c_char,
    pub(crate) g2p: *mut G2p,
    pub(crate) next_part:
        unsafe extern "C" fn(*const c_char, usize, usize, *mut usize, *mut c_int, *mut Error) -> c_int,
    pub(crate) pronounce:
        unsafe extern "C" fn(*mut G2p, *const c_char, *const c_char, *mut c_char, usize, *mut Error) -> c_int,
    pub(crate) cancel: *const i32,
}

functions! {
    linked if any(); // a speech library is loaded
    tts_abi_version is ABI_VERSION;
    fn tts_abi_version() -> u32;
    fn tts_open(weights: *const c_char, options: *const Options, model: *mut *mut Tts, error: *mut Error) -> c_int;
    fn tts_close(model: *mut Tts);
    fn tts_limits(model: *const Tts) -> Bounds;
    fn tts_info(model: *const Tts) -> *const c_char;
    fn tts_add_voices(model: *mut Tts, path: *const c_char, error: *mut Error) -> c_int;
    fn tts_voices(
        model: *mut Tts, names: *mut c_char, capacity: usize, needed: *mut usize, error: *mut Error
    ) -> c_int;
    fn tts_speak(
        model: *mut Tts, request: *const Request, callback: Callback, user: *mut c_void, error: *mut Error
    ) -> c_int;
    fn tts_languages(model: *const Tts, count: *mut usize) -> *const *const c_char;
    fn tts_text(model: *mut Tts, request: *const TextRequest, phonemes: *mut Text, error: *mut Error) -> c_int;
    fn tts_free_text(model: *mut Tts, phonemes: *mut Text);
}
