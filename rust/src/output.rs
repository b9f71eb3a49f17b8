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
        let failed = |error| cannot_be_written(&what, &error);
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
            let file = locked(&part).map_err(failed)?.ok_or_else(|| {
                let advice = "wait for it, or give another --output";
                Stop::Message(format!(
                    "{} is being written by another process: {advice}",
                    part.display()
                ))
            })?;
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
        written.map_err(|error| cannot_be_written(&self.what, &error))
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
            done.map_err(|error| cannot_be_written(&self.what, &error))?;
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

fn cannot_be_written(what: &str, error: &io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::BrokenPipe,
        _ => Stop::Message(format!("{what}: cannot be written: {}", reason(error))),
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
        Err(_) => Ok(fs::canonicalize(folder)?.join(path.file_name().unwrap_or_default())),
    }
}

/// A part, open for writing, at its beginning. Nobody else gets it as long as it is open; None: somebody has it.
fn locked(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        if !lock::take(&file) {
            return Ok(None);
        }
        if lock::is_at(&file, path)? {
            return Ok(Some(file));
        }
        // Another process has just finished it.
    }
}

#[cfg(unix)]
mod lock {
    use std::fs::{self, File};
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
        Ok(named.map_or(false, |named| (named.dev(), named.ino()) == (open.dev(), open.ino())))
    }
}

#[cfg(not(unix))]
mod lock {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn take(_: &File) -> bool {
        true
    }

    pub(super) fn is_at(_: &File, _: &Path) -> io::Result<bool> {
        Ok(true)
    }
}
