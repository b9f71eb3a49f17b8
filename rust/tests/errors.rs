//! One error of each kind. The tests need a built variant: see README.md.

mod common;

use std::fs;

use common::json::Value;
use common::{models, Copy};
use g2p::{Error, ErrorKind, Model, Options};

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[track_caller]
fn assert_is(error: &Error, kind: ErrorKind, part: &str) {
    let message = error.to_string();
    assert_eq!(error.kind(), kind, "{message}");
    assert!(message.contains(part), "{message}");
    assert!(!message.contains('\n') && !message.is_empty(), "{message}");
}

#[track_caller]
fn refused(manifest: impl AsRef<std::path::Path>, kind: ErrorKind, part: &str) {
    assert_is(&Model::load(manifest.as_ref()).unwrap_err(), kind, part);
}

#[test]
fn words_and_languages() {
    for (_, model) in models() {
        for (word, lang, kind, part) in [
            ("", "fin", ErrorKind::EmptyWord, "the word '' is empty"),
            (" \u{3000}", "fin", ErrorKind::EmptyWord, "is empty"),
            ("a\tb", "fin", ErrorKind::InvalidWord, "a control character"),
            ("a\0b", "fin", ErrorKind::InvalidWord, "a control character"),
            (
                &"pitkä".repeat(20),
                "fin",
                ErrorKind::WordTooLong,
                "is 120 bytes, 127 with its prompt",
            ),
            ("tie", "fins", ErrorKind::UnknownLanguage, "did you mean fin?"),
            ("tie", "", ErrorKind::UnknownLanguage, "'' is no language code"),
            ("tie", "fin\0", ErrorKind::UnknownLanguage, "is no language code"),
        ] {
            assert_is(&model.pronounce(word, lang).unwrap_err(), kind, part);
            if kind != ErrorKind::UnknownLanguage {
                let error = model
                    .tokens(&["tie", "tie", word, ""], lang, Options::default())
                    .unwrap_err();
                assert_eq!((error.kind(), error.word()), (kind, Some(2)));
            }
        }
        let mut calls = 0;
        let error = model.stream(&["tie", ""], "fin", Options::default(), |_| {
            calls += 1;
            std::ops::ControlFlow::Continue(())
        });
        assert_eq!((error.unwrap_err().word(), calls), (Some(1), 0), "none is pronounced");
    }
}

#[test]
fn files_that_are_not_there() {
    refused("no/such.json", ErrorKind::NoFile, "there is no file at no/such.json");
    refused(std::env::temp_dir(), ErrorKind::NoFile, "cannot be read");
    for part in ["library", "weights"] {
        let copy = Copy::new(&format!("missing-{part}"));
        fs::remove_file(copy.archive(part)).unwrap();
        refused(&copy.manifest, ErrorKind::NoFile, "in ../dist");
    }
    #[cfg(unix)]
    {
        let copy = Copy::new("zero");
        let library = copy.unpacked("libg2p.so");
        // SAFETY: it is the library of the variant.
        let error = unsafe { Model::open_with(&library, "a\0b") }.unwrap_err();
        assert_is(&error, ErrorKind::InvalidArgument, "without a zero");
        // SAFETY: as above.
        let error = unsafe { Model::open_with(&library, &library) }.unwrap_err();
        assert_is(&error, ErrorKind::InvalidWeights, "not a safetensors file");
    }
}

#[test]
fn archives_that_were_changed() {
    for part in ["library", "weights"] {
        let copy = Copy::new(&format!("changed-{part}"));
        let place = copy.archive(part);
        let data = fs::read(&place).unwrap();
        let mut other = data.clone();
        other[data.len() / 2] ^= 1;
        fs::write(&place, other).unwrap();
        refused(&copy.manifest, ErrorKind::WrongDigest, "SHA-256");
        fs::write(&place, &data[..data.len() - 1]).unwrap();
        refused(&copy.manifest, ErrorKind::WrongDigest, "bytes");
        fs::write(&place, &data).unwrap();
        assert!(Model::load(&copy.manifest).is_ok());
    }
}

#[test]
fn archives_that_do_not_hold_the_library() {
    let copy = Copy::new("member");
    copy.set(&["files", "library"], Value::List(vec![text("libother.so")]));
    refused(&copy.manifest, ErrorKind::InvalidArchive, "has no member 'libother.so'");
    // A member that is not a library. The loader says so.
    copy.set(&["files", "library"], Value::List(vec![text("tokenizer.json")]));
    refused(&copy.manifest, ErrorKind::LibraryFailed, "does not load");
}

#[test]
fn manifests_that_were_changed() {
    let copy = Copy::new("manifest");
    let good = fs::read_to_string(&copy.manifest).unwrap();
    for (wrong, part) in [
        (
            good.replace("\"unk_id\": 2", "\"unk_id\": 1"),
            "changed after it was built",
        ),
        (good.replace("\"digest\":", "\"another\":"), "no digest"),
        (good[..good.len() / 2].to_owned(), "not a readable JSON file"),
        ("[]".to_owned(), "no schema_version"),
        ("{\"schema_version\": 2}".to_owned(), "no digest"),
        ("[".repeat(100_000), "deeper than 64 levels"),
        (String::new(), "not a readable JSON file"),
    ] {
        assert_ne!(wrong, good);
        fs::write(&copy.manifest, wrong).unwrap();
        refused(&copy.manifest, ErrorKind::InvalidManifest, part);
    }
    fs::write(
        &copy.manifest,
        "{\"schema_version\": 3, \"what\": \"it holds is not ours to read\"}",
    )
    .unwrap();
    refused(&copy.manifest, ErrorKind::NewerManifest, "schema version 3 is newer");
}

#[test]
fn manifests_that_are_whole_and_wrong() {
    let good = Copy::new("fields");
    let data = fs::read(&good.manifest).unwrap();
    let of_another = "of another library";
    for (names, value, kind, part) in [
        (
            &["archives", "library", "file"][..],
            text("../dist/a"),
            ErrorKind::InvalidManifest,
            "a plain file name",
        ),
        (
            &["archives", "library", "sha256"],
            text("../../../x"),
            ErrorKind::InvalidManifest,
            "64 hexadecimal digits",
        ),
        (
            &["archives", "library", "size"],
            Value::Int(-1),
            ErrorKind::InvalidManifest,
            "a number of bytes",
        ),
        (
            &["archives", "library"],
            Value::Null,
            ErrorKind::InvalidManifest,
            "archives.library",
        ),
        (
            &["files", "library"],
            Value::List(vec![text("../x")]),
            ErrorKind::InvalidManifest,
            "files.library",
        ),
        (
            &["model", "unk_id"],
            Value::Int(1),
            ErrorKind::InvalidManifest,
            of_another,
        ),
        (
            &["archives", "weights", "file"],
            text("/etc/passwd"),
            ErrorKind::InvalidManifest,
            "archives.weights.file",
        ),
        (
            &["target", "package"],
            text("objects"),
            ErrorKind::UnsupportedTarget,
            "an app's own tools",
        ),
        (
            &["target", "engine"],
            text("vm"),
            ErrorKind::UnsupportedTarget,
            "TVM's virtual machine",
        ),
        (
            &["target", "triple"],
            text("riscv64-linux-gnu"),
            ErrorKind::UnsupportedTarget,
            "is for riscv64-linux-gnu",
        ),
        (
            &["target", "features"],
            Value::List(vec![text("magic")]),
            ErrorKind::UnsupportedCpu,
            "lacks magic",
        ),
    ] {
        fs::write(&good.manifest, &data).unwrap();
        good.set(names, value);
        if kind != ErrorKind::UnsupportedCpu || cfg!(target_os = "linux") {
            assert_is(&Model::load(&good.manifest).unwrap_err(), kind, part);
        }
    }
}

#[test]
fn files_that_are_not_libraries() {
    let copy = Copy::new("none");
    for path in ["no/such.so", "Cargo.toml"] {
        // SAFETY: neither is a library.
        let error = unsafe { Model::open_with(path, copy.archive("weights")) }.unwrap_err();
        assert_is(&error, ErrorKind::LibraryFailed, "does not load");
    }
}

#[cfg(feature = "static")]
#[test]
fn weights_that_are_not_for_the_linked_library() {
    let copy = Copy::new("linked");
    assert_is(
        &Model::open("no/such.tar").unwrap_err(),
        ErrorKind::NoFile,
        "there is no file at no/such.tar",
    );
    assert_is(
        &Model::open(&copy.manifest).unwrap_err(),
        ErrorKind::InvalidWeights,
        "not a safetensors file",
    );
    let weights = copy.archive("weights");
    let mut data = fs::read(&weights).unwrap();
    *data.last_mut().unwrap() ^= 1;
    fs::write(&weights, data).unwrap();
    assert!(Model::open(&weights).is_ok(), "nothing is verified");
    assert_is(
        &Model::open_manifest(&copy.manifest).unwrap_err(),
        ErrorKind::WrongDigest,
        "SHA-256",
    );
    copy.set(&["model", "unk_id"], Value::Int(1));
    assert_is(
        &Model::open_manifest(&copy.manifest).unwrap_err(),
        ErrorKind::InvalidManifest,
        "of another library",
    );
}
