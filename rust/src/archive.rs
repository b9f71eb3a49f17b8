//! Finds a manifest's archives beside it, checks them, and unpacks its library once into a cache.
//!
//! The cache is shared with the Python runtime. It has a folder for each archive, named by the archive's SHA-256.
//! Whoever comes first unpacks the library. Before each load, it is compared with the archive, byte for byte.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, ErrorKind};
use crate::manifest::{Archive, Manifest};
use crate::{sha256, tar};

const LARGEST: u64 = 1 << 30; // bytes of a library archive
const ATTEMPTS: u32 = 5; // another process may replace the folder meanwhile

/// The path of a manifest's shared library, which is checked and unpacked.
pub(crate) fn library(manifest: &Manifest) -> Result<PathBuf, Error> {
    let (entry, name) = (manifest.archive("library")?, manifest.library()?);
    let place = find(&manifest.path, &entry.file)?;
    let archive = verified(&place, &entry)?;
    let wrong = || {
        let what = format!("has no member '{name}', which its manifest names");
        Error::in_file(ErrorKind::InvalidArchive, &place, what)
    };
    let library = tar::member(&archive, name).ok_or_else(wrong)?;
    let cache = cache_folder()?;
    unpacked(&cache, &entry.sha256, name, library).map_err(|error| {
        let what = format!("cannot be unpacked into {}: {error}", cache.display());
        Error::in_file(ErrorKind::InvalidArchive, &place, what)
    })
}

/// The path of a manifest's archive, whose size and digest are checked. It is not unpacked: the library reads archives.
pub(crate) fn whole(manifest: &Manifest, role: &str) -> Result<PathBuf, Error> {
    let entry = manifest.archive(role)?;
    let place = find(&manifest.path, &entry.file)?;
    let mut file = opened(&place, &entry)?;
    let found = sha256::hex_of(&mut file).map_err(|error| unreadable(&place, error))?;
    has_digest(&place, &entry, &found)?;
    Ok(place)
}

/// Finds an archive beside the manifest, or in `../dist` from it.
fn find(manifest: &Path, file: &str) -> Result<PathBuf, Error> {
    let folder = manifest.parent().unwrap_or_else(|| Path::new(""));
    let places = [folder.join(file), folder.join("..").join("dist").join(file)];
    places.into_iter().find(|place| place.is_file()).ok_or_else(|| {
        let what = format!("archive {file} is neither beside it nor in ../dist from it: build it, or copy it there");
        Error::in_file(ErrorKind::NoFile, manifest, what)
    })
}

/// Reads an archive and checks that its size and digest are the manifest's.
fn verified(place: &Path, entry: &Archive) -> Result<Vec<u8>, Error> {
    if entry.size > LARGEST {
        return Err(wrong(place, format_args!("has more than {LARGEST} bytes")));
    }
    let mut data = Vec::new();
    let read = opened(place, entry)?.read_to_end(&mut data);
    read.map_err(|error| unreadable(place, error))?;
    has_digest(place, entry, &sha256::hex(&data))?;
    Ok(data)
}

/// Opens an archive whose size is the manifest's. More bytes are not read.
fn opened(place: &Path, entry: &Archive) -> Result<io::Take<File>, Error> {
    let file = File::open(place).map_err(|error| unreadable(place, error))?;
    let size = file.metadata().map_err(|error| unreadable(place, error))?.len();
    if size != entry.size {
        return Err(wrong(
            place,
            format_args!("has {size} bytes, its manifest says {}", entry.size),
        ));
    }
    Ok(file.take(size))
}

fn has_digest(place: &Path, entry: &Archive, found: &str) -> Result<(), Error> {
    if found == entry.sha256 {
        return Ok(());
    }
    let (found, named) = (&found[..16], &entry.sha256[..16]);
    let what = format_args!("has SHA-256 {found}..., its manifest says {named}...");
    Err(wrong(place, what))
}

fn wrong(place: &Path, what: std::fmt::Arguments<'_>) -> Error {
    Error::in_file(
        ErrorKind::WrongDigest,
        place,
        format_args!("{what}: copy or build it again"),
    )
}

fn unreadable(place: &Path, error: io::Error) -> Error {
    Error::in_file(ErrorKind::NoFile, place, format_args!("cannot be read: {error}"))
}

/// The folder that archives are unpacked into: `$G2P_CACHE`, else `g2p` in the user's cache directory.
fn cache_folder() -> Result<PathBuf, Error> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = || variable("HOME");
    let user = if cfg!(windows) {
        variable("LOCALAPPDATA").map(|folder| folder.join("g2p").join("Cache"))
    } else if cfg!(target_os = "macos") {
        home().map(|folder| folder.join("Library/Caches/g2p"))
    } else {
        let folder = variable("XDG_CACHE_HOME").or_else(|| home().map(|folder| folder.join(".cache")));
        folder.map(|folder| folder.join("g2p"))
    };
    variable("G2P_CACHE").or(user).ok_or_else(|| {
        let what = "there is no cache directory to unpack a library into: set G2P_CACHE to a folder";
        Error::new(ErrorKind::InvalidArchive, what)
    })
}

/// Returns the path of a file with these bytes in a folder of the cache. The folder appears by one rename.
fn unpacked(cache: &Path, folder: &str, name: &str, data: &[u8]) -> io::Result<PathBuf> {
    let path = cache.join(folder).join(name);
    let mut failed = None;
    for _ in 0..ATTEMPTS {
        if has_bytes(&path, data) {
            return Ok(path);
        }
        failed = write(cache, &path, data).err();
    }
    Err(failed.unwrap_or_else(|| io::ErrorKind::InvalidData.into()))
}

fn has_bytes(path: &Path, data: &[u8]) -> bool {
    let same_size = fs::metadata(path).map_or(false, |found| found.len() == data.len() as u64);
    same_size && fs::read(path).map_or(false, |found| found == data)
}

fn write(cache: &Path, path: &Path, data: &[u8]) -> io::Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // If this process is killed, the Python runtime removes a folder with such a name later.
    let temporary = cache.join(format!(".unpacking-{}-{number}", std::process::id()));
    fs::create_dir_all(cache)?;
    let _ = fs::remove_dir_all(&temporary); // left by an earlier process with the same number
    fs::create_dir(&temporary)?;
    let written = temporary.join("library");
    let renamed = fs::write(&written, data)
        .and_then(|()| fs::create_dir_all(path.parent().unwrap_or(cache)))
        .and_then(|()| fs::rename(&written, path));
    let _ = fs::remove_dir_all(&temporary);
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("g2p-archive-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_file_is_unpacked_once_and_again_where_it_was_changed() {
        let cache = folder("changed");
        let path = unpacked(&cache, "digest", "lib.so", b"right").unwrap();
        assert_eq!(path, cache.join("digest").join("lib.so"));
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(unpacked(&cache, "digest", "lib.so", b"right").unwrap(), path);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        fs::write(&path, b"wrong").unwrap();
        unpacked(&cache, "digest", "lib.so", b"right").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"right");
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 1, "nothing temporary is left");
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn many_may_unpack_at_once() {
        let cache = folder("many");
        let data = vec![7; 1 << 16];
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(unpacked(&cache, "digest", "lib.so", &data).is_ok()));
            }
        });
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_an_error() {
        let file = folder("file");
        fs::write(&file, b"").unwrap();
        assert!(unpacked(&file, "digest", "lib.so", b"right").is_err());
        fs::remove_file(file).unwrap();
    }
}
