//! What is known of a word besides its phonemes. The tests need a built variant: see README.md.

mod common;

use std::ops::ControlFlow;

use common::{golden, models, opened};
use g2p::{CancelToken, ErrorKind, OpenOptions, Options, Search, Source};

const SCORED: Options<'_> = Options {
    threads: 2,
    most_ids: 0,
    scores: true,
    cancel: None,
};

#[test]
fn results_are_the_plain_answers_and_more() {
    for (way, model) in models() {
        for (lang, rows) in golden() {
            let words: Vec<&str> = rows.iter().map(|row| row.word.as_str()).collect();
            for options in [SCORED, Options::default()] {
                let results = model.results(&words, &lang, options).unwrap();
                assert_eq!(results.len(), rows.len());
                for (row, result) in rows.iter().zip(results) {
                    let result = result.unwrap();
                    assert_eq!(result.phonemes, row.phonemes, "{way}");
                    assert_eq!(
                        (result.source, result.truncated, result.repeats),
                        (Source::Model, false, false)
                    );
                    assert_eq!(result.score.is_some(), options.scores);
                    assert!(result.score.map_or(true, |score| (-5.0..=0.0).contains(&score)));
                }
            }
        }
    }
}

#[test]
fn a_wrong_word_ends_nothing() {
    let long = "x".repeat(99);
    let words = ["knight", "", "two words", "a\tb", "a\0b", &long, "day"];
    let kinds = [
        None,
        Some((ErrorKind::EmptyWord, "is empty")),
        Some((ErrorKind::ForeignCharacter, "' ' (U+0020, a space) at byte 3")),
        Some((ErrorKind::InvalidWord, "a control character")),
        Some((ErrorKind::InvalidWord, "a control character")),
        Some((ErrorKind::WordTooLong, "is 99 bytes")),
        None,
    ];
    for (way, model) in models() {
        let results = model.results(&words, "eng-us", SCORED).unwrap();
        assert_eq!(results.len(), words.len());
        for (index, (result, kind)) in results.iter().zip(kinds).enumerate() {
            match (result, kind) {
                (Ok(result), None) => assert!(!result.phonemes.is_empty() && result.score.is_some(), "{way}"),
                (Err(error), Some((kind, part))) => {
                    assert_eq!((error.kind(), error.word()), (kind, Some(index)), "{way}");
                    assert!(error.to_string().contains(part), "{error}");
                }
                other => panic!("{way}: {other:?}"),
            }
        }
        let results = model.results(&["tie", "yö"], "fins", SCORED).unwrap();
        let unknown =
            |result: &Result<_, g2p::Error>| result.as_ref().unwrap_err().kind() == ErrorKind::UnknownLanguage;
        assert!(results.iter().all(unknown));
        let none: [&str; 0] = [];
        assert!(model.results(&none, "fin", SCORED).unwrap().is_empty());
    }
}

#[test]
fn each_word_may_have_its_own_language() {
    let words = ["tie", "knight", "tie", "habari"];
    let langs = ["fin", "en-US", "eng-us", "sw"];
    for (way, model) in models() {
        let alone: Vec<String> = words
            .iter()
            .zip(langs)
            .map(|(word, lang)| model.pronounce(word, lang).unwrap())
            .collect();
        let owned: Vec<String> = langs.iter().map(ToString::to_string).collect();
        let options = Options::default();
        assert_eq!(model.pronounce_all(&words, &langs, options).unwrap(), alone, "{way}");
        assert_eq!(model.pronounce_all(&words, &owned, options).unwrap(), alone);
        assert_ne!(alone[0], alone[2]);
        let results = model.results(&words, &langs[..], SCORED).unwrap();
        assert!(results
            .iter()
            .zip(&alone)
            .all(|(result, said)| result.as_ref().unwrap().phonemes == *said));
        let ids = model.tokens(&words, &langs, options).unwrap();
        assert_eq!(ids[2], model.tokens(&["tie"], "eng-us", options).unwrap()[0]);
        let mut streamed = vec![String::new(); words.len()];
        let stream = model.stream(&words, &owned[..], SCORED, |found| {
            streamed[found.word] = found.phonemes.to_owned();
            ControlFlow::Continue(())
        });
        assert_eq!((stream, &streamed), (Ok(()), &alone));

        let error = model.pronounce_all(&words, &langs[..3], options).unwrap_err();
        assert_eq!((error.kind(), error.word()), (ErrorKind::InvalidArgument, None));
        assert_eq!(
            error.to_string(),
            "3 languages for 4 words: give one for all, or one for each"
        );
        let none: [&str; 0] = [];
        assert!(model.results(&none, &none, SCORED).unwrap().is_empty());
        for code in ["eng", "e\0s"] {
            let wrong = ["fin", "eng-us", code, "swa"];
            let error = model.pronounce_all(&words, &wrong, options).unwrap_err();
            assert_eq!((error.kind(), error.word()), (ErrorKind::UnknownLanguage, Some(2)));
        }
        let results = model.results(&words, &["fin", "eng-us", "eng", "swa"], SCORED).unwrap();
        assert_eq!(
            results.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [true, true, false, true]
        );
    }
}

#[test]
fn a_stream_knows_as_much() {
    let words = ["knight", "day", "TV"];
    for (_, model) in models() {
        model.add_words([("day", ["x"])], "eng-us").unwrap();
        let expected = model.results(&words, "eng-us", SCORED).unwrap();
        let mut count = 0;
        let streamed = model.stream(&words, "eng-us", SCORED, |found| {
            let expected = expected[found.word].as_ref().unwrap();
            assert_eq!((found.phonemes, found.source), (&*expected.phonemes, expected.source));
            assert_eq!((found.truncated, found.repeats), (expected.truncated, expected.repeats));
            assert_eq!(found.score.map(f32::to_bits), expected.score.map(f32::to_bits));
            assert_eq!(found.ids.is_empty(), found.source != Source::Model);
            count += 1;
            ControlFlow::Continue(())
        });
        assert_eq!((streamed, count), (Ok(()), 3));
    }
}

#[test]
fn passes_are_counted_for_each_word_and_for_all() {
    let words = ["habari", "pigano", "mtoto"];
    let alone = Options { threads: 1, ..SCORED };
    for (way, model) in models() {
        model.add_words([("mtoto", ["x"])], "swa").unwrap();
        let results = model.results(&words, "swa", alone).unwrap();
        let [first, second, known] = <[_; 3]>::try_from(results).unwrap().map(Result::unwrap);
        assert_eq!((known.passes, known.drafted, known.accepted), (0, 0, 0), "{way}");
        let counts = model.statistics();
        assert_eq!(counts.words, 2);
        assert_eq!(counts.passes, u64::from(first.passes + second.passes));
        assert_eq!(counts.drafted, u64::from(first.drafted + second.drafted));
        assert_eq!(counts.accepted, u64::from(first.accepted + second.accepted));
        assert!(counts.passes < counts.ids && 0 < counts.accepted && counts.accepted <= counts.drafted);
        assert!(counts.encode_ns > 0 && counts.prefill_ns > 0 && counts.step_ns > 0 && counts.draft_ns > 0);
        let mut streamed = 0;
        let stream = model.stream(&words, "swa", alone, |found| {
            streamed += u64::from(found.passes);
            ControlFlow::Continue(())
        });
        assert_eq!(
            (stream, model.statistics().passes),
            (Ok(()), counts.passes + streamed),
            "{way}"
        );
        assert_eq!(model.guess("habari", "swa").unwrap(), "haɓaɾi");
        let refused = |word, lang| model.guess(word, lang).unwrap_err().kind();
        assert_eq!(refused("", "swa"), ErrorKind::EmptyWord);
        assert_eq!(refused("a\0b", "swa"), ErrorKind::InvalidWord);
        assert_eq!(refused("habari", "xx"), ErrorKind::UnknownLanguage);
    }
    for (_, model) in opened(&OpenOptions::new().lexicon(false).draft(false)) {
        let [found] = <[_; 1]>::try_from(model.results(&["habari"], "swa", alone).unwrap()).unwrap();
        let found = found.unwrap();
        assert_eq!((found.passes, found.drafted, found.accepted), (9, 0, 0));
        assert_eq!(
            (
                model.statistics().draft_ns,
                model.guess("habari", "swa").unwrap().as_str()
            ),
            (0, "")
        );
    }
}

#[test]
fn a_pronunciation_that_is_cut_off_or_runs_on_says_so() {
    for (_, model) in models() {
        let bounded = Options { most_ids: 3, ..SCORED };
        let [whole, cut] = [SCORED, bounded].map(|options| {
            let found = model.results(&["yhdyskunta"], "fin", options).unwrap().pop();
            found.unwrap().unwrap()
        });
        assert!(!whole.truncated && cut.truncated && whole.phonemes.starts_with(&cut.phonemes));
        // Which syllables a model does not stop saying depends on its weights.
        let syllables = ["be", "di", "he", "ke", "le", "li", "lo", "me", "mi", "na", "pa", "ta"];
        let long: Vec<String> = syllables.iter().map(|syllable| syllable.repeat(26)).collect();
        let results = model.results(&long, "fin", Options::default()).unwrap();
        assert!(results.into_iter().any(|result| result.unwrap().repeats));
    }
}

#[test]
fn a_cancelled_call_has_no_results() {
    for (_, model) in models() {
        let token = CancelToken::new();
        token.cancel();
        let options = Options {
            cancel: Some(&token),
            ..SCORED
        };
        let error = model.results(&["tie", ""], "fin", options).unwrap_err();
        assert_eq!((error.kind(), error.word()), (ErrorKind::Cancelled, None));
    }
}

/// Results without how many passes they took: what is kept takes none, and guesses depend on what was right lately.
fn said(results: Vec<Result<g2p::Pronunciation, g2p::Error>>) -> Vec<String> {
    let shown = |found: g2p::Pronunciation| format!("{:?}", (found.phonemes, found.source, found.score));
    results
        .into_iter()
        .map(|result| result.map_or_else(|error| format!("{error:?}"), shown))
        .collect()
}

#[test]
fn what_is_kept_is_what_was_said() {
    for (way, model) in models() {
        let (words, langs) = (["tie", "knight", "tie", "2nd"], ["fin", "eng-us", "en", "fin"]);
        let plain = said(model.results(&words, &langs, SCORED).unwrap());
        model.cache_words(2).unwrap();
        for _ in 0..3 {
            let found = said(model.results(&words, &langs, SCORED).unwrap());
            assert_eq!(found, plain, "{way}");
        }
        model.add_words([("knight", ["x"])], "en-US").unwrap();
        assert_eq!(model.pronounce("knight", "eng-us").unwrap(), "x");
        let error = model.cache_words(usize::MAX).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        model.cache_words(0).unwrap();
        assert_eq!(model.language("es").unwrap(), "spa-latin");
        assert_eq!(model.language("de").unwrap_err().kind(), ErrorKind::UnknownLanguage);
    }
}

#[test]
fn the_best_of_several_come_first() {
    let search = Search {
        count: 3,
        ..Search::default()
    };
    for (way, model) in models() {
        for (lang, rows) in golden() {
            let words: Vec<&str> = rows.iter().map(|row| row.word.as_str()).collect();
            let one = Search {
                count: 1,
                beams: 1,
                early_stopping: true,
            };
            let plain = model.results(&words, &lang, SCORED).unwrap();
            let greedy = model.best(&words, &lang, one, SCORED).unwrap();
            for (plain, mut greedy) in plain.into_iter().zip(greedy) {
                let (plain, greedy) = (plain.unwrap(), greedy.remove(0).unwrap());
                assert_eq!((plain.phonemes, plain.score), (greedy.phonemes, greedy.score), "{way}");
            }
            for best in model.best(&words, &lang, search, Options::default()).unwrap() {
                let scores: Vec<f32> = best
                    .iter()
                    .map(|found| found.as_ref().unwrap().score.unwrap())
                    .collect();
                assert!(
                    scores.len() == 3 && scores.windows(2).all(|pair| pair[0] >= pair[1]),
                    "{way}: {scores:?}"
                );
            }
        }
    }
}

#[test]
fn a_search_refuses_what_it_cannot_do() {
    let too_many = Search {
        count: 5,
        ..Search::default()
    };
    for (way, model) in models() {
        let best = model
            .best(&["knight", "", "day"], "eng-us", Search::default(), SCORED)
            .unwrap();
        assert_eq!(best.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1, 3], "{way}");
        let wrong = best[1][0].as_ref().unwrap_err();
        assert_eq!((wrong.kind(), wrong.word()), (ErrorKind::EmptyWord, Some(1)));
        let refused = model.best(&["knight"], "eng-us", too_many, SCORED).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
        assert_eq!(refused.to_string(), "the best 5 of 4 beams: give 1 to 4, or more beams");
        let stop = CancelToken::new();
        stop.cancel();
        let options = Options {
            cancel: Some(&stop),
            ..Options::default()
        };
        let stopped = model
            .best(&["knight"], "eng-us", Search::default(), options)
            .unwrap_err();
        assert_eq!(stopped.kind(), ErrorKind::Cancelled, "{way}");
    }
}
