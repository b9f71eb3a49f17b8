//! An utterance that is spoken in a thread, and taken piece by piece.

use std::ffi::CString;
use std::ops::Range;
use std::os::raw::{c_int, c_void};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::ffi;
use super::speech::{placed, Open};
use crate::call::{slice, CancelToken};
use crate::error::{Error, ErrorKind};

/// Finished pieces that wait to be taken, besides the one in the making.
const AHEAD: usize = 1;

/// Where a character of the phonemes is in the sound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// The character's bytes in the phonemes.
    pub range: Range<usize>,
    /// Its first sample, of the utterance.
    pub first: u64,
    /// How many samples it has.
    pub samples: u32,
}

/// A piece of an utterance. The pieces' samples, one behind the other, are the utterance.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Piece {
    /// Its first sample, of the utterance.
    pub first: u64,
    /// From -1 to 1, one channel.
    pub samples: Vec<f32>,
    /// Of its characters, in their order. Before the first and behind the last is some silence.
    pub timings: Vec<Timing>,
}

/// What is said, by whom and how: checked.
pub(crate) struct Call {
    pub(crate) open: Arc<Open>,
    pub(crate) phonemes: String,
    pub(crate) shares: Vec<(CString, f32)>,
    pub(crate) speed: f32,
    pub(crate) seed: u64,
    pub(crate) threads: u32,
    pub(crate) flags: u32,
}

/// The pieces of an utterance, each as soon as it is made. [`Speech::speak`](super::Speech::speak) gives it.
///
/// An error is the last item. Dropped in the middle, it ends the work, and waits for some hundredths of a second until it has
/// ended.
#[derive(Debug)]
pub struct Pieces {
    receiver: Option<Receiver<Result<Piece, Error>>>,
    cancel: CancelToken,
    worker: Option<JoinHandle<()>>,
}

impl Pieces {
    pub(crate) fn begin(call: Call) -> Result<Pieces, Error> {
        let (sender, receiver) = sync_channel(AHEAD);
        let cancel = CancelToken::new();
        let token = cancel.clone();
        let run = move || {
            if let Err(error) = call.run(&token, &sender) {
                let _ = sender.send(Err(error)); // nobody is left where the iterator was dropped
            }
        };
        let worker = thread::Builder::new().name("tts".to_owned()).spawn(run);
        let worker = worker.map_err(|error| {
            let what = format_args!("the system gives no thread to speak in: {error}");
            Error::new(ErrorKind::NoMemory, what)
        })?;
        Ok(Pieces {
            receiver: Some(receiver),
            cancel,
            worker: Some(worker),
        })
    }

    /// Stops the work when it is cancelled, from any thread: the next item is then [`ErrorKind::Cancelled`].
    #[must_use]
    pub fn token(&self) -> CancelToken {
        self.cancel.clone()
    }
}

impl Iterator for Pieces {
    type Item = Result<Piece, Error>;

    fn next(&mut self) -> Option<Result<Piece, Error>> {
        self.receiver.as_ref()?.recv().ok()
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.receiver = None; // a worker that waits to hand over a piece goes on
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

impl Call {
    /// Speaks in this thread.
    fn run(&self, cancel: &CancelToken, sender: &SyncSender<Result<Piece, Error>>) -> Result<(), Error> {
        let share = |(voice, weight): &(CString, f32)| ffi::Share {
            voice: voice.as_ptr(),
            weight: *weight,
        };
        let mixture: Vec<ffi::Share> = self.shares.iter().map(share).collect();
        let request = ffi::Request {
            size: std::mem::size_of::<ffi::Request>(),
            phonemes: crate::ffi::Text {
                data: self.phonemes.as_ptr(),
                size: self.phonemes.len(),
            },
            voice: std::ptr::null(),
            mixture: mixture.as_ptr(),
            mixture_count: mixture.len(),
            speed: self.speed,
            seed: self.seed,
            threads: self.threads,
            flags: self.flags,
            cancel: cancel.flag(),
        };
        let mut error = crate::ffi::Error::new();
        let user: *const SyncSender<_> = sender;
        // SAFETY: the model is open. What the request points to, and the sender, live until the call returns. `hand_over`
        // gets the sender.
        let status = unsafe {
            let speak = self.open.functions.tts_speak;
            speak(
                self.open.raw.as_ptr(),
                &request,
                hand_over,
                user as *mut c_void,
                &mut error,
            )
        };
        placed(&error, status).map_err(|found| match (found.kind(), found.place()) {
            (ErrorKind::UnknownPhoneme, Some(place)) => self.unknown(place),
            _ => found,
        })
    }

    /// The error for a character without a symbol.
    fn unknown(&self, place: usize) -> Error {
        let (before, rest) = self.phonemes.split_at(place);
        let symbol = rest.chars().next().unwrap_or_default();
        let what = format!(
            "the model has no symbol for {} (U+{:04X}), character {} of the phonemes: give another, or skip what is \
             unknown",
            quoted(symbol),
            u32::from(symbol),
            before.chars().count() + 1
        );
        Error::new(ErrorKind::UnknownPhoneme, what).at_place(place)
    }
}

/// A character in quotes, and escaped where it cannot be seen, as Python shows it.
fn quoted(symbol: char) -> String {
    let code = u32::from(symbol);
    match symbol {
        '\'' => "\"'\"".to_owned(),
        '"' => "'\"'".to_owned(),
        '\\' | '\n' | '\r' | '\t' => format!("'{}'", symbol.escape_default()),
        _ if !symbol.escape_debug().to_string().starts_with('\\') => format!("'{symbol}'"),
        _ if code < 0x100 => format!("'\\x{code:02x}'"),
        _ if code < 0x10000 => format!("'\\u{code:04x}'"),
        _ => format!("'\\U{code:08x}'"),
    }
}

/// The callback that the library calls: passes a copy of a piece to the iterator, and waits until there is room for it.
///
/// # Safety
/// `user` points to a sender of pieces. `piece` is a finished one.
unsafe extern "C" fn hand_over(user: *mut c_void, piece: *const ffi::Piece) -> c_int {
    // SAFETY: as the caller promises. The library's memory lives until this function returns.
    let (sender, found, samples, timings) = unsafe {
        let found = &*piece;
        let samples = slice(found.samples, found.samples_count);
        let timings = slice(found.timings, found.timings_count);
        (
            &*user.cast::<SyncSender<Result<Piece, Error>>>(),
            found,
            samples,
            timings,
        )
    };
    let timings = timings.iter().map(|timing| Timing {
        range: timing.start..timing.start + timing.size,
        first: timing.first,
        samples: timing.samples,
    });
    let made = Piece {
        first: found.first,
        samples: samples.to_vec(),
        timings: timings.collect(),
    };
    c_int::from(sender.send(Ok(made)).is_err())
}
