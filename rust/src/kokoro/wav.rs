//! Sound as WAV: one channel, 16 bits a sample.

/// What ffmpeg writes for a length that it does not know yet. Readers then read to the end.
const UNKNOWN: u32 = u32::MAX;

const HEADER: u32 = 44; // bytes
const BYTES: u32 = 2; // of a sample

/// What a WAV file of 16-bit samples begins with.
///
/// `samples` says how many follow; None: nobody knows yet. More than fit into the format count as unknown.
#[must_use]
pub fn header(sample_rate: u32, samples: Option<u64>) -> [u8; HEADER as usize] {
    let data = samples
        .and_then(|samples| samples.checked_mul(BYTES.into()))
        .and_then(|bytes| u32::try_from(bytes).ok())
        .unwrap_or(UNKNOWN);
    let mut made = Vec::with_capacity(HEADER as usize);
    made.extend(b"RIFF");
    made.extend(data.saturating_add(HEADER - 8).to_le_bytes());
    made.extend(b"WAVEfmt ");
    made.extend(16_u32.to_le_bytes());
    made.extend(1_u16.to_le_bytes()); // PCM
    made.extend(1_u16.to_le_bytes()); // channels
    made.extend(sample_rate.to_le_bytes());
    made.extend((sample_rate * BYTES).to_le_bytes());
    made.extend((BYTES as u16).to_le_bytes());
    made.extend(((8 * BYTES) as u16).to_le_bytes());
    made.extend(b"data");
    made.extend(data.to_le_bytes());
    made.try_into().expect("the fields are as long as the header")
}

/// 16-bit little-endian samples of float32 ones. What is beyond -1 and 1 is clipped; what is no number is full.
#[must_use]
pub fn pcm16(samples: &[f32]) -> Vec<u8> {
    let rounded = samples.iter().map(|&sample| {
        // Half is added before the fraction goes, so that it is rounded; the rest keeps that above 0.
        let above = f64::from(sample) * 32767.0 + 32768.5;
        let above = if above.is_nan() {
            65535.5
        } else {
            above.clamp(0.0, 65535.5)
        };
        (above as i32 - 32768) as i16
    });
    rounded.flat_map(i16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(samples: &[f32]) -> Vec<i16> {
        let bytes = pcm16(samples);
        bytes
            .chunks(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    }

    #[test]
    fn samples_are_rounded_and_clipped() {
        let least = 1.0 / 32767.0;
        let inside = [0.0, 1.0, -1.0, 0.5, least, -least, 0.4 * least, -1.00003];
        assert_eq!(numbers(&inside), [0, 32767, -32767, 16384, 1, -1, 0, -32768]);
        let beyond = [2.0, -2.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        assert_eq!(numbers(&beyond), [32767, -32768, 32767, -32768, 32767]);
    }

    #[test]
    fn a_length_that_is_unknown_or_too_great_is_all_ones() {
        assert_eq!(header(24_000, Some(1 << 33)), header(24_000, None));
        assert_eq!(header(24_000, None)[40..], [0xff; 4]);
        assert_eq!(header(24_000, Some(3))[40..], [6, 0, 0, 0]);
        assert_eq!(header(24_000, Some(3))[4..8], [42, 0, 0, 0]);
    }
}
