//! A variant to test: the default one of the index, opened in every way that this build knows.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use g2p::{default_manifest, Model, OpenOptions};

#[path = "../../src/json.rs"]
pub(crate) mod json;
#[path = "../../src/sha256.rs"]
pub(crate) mod sha256;

use json::Value;

pub(crate) struct Word {
    pub(crate) lang: String,
    pub(crate) word: String,
    pub(crate) ids: Vec<i32>,
    pub(crate) phonemes: String,
}

/// The sixty golden words, by language.
pub(crate) fn golden() -> Vec<(String, Vec<Word>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../g2p_build/reference/golden/embedded.json");
    let data = json::parse(&fs::read(path).unwrap()).unwrap();
    let mut found: Vec<(String, Vec<Word>)> = Vec::new();
    for row in data.get("words").and_then(Value::list).unwrap() {
        let field = |name| row.get(name).and_then(Value::text).unwrap().to_owned();
        let ids = row
            .get("ids")
            .and_then(Value::list)
            .unwrap()
            .iter()
            .map(|id| id.int().unwrap() as i32)
            .collect();
        let word = Word {
            lang: field("lang"),
            word: field("word"),
            ids,
            phonemes: field("ipa"),
        };
        match found.last_mut() {
            Some((lang, words)) if *lang == word.lang => words.push(word),
            _ => found.push((word.lang.clone(), vec![word])),
        }
    }
    assert_eq!(found.iter().map(|(_, words)| words.len()).sum::<usize>(), 60);
    found
}

/// The path of a manifest's archive, "library" or "weights", where the build put it.
pub(crate) fn archive(manifest: &Path, part: &str) -> PathBuf {
    let data = json::parse(&fs::read(manifest).unwrap()).unwrap();
    let entry = data.get("archives").and_then(|archives| archives.get(part)).unwrap();
    let file = entry.get("file").and_then(Value::text).unwrap();
    manifest.parent().unwrap().join("../dist").join(file)
}

/// A copy of the default variant, in the same folders, that a test may damage. It is removed when dropped.
pub(crate) struct Copy {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: PathBuf,
}

impl Copy {
    pub(crate) fn new(name: &str) -> Copy {
        let folder = std::env::temp_dir().join(format!("g2p-test-{name}-{}", std::process::id()));
        let source = default_manifest().unwrap();
        let manifest = folder.join("manifests/copy.json");
        fs::create_dir_all(folder.join("manifests")).unwrap();
        fs::create_dir_all(folder.join("dist")).unwrap();
        fs::copy(&source, &manifest).unwrap();
        let copy = Copy { folder, manifest };
        for part in ["library", "weights"] {
            fs::copy(archive(&source, part), copy.archive(part)).unwrap();
        }
        copy
    }

    pub(crate) fn data(&self) -> Value {
        json::parse(&fs::read(&self.manifest).unwrap()).unwrap()
    }

    /// The path of an archive: "library" or "weights".
    pub(crate) fn archive(&self, part: &str) -> PathBuf {
        archive(&self.manifest, part)
    }

    /// Changes a field of the manifest, given by the names on the way to it, and corrects the manifest's digest.
    pub(crate) fn set(&self, names: &[&str], value: Value) {
        let mut data = self.data();
        *member(&mut data, names) = value;
        object(&mut data).remove("digest");
        let digest = Value::Text(sha256::hex(data.canonical().as_bytes()));
        object(&mut data).insert("digest".to_owned(), digest);
        fs::write(&self.manifest, data.canonical()).unwrap();
    }

    /// Whether the variant has a lexicon of its own.
    pub(crate) fn has_lexicon(&self) -> bool {
        let data = self.data();
        let named = data.get("files").and_then(|files| files.get("lexicon"));
        named.and_then(Value::text).is_some()
    }

    /// Unpacks the library archive and returns the path of one of its members.
    pub(crate) fn unpacked(&self, name: &str) -> PathBuf {
        let unpacked = Command::new("tar")
            .arg("-xf")
            .arg(self.archive("library"))
            .arg("-C")
            .arg(&self.folder)
            .status();
        assert!(unpacked.unwrap().success());
        self.folder.join(name)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn object(value: &mut Value) -> &mut std::collections::BTreeMap<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other:?} is no object"),
    }
}

fn member<'a>(value: &'a mut Value, names: &[&str]) -> &'a mut Value {
    names.iter().fold(value, |value, name| {
        object(value).entry((*name).to_owned()).or_insert(Value::Null)
    })
}

/// The default variant, opened in every way, without its own lexicon. Each model has the name of its way.
pub(crate) fn models() -> Vec<(&'static str, Model)> {
    opened(&OpenOptions::new().lexicon(false))
}

/// The default variant, opened in every way with these options.
pub(crate) fn opened(options: &OpenOptions) -> Vec<(&'static str, Model)> {
    let manifest = default_manifest().unwrap();
    vec![
        ("loaded", options.load(&manifest).unwrap()),
        #[cfg(feature = "static")]
        ("linked", options.open(archive(&manifest, "weights")).unwrap()),
        #[cfg(feature = "static")]
        ("linked, by its manifest", options.open_manifest(&manifest).unwrap()),
    ]
}
