//! A file that has its name once it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::command::{reason, Stop};

/// A binary file to write. Until `finish` it is `PATH.part`, which goes where this is dropped before that. A device or a pipe
/// is written at once, and nothing in it is written again.
pub(crate) struct Output {
    what: String, // for messages: the option and its value
    file: File,
    target: PathBuf,
    part: Option<PathBuf>,
}

impl Output {
    /// Opens a file that an option named.
    pub(crate) fn open(path: &Path, option: &str) -> Result<Output, Stop> {
        let what = format!("{option} {}", path.display());
        let failed = |error| explained(&what, &error);
        let kind = match fs::metadata(path) {
            Ok(found) => Some(found.file_type()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if kind.map_or(false, |kind| kind.is_dir()) {
            return Err(Stop::Message(format!("{what} is a folder: give a file's name")));
        }
        let target = resolved(path).map_err(failed)?;
        if kind.map_or(true, |kind| kind.is_file()) {
            let mut name = target.file_name().unwrap_or_default().to_owned();
            name.push(".part");
            let part = target.with_file_name(name);
            let file = locked(&part).map_err(failed)?;
            file.set_len(0).map_err(failed)?; // what a killed run left
            let part = Some(part);
            return Ok(Output {
                what,
                file,
                target,
                part,
            });
        }
        let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        Ok(Output {
            what,
            file,
            target,
            part: None,
        })
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), Stop> {
        let written = self.file.write_all(data);
        written.map_err(|error| explained(&self.what, &error))
    }

    /// Writes bytes over the first ones, where that can be done, and gives the file its name.
    pub(crate) fn finish(mut self, first: &[u8]) -> Result<(), Stop> {
        if let Some(part) = &self.part {
            let done = self
                .file
                .seek(SeekFrom::Start(0))
                .and_then(|_| self.file.write_all(first))
                .and_then(|()| self.file.sync_all())
                .and_then(|()| fs::rename(part, &self.target));
            done.map_err(|error| explained(&self.what, &error))?;
            self.part = None;
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            let _ = fs::remove_file(part);
        }
    }
}

/// The absolute path of a file, which need not exist, without links.
pub(crate) fn resolved(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    match fs::read_link(path) {
        Ok(target) => resolved(&folder.join(target)),
        Err(_) => {
            let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()); // opening says what is wrong
            Ok(folder.join(path.file_name().unwrap_or_default()))
        }
    }
}

/// A part, open for reading and writing, at its beginning. Nobody else gets it as long as it is open.
pub(crate) fn locked(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        if !lock::take(&file) {
            let what = "is being written by another process: wait for it, or give another --output";
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{} {what}", path.display()),
            ));
        }
        if is_at(&file, path)? {
            return Ok(file);
        }
        // Another process has just finished it.
    }
}

/// Whether a path names an open file.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    lock::is_at(file, path)
}

/// Whether two paths name one regular file.
pub(crate) fn is_one_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => one.is_file() && lock::is_same(&one, &other),
        _ => false,
    }
}

/// What is said of a file that `locked`, or the system, does not give.
pub(crate) fn explained(what: &str, error: &io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::WouldBlock => Stop::Message(error.to_string()),
        io::ErrorKind::BrokenPipe => Stop::BrokenPipe,
        _ => Stop::Message(format!("{what}: cannot be written: {}", reason(error))),
    }
}

#[cfg(unix)]
mod lock {
    use std::fs::{self, File, Metadata};
    use std::io;
    use std::os::raw::c_int;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::io::AsRawFd;
    use std::path::Path;

    const EXCLUSIVE: c_int = 2;
    const WITHOUT_WAITING: c_int = 4;

    extern "C" {
        fn flock(descriptor: c_int, operation: c_int) -> c_int;
    }

    /// Locks a file; false: another process has locked it. On a file system without locks everybody has it.
    pub(super) fn take(file: &File) -> bool {
        // SAFETY: the descriptor is of an open file.
        let status = unsafe { flock(file.as_raw_fd(), EXCLUSIVE | WITHOUT_WAITING) };
        status == 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock
    }

    /// Whether a path names an open file.
    pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
        let (open, named) = (file.metadata()?, fs::metadata(path));
        Ok(named.map_or(false, |named| is_same(&open, &named)))
    }

    /// Whether it is said of one file.
    pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }
}

#[cfg(not(unix))]
mod lock {
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;

    pub(super) fn take(_: &File) -> bool {
        true
    }

    pub(super) fn is_at(_: &File, _: &Path) -> io::Result<bool> {
        Ok(true)
    }

    pub(super) fn is_same(_: &Metadata, _: &Metadata) -> bool {
        false
    }
}
