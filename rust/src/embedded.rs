//! With the feature `embed`: the weights, which are part of the program.

/// Bytes that begin at a multiple of 64, as `g2p_open_memory` wants them.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static WEIGHTS: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("G2P_EMBEDDED_WEIGHTS")));

/// The file that `G2P_WEIGHTS` named when the crate was built.
pub(crate) fn weights() -> &'static [u8] {
    &WEIGHTS.0
}
