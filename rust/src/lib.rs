#![doc = include_str!("../README.md")]
#![warn(missing_docs, rust_2018_idioms, unsafe_op_in_unsafe_fn)]

mod archive;
mod call;
#[cfg(feature = "embed")]
mod embedded;
mod error;
mod ffi;
mod json;
pub mod kokoro;
mod lexicon;
mod library;
mod manifest;
mod model;
mod part;
mod sha256;
mod statistics;
mod tar;
mod target;

pub use call::{CancelToken, Languages, Options, Pronounced, Pronunciation, Search, Source};
pub use error::{Error, ErrorKind};
pub use manifest::default_manifest;
pub use model::{Limits, Model, OpenOptions};
pub use part::{Part, PartKind};
pub use statistics::Statistics;
