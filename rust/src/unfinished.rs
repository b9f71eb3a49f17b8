//! The output file of a long list. A run that was killed goes on where its output ends: docs/lists.md says how.
//!
//! While words are pronounced, `out.tsv.part` holds their lines, and the record `out.tsv.part.json` says how many bytes of the
//! input they come from, and the digests of both. When the list has ended, the part takes the output's place. Python's command
//! has the same files, and each goes on with what the other began.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::command::Stop;
use crate::json::{self, Value};
use crate::output::{explained, is_at, locked, resolved};
use crate::sha256::Sha256;

const BETWEEN_RECORDS: Duration = Duration::from_secs(1);

/// What some bytes are: how many, and their digest.
#[derive(Clone)]
struct Counted {
    bytes: u64,
    digest: Sha256,
}

impl Counted {
    fn nothing() -> Counted {
        Counted {
            bytes: 0,
            digest: Sha256::new(),
        }
    }

    fn add(&mut self, data: &[u8]) {
        self.bytes += data.len() as u64;
        self.digest.add(data);
    }

    /// Adds so many bytes of a source, or all that it has.
    fn add_from(&mut self, source: &mut impl Read, bytes: u64) -> io::Result<()> {
        let mut chunk = vec![0; 1 << 16];
        let mut source = source.take(bytes);
        loop {
            match source.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(size) => self.add(&chunk[..size]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A part and its record. Nobody else writes the same part meanwhile.
pub(crate) struct Unfinished {
    place: PathBuf,
    part: PathBuf,
    record: PathBuf,
    file: File,
    run: BTreeMap<String, Value>,
    read: Counted,
    written: Counted,
    /// How many lines of the input the part has the words of.
    pub(crate) lines: u64,
    /// The record: of what was read and written up to the end of a line of the input.
    noted: Value,
    noted_at: Instant,
}

impl Unfinished {
    /// Opens the part of an earlier run, or begins one. `run` is what the lines depend on besides the input.
    pub(crate) fn open(place: &Path, run: BTreeMap<String, Value>) -> Result<Unfinished, Stop> {
        let place = resolved(place).map_err(|error| failed(place, &error))?;
        let beside = |ending: &str| {
            let mut name: OsString = place.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            place.with_file_name(name)
        };
        let (part, record) = (beside(".part"), beside(".part.json"));
        let file = locked(&part).map_err(|error| failed(&part, &error))?;
        let mut unfinished = Unfinished {
            file,
            run,
            read: Counted::nothing(),
            written: Counted::nothing(),
            lines: 0,
            noted: Value::Null,
            noted_at: Instant::now(),
            place,
            part,
            record,
        };
        unfinished.take_earlier()?;
        unfinished
            .write_record()
            .map_err(|error| failed(&unfinished.part, &error))?;
        Ok(unfinished)
    }

    /// Reads past what the part has the words of. The source is at its beginning.
    pub(crate) fn skip(&mut self, source: &mut impl Read) -> Result<(), Stop> {
        let expected = self.noted.get("input").cloned();
        let bytes = number(expected.as_ref(), "bytes").unwrap_or_default();
        self.read = Counted::nothing();
        self.read.add_from(source, bytes)?;
        let digest = expected
            .as_ref()
            .and_then(|input| input.get("sha256"))
            .and_then(Value::text);
        if self.read.bytes != bytes || digest != Some(&self.read.digest.hex()) {
            let lines = self.lines;
            return Err(self.not_ours(&format!(
                "holds the words of another input: the first {lines} lines differ"
            )));
        }
        Ok(())
    }

    /// Adds whole lines, and the lines of the input that they come from, with their ends.
    pub(crate) fn write(&mut self, lines: &str, taken: &[u8]) -> Result<(), Stop> {
        let written = self.file.write_all(lines.as_bytes());
        written.map_err(|error| failed(&self.part, &error))?;
        self.written.add(lines.as_bytes());
        self.read.add(taken);
        self.lines += taken.iter().filter(|&&byte| byte == b'\n').count() as u64;
        if !taken.ends_with(b"\n") {
            return Ok(()); // the last line of the input, which may get longer until another run
        }
        self.note();
        if self.noted_at.elapsed() >= BETWEEN_RECORDS {
            self.save().map_err(|error| failed(&self.part, &error))?;
        }
        Ok(())
    }

    /// Puts the part into the output's place.
    pub(crate) fn finish(self) -> Result<(), Stop> {
        let done = self.file.sync_all().and_then(|()| fs::rename(&self.part, &self.place));
        done.map_err(|error| failed(&self.part, &error))?;
        match fs::remove_file(&self.record) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&self.part, &error)),
            _ => Ok(()),
        }
    }

    /// Takes what the record tells, after the part has been checked and cut to it.
    fn take_earlier(&mut self) -> Result<(), Stop> {
        let size = self.file.metadata().map_err(|error| failed(&self.part, &error))?.len();
        if size == 0 {
            self.note(); // new, or killed before its first line
            return Ok(());
        }
        let none = || self.not_ours("has no record of what it was made from");
        let found = fs::read(&self.record).map_err(|_| none())?;
        let found = json::parse(&found).map_err(|_| none())?;
        let bytes = number(found.get("output"), "bytes").ok_or_else(none)?;
        let (run, lines) = match (found.get("run"), number(found.get("input"), "lines")) {
            (Some(Value::Object(run)), Some(lines)) => (run, lines),
            _ => return Err(none()),
        };
        for name in self.run.keys().chain(run.keys()) {
            let (mine, its) = (self.run.get(name), run.get(name));
            // Until now no line was wrong, so nothing depends on what becomes of a wrong one.
            let stopped = name == "--on-error" && its.and_then(Value::text) == Some("stop");
            if mine != its && !stopped {
                return Err(self.not_ours(&format!("was made with another {name}{}", both(its, mine))));
            }
        }
        let read = self.written.add_from(&mut self.file, bytes);
        read.map_err(|error| failed(&self.part, &error))?;
        let digest = found
            .get("output")
            .and_then(|output| output.get("sha256"))
            .and_then(Value::text);
        if self.written.bytes != bytes || digest != Some(&self.written.digest.hex()) {
            return Err(self.not_ours("was changed since it was written"));
        }
        // Whatever is behind has no record, and may be half a line.
        let cut = self
            .file
            .set_len(bytes)
            .and_then(|()| self.file.seek(SeekFrom::Start(bytes)));
        cut.map_err(|error| failed(&self.part, &error))?;
        self.lines = lines;
        self.noted = found;
        if let Value::Object(members) = &mut self.noted {
            members.insert("run".to_owned(), Value::Object(self.run.clone()));
        }
        Ok(())
    }

    /// Makes the record of what was read and written until now.
    fn note(&mut self) {
        let of = |counted: &Counted| {
            let digest = Value::Text(counted.digest.hex());
            let bytes = Value::Int(counted.bytes as i64);
            BTreeMap::from([("bytes".to_owned(), bytes), ("sha256".to_owned(), digest)])
        };
        let mut input = of(&self.read);
        input.insert("lines".to_owned(), Value::Int(self.lines as i64));
        self.noted = Value::Object(BTreeMap::from([
            ("run".to_owned(), Value::Object(self.run.clone())),
            ("input".to_owned(), Value::Object(input)),
            ("output".to_owned(), Value::Object(of(&self.written))),
        ]));
    }

    /// Puts what was written, and then the record of it, on the disk.
    fn save(&mut self) -> io::Result<()> {
        self.file.sync_all()?; // a record must not be on the disk before what it tells of
        self.noted_at = Instant::now();
        self.write_record()
    }

    fn write_record(&self) -> io::Result<()> {
        let mut name: OsString = self.record.file_name().unwrap_or_default().to_owned();
        name.push(".tmp"); // the part's lock is the record's too
        let temporary = self.record.with_file_name(name);
        fs::write(&temporary, self.noted.canonical())?;
        fs::rename(&temporary, &self.record)
    }

    fn not_ours(&self, why: &str) -> Stop {
        let part = self.part.display();
        Stop::Message(format!(
            "{part} {why}: give what it was made with to go on, or remove it to begin anew"
        ))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After `finish` it is not there any more; and what does not belong to this run stays as it is.
        if self.noted != Value::Null && is_at(&self.file, &self.part).unwrap_or(false) {
            let _ = self.save();
        }
    }
}

fn failed(part: &Path, error: &io::Error) -> Stop {
    match explained(&part.display().to_string(), error) {
        Stop::Message(what) if error.kind() != io::ErrorKind::WouldBlock => {
            Stop::Message(format!("{what}: the same command goes on with what is in it"))
        }
        other => other,
    }
}

/// A member that is a count.
fn number(object: Option<&Value>, name: &str) -> Option<u64> {
    u64::try_from(object?.get(name)?.int()?).ok()
}

/// Two values in words, where they are plain.
fn both(its: Option<&Value>, mine: Option<&Value>) -> String {
    let plain = |value: Option<&Value>| match value {
        Some(Value::Text(text)) => Some(text.clone()),
        Some(Value::Int(number)) => Some(number.to_string()),
        Some(Value::Bool(is)) => Some(if *is { "True" } else { "False" }.to_owned()), // as Python's command
        Some(Value::Null) | None => Some("None".to_owned()),
        Some(Value::List(_) | Value::Object(_)) => None,
    };
    match (plain(its), plain(mine)) {
        (Some(its), Some(mine)) => format!(", {its} and not {mine}"),
        _ => String::new(),
    }
}
