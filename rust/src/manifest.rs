//! Reads and checks manifests and their index, and chooses a manifest from the index.

use std::fs::File;
use std::io::{ErrorKind as IoError, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::json::{self, Value};
use crate::{sha256, target};

const SCHEMA_VERSION: i64 = 2;
const LARGEST: u64 = 1 << 26; // bytes of a manifest or an index

/// The families, each with what speaks or pronounces with it.
const FAMILIES: [(&str, &str); 2] = [
    ("g2p", "g2p::Model, or the command `g2p`, pronounces words with it"),
    ("kokoro", "g2p::kokoro::Speech, or the command `tts`, speaks with it"),
];

/// A manifest whose library runs on this machine.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// Where it is.
    pub(crate) path: PathBuf,
    data: Value,
}

/// An archive that a manifest names.
#[derive(Debug)]
pub(crate) struct Archive {
    /// Its file name, without a folder.
    pub(crate) file: String,
    /// Its digest, 64 hexadecimal digits.
    pub(crate) sha256: String,
    /// Its bytes.
    pub(crate) size: u64,
}

/// Reads a manifest of a family, and checks that its library runs on this machine.
///
/// The library itself checks what it opens.
pub(crate) fn read(path: &Path, family: &str) -> Result<Manifest, Error> {
    let data = checked(path)?;
    let found = data.get("family").and_then(Value::text).unwrap_or_default();
    if found != family {
        let other = FAMILIES.iter().find(|(name, _)| *name == found);
        let advice = other.map_or("update this crate, or build it again", |(_, advice)| *advice);
        let what = format!("a model of the family '{found}', and this loads '{family}': {advice}");
        return Err(Error::in_file(ErrorKind::InvalidManifest, path, what));
    }
    target::check(data.get("target").unwrap_or(&Value::Null))?;
    let path = path.to_owned();
    Ok(Manifest { path, data })
}

impl Manifest {
    fn invalid(&self, what: impl std::fmt::Display) -> Error {
        Error::in_file(ErrorKind::InvalidManifest, &self.path, what)
    }

    /// The archive of a role: `library`, `weights`.
    pub(crate) fn archive(&self, role: &str) -> Result<Archive, Error> {
        let archive = self.data.get("archives").and_then(|archives| archives.get(role));
        let field = |name| archive.and_then(|archive| archive.get(name));
        let text = |name| field(name).and_then(Value::text);
        let invalid = |name, wanted| self.invalid(format_args!("at archives.{role}.{name}: {wanted} wanted"));
        Ok(Archive {
            file: text("file")
                .filter(|name| is_plain(name))
                .ok_or_else(|| invalid("file", "a plain file name is"))?
                .to_owned(),
            sha256: text("sha256")
                .filter(|digest| digest.len() == 64 && digest.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')))
                .ok_or_else(|| invalid("sha256", "64 hexadecimal digits are"))?
                .to_owned(),
            size: field("size")
                .and_then(Value::int)
                .and_then(|size| u64::try_from(size).ok())
                .ok_or_else(|| invalid("size", "a number of bytes is"))?,
        })
    }

    /// The shared library's name in its archive, without a folder.
    pub(crate) fn library(&self) -> Result<&str, Error> {
        let files = self.data.get("files").and_then(|files| files.get("library"));
        let first = files.and_then(Value::list).and_then(|files| files.first());
        first
            .and_then(Value::text)
            .filter(|name| is_plain(name))
            .ok_or_else(|| self.invalid("at files.library: the name of a shared library is wanted"))
    }
}

/// The manifest to load if none is named. The index is in `$G2P_MANIFESTS`, else in `./manifests`. Its default is
/// chosen if that runs on this machine, else the only variant that does.
///
/// # Errors
/// There is no index, it is damaged, no variant in it runs here, or several do and none is the default.
pub fn default_manifest() -> Result<PathBuf, Error> {
    default_of("g2p")
}

/// As `default_manifest`, for a family.
pub(crate) fn default_of(family: &str) -> Result<PathBuf, Error> {
    let folder = match std::env::var_os("G2P_MANIFESTS") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => PathBuf::from("manifests"),
    };
    choose(&folder.join("index.json"), family)
}

fn choose(path: &Path, family: &str) -> Result<PathBuf, Error> {
    let index = read_json(path)?;
    let default = index.get("default").and_then(Value::text);
    let listed = index.get("manifests").and_then(Value::list).unwrap_or_default();
    let runs = |entry: &&Value| target::check(entry.get("target").unwrap_or(&Value::Null)).is_ok();
    let field = |entry: &Value, name| entry.get(name).and_then(Value::text).unwrap_or_default().to_owned();
    let names = |entries: &[&Value]| {
        entries
            .iter()
            .map(|entry| field(entry, "name"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    // Other families' variants are no choice. Of a manifest that cannot be read nobody knows: who loads it says what is wrong.
    let ours = |entry: &&Value| match read_json(&path.with_file_name(field(entry, "file"))) {
        Ok(manifest) => manifest
            .get("family")
            .and_then(Value::text)
            .map_or(true, |found| found == family),
        Err(_) => true,
    };
    let here: Vec<&Value> = listed.iter().filter(runs).filter(ours).collect();
    let preferred = here
        .iter()
        .find(|entry| entry.get("name").and_then(Value::text) == default && default.is_some());
    let entry = match (preferred, here.as_slice()) {
        (Some(entry), _) | (None, [entry]) => *entry,
        (None, []) => {
            let all = names(&listed.iter().collect::<Vec<_>>());
            let what = format!("it lists no {family} variant that runs on this machine, but {all}: build target=host");
            return Err(Error::in_file(ErrorKind::NoFile, path, what));
        }
        (None, several) => {
            let what = format!("it has no default for this machine: name one of {}", names(several));
            return Err(Error::in_file(ErrorKind::NoFile, path, what));
        }
    };
    let file = field(entry, "file");
    if !is_plain(&file) {
        return Err(Error::in_file(
            ErrorKind::InvalidManifest,
            path,
            format!("the file '{file}' is no plain name"),
        ));
    }
    let manifest = path.with_file_name(file);
    if checked(&manifest)?.get("digest").and_then(Value::text) != Some(&field(entry, "digest")) {
        let what = "not the manifest that its index lists: build the variant again";
        return Err(Error::in_file(ErrorKind::InvalidManifest, &manifest, what));
    }
    Ok(manifest)
}

/// Reads a manifest and checks its digest.
fn checked(path: &Path) -> Result<Value, Error> {
    let mut data = read_json(path)?;
    let named = match &mut data {
        Value::Object(members) => members.remove("digest"),
        _ => None,
    };
    let found = Value::Text(sha256::hex(data.canonical().as_bytes()));
    match named {
        Some(digest) if digest == found => {
            if let Value::Object(members) = &mut data {
                members.insert("digest".to_owned(), digest);
            }
            Ok(data)
        }
        Some(_) => {
            let what = "its digest is another than it says: it was changed after it was built";
            Err(Error::in_file(ErrorKind::InvalidManifest, path, what))
        }
        None => Err(Error::in_file(
            ErrorKind::InvalidManifest,
            path,
            "not a manifest: it has no digest",
        )),
    }
}

/// Reads a JSON object and checks that this crate knows its schema version.
fn read_json(path: &Path) -> Result<Value, Error> {
    let invalid = |what: String| Error::in_file(ErrorKind::InvalidManifest, path, what);
    let mut data = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut data));
    if let Err(error) = read {
        return Err(match error.kind() {
            IoError::NotFound => Error::new(
                ErrorKind::NoFile,
                format_args!(
                    "there is no file at {}: build a variant with `doit`, or name a manifest",
                    path.display()
                ),
            ),
            _ => Error::in_file(ErrorKind::NoFile, path, format!("cannot be read: {error}")),
        });
    }
    if data.len() as u64 > LARGEST {
        return Err(invalid(format!("larger than {LARGEST} bytes: no manifest")));
    }
    let value = json::parse(&data).map_err(|what| invalid(format!("not a readable JSON file: {what}")))?;
    match value.get("schema_version").and_then(Value::int) {
        Some(SCHEMA_VERSION) => Ok(value),
        Some(version) if version > SCHEMA_VERSION => Err(Error::in_file(
            ErrorKind::NewerManifest,
            path,
            format!("schema version {version} is newer than {SCHEMA_VERSION}, the one this crate reads: update it"),
        )),
        Some(version) if (1..SCHEMA_VERSION).contains(&version) => Err(invalid(format!(
            "schema version {version} is older than {SCHEMA_VERSION}, the one this crate reads: build the variant again"
        ))),
        _ => Err(invalid("not a manifest: it has no schema_version".to_owned())),
    }
}

/// Whether a text is a file's name without a folder, on every system.
fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
    (1..=255).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with(['.', '+', '-'])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_plain_name_stays_in_its_folder() {
        for name in ["a.tar", "libg2p.so", "embedded-host-b1.8-kv_0+1.tar"] {
            assert!(is_plain(name), "{name}");
        }
        let long = "a".repeat(256);
        for name in [
            "", ".", "..", "../a", "a/b", "a\\b", "c:a", ".hidden", "-a", "a\0", "é", &long,
        ] {
            assert!(!is_plain(name), "{name}");
        }
    }

    /// The text of a valid manifest, and its digest.
    fn manifest(name: &str) -> (String, String) {
        let text = format!("{{\"name\":\"{name}\",\"schema_version\":2}}");
        let digest = sha256::hex(text.as_bytes());
        (format!("{},\"digest\":\"{digest}\"}}", &text[..text.len() - 1]), digest)
    }

    /// Writes an index of variants, given by name and triple. Returns what is chosen from it: a file or an error.
    fn chosen(default: &str, variants: &[(&str, &str)]) -> Result<String, String> {
        let folder = std::env::temp_dir().join(format!("g2p-index-{:?}", std::thread::current().id()));
        fs::create_dir_all(&folder).unwrap();
        let mut entries = Vec::new();
        for (name, triple) in variants {
            let (text, digest) = manifest(name);
            fs::write(folder.join(format!("{name}.json")), text).unwrap();
            entries.push(format!(
                "{{\"name\":\"{name}\",\"file\":\"{name}.json\",\"digest\":\"{digest}\",\"target\":{{\"package\":\
                 \"shared\",\"engine\":\"standalone\",\"triple\":\"{triple}\",\"features\":[]}}}}"
            ));
        }
        let index = folder.join("index.json");
        let entries = entries.join(",");
        fs::write(
            &index,
            format!("{{\"schema_version\":2,\"default\":{default},\"manifests\":[{entries}]}}"),
        )
        .unwrap();
        let found = choose(&index, "g2p");
        if let Ok(path) = &found {
            fs::write(path, manifest("of a later build").0).unwrap();
            assert!(choose(&index, "g2p")
                .unwrap_err()
                .to_string()
                .contains("not the manifest that its index lists"));
        }
        fs::remove_dir_all(&folder).unwrap();
        found
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_default_if_it_runs_here_else_the_only_one_that_does() {
        let (here, there) = (&*target::host_triple(), "riscv64-unknown-none");
        assert_eq!(chosen("\"b\"", &[("a", here), ("b", here)]).unwrap(), "b.json");
        assert_eq!(chosen("\"b\"", &[("a", here), ("b", there)]).unwrap(), "a.json");
        assert_eq!(chosen("null", &[("a", there), ("b", here)]).unwrap(), "b.json");
        let several = chosen("null", &[("a", here), ("b", here)]).unwrap_err();
        assert!(
            several.ends_with("it has no default for this machine: name one of a, b"),
            "{several}"
        );
        let none = chosen("\"a\"", &[("a", there)]).unwrap_err();
        assert!(
            none.ends_with("it lists no g2p variant that runs on this machine, but a: build target=host"),
            "{none}"
        );
        assert_eq!(
            choose(Path::new("no/index.json"), "g2p").unwrap_err().kind(),
            ErrorKind::NoFile
        );
    }
}
