//! Phonemes and texts to sound, with a speech library of this project (its interface is `tts.h`), loaded at run time.
//!
//! ```no_run
//! use g2p::kokoro::{self, wav, Options, Speech};
//!
//! let speech = Speech::open(kokoro::default_manifest()?)?;
//! let options = Options { speed: 1.1, ..Options::voice("af_heart") };
//! let mut sound = Vec::new();
//! for piece in speech.speak("həlˈO wˈɜɹld.", &options)? {
//!     sound.extend(piece?.samples); // each piece is there as soon as it is made
//! }
//! let rate = speech.limits().sample_rate;
//! let mut file = wav::header(rate, Some(sound.len() as u64)).to_vec();
//! file.extend(wav::pcm16(&sound));
//! std::fs::write("out.wav", file).unwrap();
//! # Ok::<(), g2p::Error>(())
//! ```
//!
//! A text's words are pronounced by a G2P model:
//!
//! ```no_run
//! # use g2p::kokoro::{self, Options, Speech};
//! # let speech = Speech::open(kokoro::default_manifest()?)?;
//! let words = g2p::Model::load(g2p::default_manifest()?)?;
//! let phonemes = speech.phonemes("Hello, world.", "eng-us", &words)?;
//! let pieces = speech.speak(&phonemes, &Options::mix([("af_heart", 0.3), ("am_adam", 0.7)]))?;
//! # Ok::<(), g2p::Error>(())
//! ```

mod ffi;
mod pieces;
mod speech;
pub mod wav;

use std::path::PathBuf;

pub use pieces::{Piece, Pieces, Timing};
pub use speech::{Limits, Options, Speech};

use crate::error::Error;
use crate::manifest;

/// The manifest of a speech model to open if none is named: as [`default_manifest`](crate::default_manifest).
///
/// # Errors
/// The same.
pub fn default_manifest() -> Result<PathBuf, Error> {
    manifest::default_of("kokoro")
}
