//! The command `g2p text`: the words of texts, and what is between them.

use std::ffi::OsString;
use std::io::{self, BufRead, Write};

use crate::command::{print, Stop};
use crate::json;
use crate::{write_phonemes, Wrong};
use g2p::{Model, Options, Part, PartKind};

/// Prints each text with its words pronounced, or as JSON its parts. Without texts, the lines of standard input are some.
pub(crate) fn pronounce(texts: Vec<OsString>, lang: &str, as_json: bool, model: &Model) -> Result<(), Stop> {
    let wrong = |number| format!("text {number} is not UTF-8: give it in that encoding");
    if texts.is_empty() {
        for (number, line) in (1..).zip(io::stdin().lock().split(b'\n')) {
            let text = String::from_utf8(line?).map_err(|_| wrong(number))?;
            pronounce_one(&text, number, lang, as_json, model)?;
        }
    }
    for (number, text) in (1..).zip(texts) {
        let text = text.into_string().map_err(|_| wrong(number))?;
        pronounce_one(&text, number, lang, as_json, model)?;
    }
    Ok(())
}

fn pronounce_one(text: &str, number: usize, lang: &str, as_json: bool, model: &Model) -> Result<(), Stop> {
    let text = text.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(text);
    let parts = model.text(text, lang, Options::default())?;
    for part in &parts {
        if let Some(Err(error)) = &part.result {
            writeln!(io::stderr(), "g2p: text {number}: {error}")?;
        }
    }
    if as_json {
        return print(&as_line(text, lang, &parts));
    }
    let said = parts.iter().map(|part| match &part.result {
        Some(Ok(found)) if !found.phonemes.is_empty() => &found.phonemes,
        _ => &text[part.range.clone()],
    });
    let line: String = said.collect();
    print(&format!("{}\n", line.trim_end_matches(['\r', '\n'])))
}

fn as_line(text: &str, lang: &str, parts: &[Part]) -> String {
    let (mut line, mut start) = ("{\"lang\": ".to_owned(), 0);
    json::write_text(&mut line, lang);
    line.push_str(", \"parts\": [");
    for (place, part) in parts.iter().enumerate() {
        let shown = &text[part.range.clone()];
        line.push_str(if place == 0 { "{\"text\": " } else { ", {\"text\": " });
        json::write_text(&mut line, shown);
        line.push_str(&format!(", \"start\": {start}, \"kind\": \"{}\"", name(part.kind)));
        start += shown.chars().count();
        if let Some(result) = &part.result {
            let wrong = result.as_ref().map_err(Wrong::of);
            line.push_str(", ");
            write_phonemes(&mut line, wrong.as_ref().map(|found| found.phonemes.as_str()));
        }
        line.push('}');
    }
    line.push_str("]}\n");
    line
}

fn name(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Word => "word",
        PartKind::Number => "number",
        PartKind::Space => "space",
        _ => "other",
    }
}
