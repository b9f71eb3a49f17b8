//! SHA-256 (FIPS 180-4). The library has one too, but it lies in an archive that must be checked first.
//!
//! We do not use the crate sha2, because we need one function of it. README.md compares the costs.

use std::io::{self, Read};

const CHUNK: usize = 1 << 16; // bytes in one read

const ROUNDS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
];

const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// A digest of bytes that come one after the other.
#[derive(Clone)]
pub(crate) struct Sha256 {
    state: [u32; 8],
    block: [u8; 64], // what came behind the last whole one
    size: u64,       // of all bytes
}

impl Sha256 {
    pub(crate) fn new() -> Sha256 {
        Sha256 {
            state: START,
            block: [0; 64],
            size: 0,
        }
    }

    pub(crate) fn add(&mut self, mut data: &[u8]) {
        let held = (self.size % 64) as usize;
        self.size += data.len() as u64;
        if held > 0 {
            let more = data.len().min(64 - held);
            self.block[held..held + more].copy_from_slice(&data[..more]);
            data = &data[more..];
            if held + more < 64 {
                return;
            }
            add(&mut self.state, &self.block);
        }
        let blocks = data.chunks_exact(64);
        let rest = blocks.remainder();
        blocks.for_each(|block| add(&mut self.state, block));
        self.block[..rest.len()].copy_from_slice(rest);
    }

    /// The digest of what was added until now, as lower-case hex.
    pub(crate) fn hex(&self) -> String {
        let (mut state, held) = (self.state, (self.size % 64) as usize);
        let mut last = [0_u8; 128];
        last[..held].copy_from_slice(&self.block[..held]);
        last[held] = 0x80;
        let end = if held < 56 { 64 } else { 128 };
        last[end - 8..end].copy_from_slice(&(self.size * 8).to_be_bytes());
        last[..end].chunks_exact(64).for_each(|block| add(&mut state, block));
        state.iter().map(|word| format!("{word:08x}")).collect()
    }
}

/// The digest of bytes, as lower-case hex.
pub(crate) fn hex(data: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.add(data);
    digest.hex()
}

/// The digest of all that is still to be read, as lower-case hex.
pub(crate) fn hex_of(source: &mut impl Read) -> io::Result<String> {
    let (mut digest, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match source.read(&mut chunk) {
            Ok(0) => return Ok(digest.hex()),
            Ok(size) => digest.add(&chunk[..size]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn add(state: &mut [u32; 8], block: &[u8]) {
    let mut words = [0_u32; 64];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte));
    }
    for i in 16..64 {
        let (a, b) = (words[i - 15], words[i - 2]);
        let small = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let large = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        words[i] = words[i - 16]
            .wrapping_add(small)
            .wrapping_add(words[i - 7])
            .wrapping_add(large);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (&word, &round) in words.iter().zip(&ROUNDS) {
        let sum = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let one = h
            .wrapping_add(sum)
            .wrapping_add(choice)
            .wrapping_add(round)
            .wrapping_add(word);
        let sum = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let two = sum.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(one), c, b, a, one.wrapping_add(two));
    }
    for (word, more) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(more);
    }
}

#[cfg(test)]
mod tests {
    use super::{hex, Sha256};

    #[test]
    fn the_standards_own_examples() {
        assert_eq!(
            hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(
            hex(two_blocks),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
        assert_eq!(
            hex(&[b'a'; 1_000_000]),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }

    #[test]
    fn lengths_around_a_block() {
        let expected = [
            (55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
            (63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"),
            (64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
            (
                65_536,
                "bf718b6f653bebc184e1479f1935b8da974d701b893afcf49e701f3e2f9f9c5a",
            ),
        ];
        for (size, digest) in expected {
            assert_eq!(hex(&vec![b'a'; size]), digest, "{size} bytes");
        }
    }

    #[test]
    fn bytes_may_come_in_any_pieces() {
        let data: Vec<u8> = (0..1000_u32).map(|number| (number % 251) as u8).collect();
        for size in [1, 3, 63, 64, 65, 200] {
            let mut digest = Sha256::new();
            for (place, piece) in data.chunks(size).enumerate() {
                assert_eq!(digest.hex(), hex(&data[..place * size]));
                digest.add(piece);
            }
            assert_eq!(digest.hex(), hex(&data));
        }
    }
}
