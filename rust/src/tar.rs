//! Finds a member of an uncompressed tar archive in memory.
//!
//! We do not use the crate tar, because we need one function of it. README.md compares the costs.

const BLOCK: usize = 512;

/// The bytes of the regular file with this name. None if there is none, or the archive is damaged.
pub(crate) fn member<'a>(archive: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = archive;
    loop {
        let header = rest.get(..BLOCK)?;
        if header[0] == 0 {
            return None; // an empty block marks the end
        }
        let size = octal(&header[124..136])?;
        let data = rest.get(BLOCK..BLOCK.checked_add(size)?)?;
        let regular = matches!(header[156], b'0' | 0);
        let prefix = if header[257..].starts_with(b"ustar\0") {
            text(&header[345..500])
        } else {
            b""
        };
        if regular && prefix.is_empty() && text(&header[..100]) == name.as_bytes() {
            return Some(data);
        }
        rest = rest.get(BLOCK + size.checked_add(BLOCK - 1)? / BLOCK * BLOCK..)?;
    }
}

/// A field up to its first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or(field)
}

fn octal(field: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(text(field)).ok()?.trim_matches(' ');
    usize::from_str_radix(digits, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, kind: u8, data: &[u8]) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header.extend_from_slice(data);
        header.resize((header.len() + BLOCK - 1) / BLOCK * BLOCK, 0);
        header
    }

    #[test]
    fn a_member_is_found_behind_others() {
        let parts = [
            entry("a", b'0', &[1; 513]),
            entry("b", b'5', b""),
            entry("b", b'0', b"second"),
            vec![0; 1024],
        ];
        let archive = parts.concat();
        assert_eq!(member(&archive, "a"), Some(&[1; 513][..]));
        assert_eq!(member(&archive, "b"), Some(&b"second"[..]));
        assert_eq!(member(&archive, "c"), None);
    }

    #[test]
    fn damage_is_no_member_and_no_panic() {
        let archive = entry("a", b'0', &[1; 513]);
        for size in 0..archive.len() {
            assert_eq!(
                member(&archive[..size], "a").is_some(),
                size >= BLOCK + 513,
                "{size} bytes"
            );
            assert_eq!(member(&archive[..size], "b"), None);
        }
        for lie in ["777777777777", "\0          ", "-0000000001\0", "00000000009\0"] {
            let mut lying = archive.clone();
            lying[124..136].copy_from_slice(format!("{lie:\0<12}").as_bytes());
            assert_eq!(member(&lying, "a"), None, "{lie:?}");
        }
    }
}
