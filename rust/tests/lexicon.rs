//! Words that are not left to the model. The tests need a built variant: see README.md.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common::{models, opened, Copy};
use g2p::{Error, ErrorKind, Model, OpenOptions, Options, Source};

/// A file with this text. It is removed when dropped.
struct Listed(PathBuf);

impl Listed {
    fn new(name: &str, data: impl AsRef<[u8]>) -> Listed {
        let path = std::env::temp_dir().join(format!("g2p-lexicon-{name}-{}", std::process::id()));
        fs::write(&path, data).unwrap();
        Listed(path)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A table of one English word: docs/lexicon.md. It has no symbols, so each byte stands behind a 255.
fn table(word: &str, pronunciations: &str) -> Vec<u8> {
    let escaped = |text: &str| text.bytes().flat_map(|byte| [255, byte]).collect::<Vec<_>>();
    let (word, said) = (escaped(word), escaped(pronunciations));
    let mut block = vec![0, word.len() as u8];
    block.extend(word);
    block.push(said.len() as u8);
    block.extend(said);
    let (symbols, offsets, first) = (64, 64 + 255 * 8, 64 + 255 * 8 + 8);
    let end = first + block.len() as u32;
    let put = |data: &mut Vec<u8>, numbers: &[u32]| data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    let mut data = b"g2plex\0\x01".to_vec();
    put(&mut data, &[end, 1]);
    data.extend(b"eng-us");
    data.resize(48, 0);
    put(&mut data, &[symbols, offsets, 1, 1]);
    data.resize(offsets as usize, 0);
    put(&mut data, &[first, end]);
    data.extend(block);
    data
}

fn found(model: &Model, word: &str, lang: &str) -> (String, Source) {
    let result = model
        .results(&[word], lang, Options::default())
        .unwrap()
        .remove(0)
        .unwrap();
    (result.phonemes, result.source)
}

#[track_caller]
fn assert_is(result: Result<(), Error>, kind: ErrorKind, part: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn a_users_words_come_first_and_say_so() {
    let list = Listed::new("first", "\u{feff}Grzegorz\tˈɡʐɛɡɔʂ, ˈɡʐɛ\r\n\nGrzegorz\tx\n");
    for (way, model) in models() {
        let (before, _) = found(&model, "Grzegorz", "eng-us");
        model.add_lexicon(&list.0, Some("eng-us")).unwrap();
        assert_eq!(
            found(&model, "Grzegorz", "eng-us"),
            ("ˈɡʐɛɡɔʂ".to_owned(), Source::User),
            "{way}"
        );
        assert_eq!(found(&model, "grzegorz", "eng-us"), (before, Source::Model));
        assert_eq!(found(&model, "Grzegorz", "fin").1, Source::Model);
        assert_eq!(model.look_up("Grzegorz", "eng-us").unwrap(), ["ˈɡʐɛɡɔʂ", "ˈɡʐɛ"]);
        assert!(model.look_up("knight", "eng-us").unwrap().is_empty());
        model.add_words([("Grzegorz", ["ɡ"])], "eng-us").unwrap();
        assert_eq!(
            model.pronounce("Grzegorz", "eng-us").unwrap(),
            "ɡ",
            "the last comes first"
        );
        assert!(!model.tokens(&["Grzegorz"], "eng-us", Options::default()).unwrap()[0].is_empty());
    }
}

#[test]
fn capitals_that_mean_something_are_looked_up_before_they_are_folded() {
    for (_, model) in models() {
        let words = [
            ("US", "juˈɛs"),
            ("us", "əs"),
            ("polish", "ˈpɑlɪʃ"),
            ("Polish", "ˈpoʊlɪʃ"),
        ];
        let words = words.map(|(word, said)| (word.to_owned(), vec![said.to_owned()]));
        model.add_words(words, "eng-us").unwrap();
        let typed = ["US", "us", "Us", "Polish", "POLISH"];
        let said = ["juˈɛs", "əs", "əs", "ˈpoʊlɪʃ", "ˈpɑlɪʃ"];
        assert_eq!(model.pronounce_all(&typed, "eng-us", Options::default()).unwrap(), said);
        assert_eq!(found(&model, "TV", "eng-us"), ("ˈtiˈvi".to_owned(), Source::Letters));
        assert!(model.look_up("TV", "eng-us").unwrap().is_empty());
    }
}

#[test]
fn what_is_no_lexicon() {
    let bad = [
        ("of ˈəv\n", "line 1: 'of ˈəv' has no tab"),
        ("a\tb\n\n\tb\n", "line 3: '' is no word"),
        ("a\tb,,c\n", "line 1: 'b,,c' are no pronunciations"),
    ];
    for (_, model) in models() {
        for (text, part) in bad {
            let list = Listed::new("bad", text);
            assert_is(
                model.add_lexicon(&list.0, Some("eng-us")),
                ErrorKind::InvalidLexicon,
                part,
            );
        }
        let table = Listed::new("table", b"g2plex\0\x01");
        let (list, kind) = (Listed::new("good", "a\tb\n"), ErrorKind::InvalidArgument);
        assert_is(
            model.add_lexicon(&table.0, None),
            ErrorKind::InvalidLexicon,
            "the table is damaged",
        );
        assert_is(model.add_lexicon(&table.0, Some("fin")), kind, "has its own languages");
        assert_is(model.add_lexicon(&list.0, None), kind, "needs a language");
        assert_is(
            model.add_lexicon(&list.0, Some("fins")),
            ErrorKind::UnknownLanguage,
            "did you mean fin?",
        );
        assert_is(
            model.add_lexicon("no/such.tsv", Some("fin")),
            ErrorKind::NoFile,
            "no/such.tsv",
        );
        assert_is(model.add_lexicon("a\0b", Some("fin")), kind, "without a zero");
        assert_eq!(found(&model, "tie", "fin").1, Source::Model);
    }
}

#[test]
fn words_that_are_none() {
    let (invalid, wrong) = (ErrorKind::InvalidLexicon, "holds a tab or a line end");
    for (_, model) in models() {
        for (word, said, part) in [
            ("b\tc", "x", wrong),
            ("b", "x\nc\ty", wrong),
            (" ", " ", "line 2: \" \" is no word"),
            ("b", "", "line 2: '' are no pronunciations"),
            ("b\0", "x", "is no word"),
        ] {
            assert_is(model.add_words([("a", ["x"]), (word, [said])], "eng-us"), invalid, part);
        }
        assert_is(
            model.add_words([("b", ["x"; 0])], "eng-us"),
            invalid,
            "are no pronunciations",
        );
        assert_is(
            model.add_words([("b", ["x"])], "eng\0"),
            ErrorKind::UnknownLanguage,
            "is no language code",
        );
        assert!(model.look_up("a", "eng-us").unwrap().is_empty(), "nothing was added");
        for (word, lang, kind) in [
            ("", "fin", ErrorKind::EmptyWord),
            ("a\tb", "fin", ErrorKind::InvalidWord),
            ("a\0b", "fin", ErrorKind::InvalidWord),
            ("tie", "fins", ErrorKind::UnknownLanguage),
        ] {
            assert_eq!(model.look_up(word, lang).unwrap_err().kind(), kind);
        }
        for number in 0..16 {
            model.add_words([("b", [number.to_string()])], "eng-us").unwrap();
        }
        assert_is(
            model.add_words([("b", ["y"])], "eng-us"),
            ErrorKind::InvalidArgument,
            "has 16 lexicons already",
        );
        assert_eq!(model.pronounce("b", "eng-us").unwrap(), "15");
    }
}

#[test]
fn words_are_added_while_others_are_pronounced() {
    for (_, model) in models() {
        std::thread::scope(|scope| {
            let model = &model;
            for _ in 0..2 {
                scope.spawn(move || {
                    for _ in 0..50 {
                        let said = model.pronounce("knight", "eng-us").unwrap();
                        assert!(said == "ˈnaɪt" || said.starts_with('x'), "{said}");
                    }
                });
            }
            for number in 0..16 {
                model.add_words([("knight", [format!("x{number}")])], "eng-us").unwrap();
            }
        });
        assert_eq!(model.pronounce("knight", "eng-us").unwrap(), "x15");
    }
}

#[test]
fn a_table_has_its_own_languages() {
    let table = Listed::new("english", table("knight", "x,y"));
    for (way, model) in models() {
        model.add_lexicon(&table.0, None).unwrap();
        assert_eq!(
            found(&model, "Knight", "eng-us"),
            ("x".to_owned(), Source::Lexicon),
            "{way}"
        );
        assert_eq!(model.look_up("knight", "eng-us").unwrap(), ["x", "y"]);
        assert_eq!(found(&model, "knight", "fin").1, Source::Model);
        model.add_words([("knight", ["z"])], "eng-us").unwrap();
        assert_eq!(found(&model, "knight", "eng-us"), ("z".to_owned(), Source::User));
    }
}

#[test]
fn an_archives_own_lexicon_comes_before_the_model_or_is_left_out() {
    let copy = Copy::new("own");
    let (library, weights) = (copy.unpacked("libg2p.so"), copy.archive("weights"));
    fs::write(copy.folder.join("own.g2plex"), table("knight", "x")).unwrap();
    let tar = |arguments: [&str; 2], member| {
        let mut tar = Command::new("tar");
        tar.arg("-C")
            .arg(&copy.folder)
            .arg(arguments[0])
            .arg(&weights)
            .arg(arguments[1])
            .arg(member);
        assert!(tar.status().unwrap().success());
    };
    tar(["-xf", "--"], "weights.safetensors");
    tar(["-cf", "own.g2plex"], "weights.safetensors");
    for (lexicon, expected) in [(true, ("x", Source::Lexicon)), (false, ("ˈnaɪt", Source::Model))] {
        let options = OpenOptions::new().lexicon(lexicon);
        // SAFETY: it is the library of the variant.
        let model = unsafe { options.open_with(&library, &weights) }.unwrap();
        assert_eq!(found(&model, "knight", "eng-us"), (expected.0.to_owned(), expected.1));
    }
}

#[test]
fn every_way_to_open_takes_or_leaves_the_variants_own_lexicon() {
    let own = Copy::new("variant").has_lexicon();
    for lexicon in [true, false] {
        for (way, model) in opened(&OpenOptions::new().lexicon(lexicon)) {
            let room = if own && lexicon { 15 } else { 16 };
            for _ in 0..room {
                model.add_words([("a", ["x"])], "eng-us").unwrap();
            }
            assert!(model.add_words([("a", ["x"])], "eng-us").is_err(), "{way}");
        }
    }
}
