//! The golden words through every call, and what each call promises. The tests need a built variant: see README.md.

mod common;

use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread;

use common::{golden, models, Copy};
use g2p::{default_manifest, CancelToken, ErrorKind, Model, Options, Source};

#[test]
fn every_string_and_id_is_transformers() {
    for (way, model) in models() {
        for (lang, rows) in golden() {
            let words: Vec<&str> = rows.iter().map(|row| row.word.as_str()).collect();
            let phonemes: Vec<&str> = rows.iter().map(|row| row.phonemes.as_str()).collect();
            let ids: Vec<&[i32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
            for (word, expected) in words.iter().zip(&phonemes) {
                assert_eq!(model.pronounce(word, &lang).unwrap(), *expected, "{way}");
            }
            for threads in [0, 1, 2, 3, 16] {
                let options = Options {
                    threads,
                    ..Options::default()
                };
                assert_eq!(
                    model.pronounce_all(&words, &lang, options).unwrap(),
                    phonemes,
                    "{way}, {threads} threads"
                );
                assert_eq!(
                    model.tokens(&words, &lang, options).unwrap(),
                    ids,
                    "{way}, {threads} threads"
                );
            }
        }
    }
}

#[test]
fn a_stream_hands_over_each_word_once() {
    for (_, model) in models() {
        for (lang, rows) in golden() {
            let words: Vec<String> = rows.iter().map(|row| row.word.clone()).collect();
            let mut found = vec![None; words.len()];
            let options = Options {
                threads: 2,
                ..Options::default()
            };
            let streamed = model.stream(&words, &lang, options, |result| {
                assert!(found[result.word].is_none());
                found[result.word] = Some((result.phonemes.to_owned(), result.ids.to_vec()));
                assert_eq!(
                    (result.source, result.truncated, result.score),
                    (Source::Model, false, None)
                );
                ControlFlow::Continue(())
            });
            assert_eq!(streamed, Ok(()));
            let expected: Vec<_> = rows.into_iter().map(|row| Some((row.phonemes, row.ids))).collect();
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn threads_may_share_a_model() {
    fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    for (_, model) in models() {
        let model = shared(model);
        let languages = golden();
        thread::scope(|scope| {
            for (lang, rows) in &languages {
                let model = &model;
                scope.spawn(move || {
                    let words: Vec<&str> = rows.iter().map(|row| row.word.as_str()).collect();
                    let options = Options {
                        threads: 2,
                        ..Options::default()
                    };
                    let found = model.pronounce_all(&words, lang, options).unwrap();
                    assert!(found.iter().zip(rows).all(|(found, row)| *found == row.phonemes));
                });
            }
        });
        // Another thread than the one that opened it may close it.
        thread::spawn(move || drop(model)).join().unwrap();
    }
}

#[test]
fn a_callback_may_break_off() {
    let words = ["tie"; 50];
    for (_, model) in models() {
        for threads in [1, 2] {
            let mut calls = 0;
            let options = Options {
                threads,
                ..Options::default()
            };
            let stopped = model.stream(&words, "fin", options, |_| {
                calls += 1;
                ControlFlow::Break(())
            });
            assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
            assert_eq!(calls, 1);
        }
    }
}

#[test]
fn a_panic_of_a_callback_goes_on_in_the_caller() {
    for (_, model) in models() {
        for threads in [1, 2] {
            let mut calls = 0;
            let options = Options {
                threads,
                ..Options::default()
            };
            let caught = catch_unwind(AssertUnwindSafe(|| {
                model.stream(&["tie"; 50], "fin", options, |result| {
                    calls += 1;
                    panic!("at word {}", result.word);
                })
            }));
            let message = caught.unwrap_err().downcast::<String>().unwrap();
            assert!(message.starts_with("at word "), "{message}");
            assert_eq!(calls, 1);
            assert!(model.pronounce("tie", "fin").is_ok(), "the model is as good as before");
        }
    }
}

#[test]
fn a_token_stops_the_calls_that_have_it() {
    for (_, model) in models() {
        let (token, mut calls) = (CancelToken::new(), 0);
        let options = Options {
            threads: 2,
            cancel: Some(&token),
            ..Options::default()
        };
        assert!(model.tokens(&["tie"], "fin", options).is_ok());
        let words = vec!["yhdyskunta"; 1000];
        let other = token.clone();
        let stopped = model.stream(&words, "fin", options, |_| {
            calls += 1;
            if calls == 3 {
                thread::scope(|scope| drop(scope.spawn(|| other.cancel())));
            }
            ControlFlow::Continue(())
        });
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
        assert!((3..100).contains(&calls), "{calls}");
        let error = model.pronounce_all(&words, "fin", options).unwrap_err();
        assert_eq!((error.kind(), error.word()), (ErrorKind::Cancelled, None));
        assert!(model.pronounce("tie", "fin").is_ok());
    }
}

#[test]
fn a_pronunciation_may_be_bounded() {
    for (_, model) in models() {
        let whole = model.tokens(&["yhdyskunta"], "fin", Options::default()).unwrap();
        let options = Options {
            most_ids: 3,
            ..Options::default()
        };
        assert_eq!(model.tokens(&["yhdyskunta"], "fin", options).unwrap(), [&whole[0][..3]]);
    }
}

#[test]
fn no_words_have_no_phonemes() {
    for (_, model) in models() {
        let none: [&str; 0] = [];
        assert_eq!(model.pronounce_all(&none, "fin", Options::default()).unwrap(), none);
        assert!(model.tokens(&none, "fin", Options::default()).unwrap().is_empty());
        assert!(model
            .stream(&none, "fin", Options::default(), |_| unreachable!())
            .is_ok());
    }
}

#[test]
fn a_model_says_what_it_is() {
    for (_, model) in models() {
        assert_eq!(
            model.languages().unwrap(),
            ["eng-us", "fin", "spa-latin", "swa", "tha", "vie-n"]
        );
        let limits = model.limits();
        assert_eq!((limits.input, limits.ids, limits.vocabulary), (64, 127, 384));
        let info = common::json::parse(model.info().as_bytes()).unwrap();
        assert_eq!(
            info.get("batch").and_then(common::json::Value::int),
            Some(limits.rows as i64)
        );
        assert!(format!("{model:?}").contains("input: 64"));
    }
}

#[test]
fn opened_and_closed_many_times() {
    let manifest = default_manifest().unwrap();
    for _ in 0..50 {
        assert!(Model::load(&manifest)
            .unwrap()
            .pronounce_all(&["a"; 4], "swa", Options::default())
            .is_ok());
    }
}

#[test]
fn a_shared_library_of_the_callers() {
    let copy = Copy::new("callers");
    let library = copy.unpacked("libg2p.so");
    // SAFETY: it is the library of the variant.
    let model = unsafe { Model::open_with(library, copy.archive("weights")) }.unwrap();
    drop(copy); // removes the files: they are loaded and mapped, so the model does not need them
    assert_eq!(model.pronounce("knight", "eng-us").unwrap(), "ˈnaɪt");
}
