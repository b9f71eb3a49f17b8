//! The symbols of a pronunciation, as lexicons of speech tools separate them: docs/lists.md describes them.

use crate::categories::{BREAKS, MARKS};

const STRESS: &str = "ˈˌ"; // letters to Unicode, boundaries to us
const TIES: &str = "\u{361}\u{35c}";
const NASALS: &str = "ᵐᶬⁿᶯᶮᵑᶰ"; // superscripts that belong to the letter behind them: ⁿd

/// Splits a pronunciation into symbols: a letter with the marks and modifiers that belong to it.
pub(crate) fn phones(phonemes: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // Whether the next letter, or the next mark, goes with the last symbol.
    let (mut joins, mut inside) = (false, false);
    let mut rest = phonemes.chars();
    while let Some(symbol) = rest.next() {
        if STRESS.contains(symbol) || is_in(BREAKS, symbol) {
            (joins, inside) = (false, false);
            continue;
        }
        let behind = rest.clone().next().unwrap_or(' ');
        let mark = is_in(MARKS, symbol);
        let starts = !inside || (NASALS.contains(symbol) && behind.is_alphabetic() && !is_in(MARKS, behind));
        match found.last_mut() {
            Some(last) if if mark { joins || !starts } else { joins } => {
                last.push(symbol);
                joins = mark && (joins || TIES.contains(symbol));
            }
            _ => {
                found.push(symbol.to_string());
                joins = mark;
            }
        }
        inside = true;
    }
    found
}

fn is_in(ranges: &[(u32, u32)], symbol: char) -> bool {
    let code = u32::from(symbol);
    let place = ranges.partition_point(|&(_, last)| last < code);
    ranges.get(place).map_or(false, |&(first, _)| first <= code)
}
