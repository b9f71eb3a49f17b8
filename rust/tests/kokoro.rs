//! Speech: with the variants of an index that has one of each family. `cargo test --test kokoro -- --ignored` runs these.

use std::time::{Duration, Instant};

use g2p::kokoro::{self, Options, Pieces, Speech};
use g2p::ErrorKind;

const HELLO: &str = "həlˈO wˈɜɹld.";

fn opened() -> Speech {
    Speech::open(kokoro::default_manifest().unwrap()).unwrap()
}

fn usual() -> Options {
    Options::voice("first")
}

/// Half an hour of sound.
fn long() -> String {
    "həlˈO wˈɜɹld, hˈI ðˈɛɹ ænd hˈIɹ. ".repeat(4000)
}

fn sound(pieces: Pieces) -> Vec<f32> {
    pieces.flat_map(|piece| piece.unwrap().samples).collect()
}

fn is_shared<T: Send + Sync>() {}
fn is_sent<T: Send>() {}

#[test]
#[ignore = "needs a speech variant"]
fn pieces_follow_each_other_and_every_character_has_its_place() {
    let (speech, phonemes) = (opened(), "həlˈO wˈɜɹld. ".repeat(12));
    let (mut samples, mut characters) = (0, String::new());
    let mut pieces = 0;
    for piece in speech.speak(&phonemes, &usual()).unwrap() {
        let piece = piece.unwrap();
        assert_eq!(piece.first, samples);
        for timing in &piece.timings {
            characters.push_str(&phonemes[timing.range.clone()]);
            assert!(timing.first >= samples && timing.samples % speech.limits().frame == 0);
        }
        samples += piece.samples.len() as u64;
        pieces += 1;
    }
    assert!(pieces > 1);
    assert_eq!(characters, phonemes);
    assert!(sound(speech.speak(HELLO, &usual()).unwrap())
        .iter()
        .any(|sample| *sample != 0.0));
}

#[test]
#[ignore = "needs a speech variant"]
fn threads_may_share_a_model_and_each_says_what_it_says_alone() {
    is_shared::<Speech>();
    is_sent::<Pieces>();
    let speech = opened();
    let each = |seed| Options {
        seed,
        threads: seed as u32 % 3,
        ..usual()
    };
    let alone: Vec<_> = (0..4)
        .map(|seed| sound(speech.speak(HELLO, &each(seed)).unwrap()))
        .collect();
    assert_ne!(alone[0], alone[1]);
    std::thread::scope(|scope| {
        for (seed, expected) in alone.iter().enumerate() {
            let (speech, options) = (speech.clone(), each(seed as u64));
            scope.spawn(move || assert_eq!(&sound(speech.speak(HELLO, &options).unwrap()), expected));
        }
    });
}

#[test]
#[ignore = "needs a speech variant"]
fn dropping_ends_the_work() {
    let speech = opened();
    let mut pieces = speech.speak(&long(), &usual()).unwrap();
    drop(speech); // the pieces keep the model open
    pieces.next().unwrap().unwrap();
    let began = Instant::now();
    drop(pieces);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
#[ignore = "needs a speech variant"]
fn another_thread_may_cancel() {
    let mut pieces = opened().speak(&long(), &usual()).unwrap();
    pieces.next().unwrap().unwrap();
    let token = pieces.token();
    std::thread::spawn(move || token.cancel()).join().unwrap();
    let kinds: Vec<_> = pieces.filter_map(Result::err).map(|error| error.kind()).collect();
    assert_eq!(kinds, [ErrorKind::Cancelled]);
}

#[test]
#[ignore = "needs a speech variant"]
fn what_is_unknown_is_told_with_its_place_or_skipped() {
    let speech = opened();
    let mut pieces = speech.speak("həl😀O", &usual()).unwrap();
    let error = pieces.next().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.place()), (ErrorKind::UnknownPhoneme, Some(4)));
    assert!(error
        .to_string()
        .contains("no symbol for '😀' (U+1F600), character 4 of the phonemes"));
    assert!(pieces.next().is_none());
    let skipping = Options {
        skip_unknown: true,
        ..usual()
    };
    let skipped = sound(speech.speak("həl😀O", &skipping).unwrap());
    assert_eq!(skipped, sound(speech.speak("həlO", &usual()).unwrap()));
    let nothing = speech.speak("", &usual()).unwrap().next().unwrap().unwrap_err();
    assert_eq!((nothing.kind(), nothing.place()), (ErrorKind::EmptyWord, None));
}

#[test]
#[ignore = "needs a speech variant"]
fn options_that_there_are_not_are_refused() {
    let speech = opened();
    let nine = (0..9).map(|_| ("first", 1.0));
    for (options, kind, said) in [
        (
            Options::voice("third"),
            ErrorKind::UnknownVoice,
            "no voice is named 'third': there is first, second",
        ),
        (Options::voice("fi\0rst"), ErrorKind::UnknownVoice, "no voice is named"),
        (
            Options::mix([]),
            ErrorKind::InvalidArgument,
            "mix has 0 voices: give 1 to 8",
        ),
        (Options::mix(nine), ErrorKind::InvalidArgument, "mix has 9 voices"),
        (
            Options::mix([("first", f64::NAN)]),
            ErrorKind::InvalidArgument,
            "the share of 'first' is nan: give 0 to",
        ),
        (
            Options::mix([("first", 0.0)]),
            ErrorKind::InvalidArgument,
            "no share is above 0",
        ),
        (
            Options { speed: 9.0, ..usual() },
            ErrorKind::InvalidArgument,
            "speed=9.0: give 0.25 to 4",
        ),
        (
            Options {
                threads: 257,
                ..usual()
            },
            ErrorKind::InvalidArgument,
            "threads=257: give 1 to 256",
        ),
    ] {
        let error = speech.speak(HELLO, &options).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(said), "{error}");
    }
    let mixed = |shares: [(&'static str, f64); 2]| sound(speech.speak(HELLO, &Options::mix(shares)).unwrap());
    assert_eq!(
        mixed([("first", 0.3), ("second", 0.7)]),
        mixed([("first", 3.0), ("second", 7.0)])
    );
}

#[test]
#[ignore = "needs a speech variant"]
fn a_text_is_pronounced_and_refused_at_a_place() {
    let (speech, words) = (opened(), g2p::Model::load(g2p::default_manifest().unwrap()).unwrap());
    assert_eq!(speech.languages(), ["eng-us", "spa-latin"]);
    assert_eq!(
        speech.phonemes(" Hello,\nworld. ", "eng-us", &words).unwrap(),
        "hɛlˈO, wˈɜɹld."
    );
    assert_eq!(speech.phonemes("", "eng-us", &words).unwrap(), "");
    for (text, lang, kind, place) in [
        ("é 20", "eng-us", ErrorKind::ForeignCharacter, Some(3)),
        ("a aß", "eng-us", ErrorKind::ForeignCharacter, Some(2)),
        ("tie", "fin", ErrorKind::UnknownLanguage, None),
    ] {
        let error = speech.phonemes(text, lang, &words).unwrap_err();
        assert_eq!((error.kind(), error.place()), (kind, place), "{error}");
    }
}

#[test]
#[ignore = "needs a speech variant"]
fn a_manifest_of_the_other_family_names_what_takes_it() {
    let error = Speech::open(g2p::default_manifest().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidManifest);
    assert!(error.to_string().contains("this loads 'kokoro': g2p::Model"), "{error}");
    let error = g2p::Model::load(kokoro::default_manifest().unwrap()).unwrap_err();
    assert!(
        error.to_string().contains("this loads 'g2p': g2p::kokoro::Speech"),
        "{error}"
    );
}
