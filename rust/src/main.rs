//! The command `g2p`: words, or lines from standard input, to phonemes.

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::process::exit;

use g2p::{Error, Model, Options, Pronunciation, Search, Statistics};

#[path = "json.rs"]
#[allow(dead_code)]
mod json;

const CHUNK: usize = 65_536; // most bytes in one read of standard input
const SLICE: usize = 256; // words between two flushes of the output
const MOST_BEAMS: u32 = 64;

const HELP: &str = "\
usage: g2p [OPTIONS] pronounce [WORD ...]   words, or the lines of standard input, to phonemes
       g2p [OPTIONS] info                   say what the variant is
       g2p [OPTIONS] languages              list the languages that the variant's checkpoint knows

options:
  --lang CODE            language of the words, a code or a tag such as en-US (default: eng-us)
  --manifest FILE        variant to load (default: the index's, for this machine)
  --json                 print JSON, one object a line
  -h, --help             print this

options of pronounce:
  --lexicon [LANG=]FILE  words with their pronunciations, which come before the model; of several the last comes first
  --format FORMAT        tables (tsv, csv) or JSON (jsonl, which --json is short for; default: tsv)
  --lang-column N        lines have columns with tabs between them; column N has the language, the first other the word
  --details              add where each pronunciation comes from, its score, and notes
  --best N               up to N different pronunciations of each word, the best first, with the details of each
  --beams K              beginnings that --best keeps at each step (default: 4, or N if that is more)
  --stats                say at the end, on standard error, how many passes the model's decoder took
  --on-error WHAT        stop at a wrong word, skip it, or mark it: print it without phonemes (default: stop)
";

/// Why the command ends early.
enum Stop {
    Message(String),
    BrokenPipe,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Message(error.to_string())
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.kind() {
            ErrorKind::BrokenPipe => Stop::BrokenPipe,
            _ => Stop::Message(format!("cannot read or write: {error}")),
        }
    }
}

fn main() {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    exit(match Chosen::parse(arguments).map_err(Stop::Message).and_then(run) {
        Ok(()) => 0,
        Err(Stop::Message(message)) => {
            let _ = writeln!(io::stderr(), "g2p: {message}");
            2
        }
        Err(Stop::BrokenPipe) => 141,
    })
}

/// What becomes of the other words where one is wrong.
#[derive(Clone, Copy, Default, PartialEq)]
enum OnError {
    #[default]
    Stop,
    Skip,
    Mark,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Tsv,
    Csv,
    Jsonl,
}

/// A word and its language, or what is wrong with its line.
struct Asked {
    word: String,
    lang: String,
    wrong: Option<Wrong>,
}

/// A word, and its pronunciation or what is wrong with it.
struct Row {
    place: usize, // of the word, from 0
    word: String,
    lang: String,
    found: Result<Pronunciation, Wrong>,
}

struct Wrong {
    code: String,
    message: String,
}

#[derive(Default)]
struct Chosen {
    command: String,
    words: Vec<OsString>,
    lang: Option<String>,
    manifest: Option<PathBuf>,
    lexicons: Vec<OsString>,
    details: bool,
    best: Option<u32>,
    beams: Option<u32>,
    stats: bool,
    on_error: OnError,
    lang_column: Option<usize>,
    format: Option<Format>,
    json: bool,
    help: bool,
}

impl Chosen {
    /// Parses the command line. Options may stand anywhere before `--`.
    fn parse(arguments: Vec<OsString>) -> Result<Chosen, String> {
        let mut chosen = Chosen::default();
        let mut plain = Vec::new();
        let mut rest = arguments.into_iter();
        while let Some(argument) = rest.next() {
            let text = argument.to_string_lossy().into_owned();
            let (name, mut value) = match text.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(OsString::from(value))),
                _ => (text.as_str(), None),
            };
            let mut given = || {
                let value = value.take().or_else(|| rest.next());
                value.ok_or(format!("argument {name}: expected one argument: see `g2p --help`"))
            };
            match name {
                "--lang" => chosen.lang = Some(utf8(given()?)?),
                "--manifest" => chosen.manifest = Some(given()?.into()),
                "--lexicon" => chosen.lexicons.push(given()?),
                "--on-error" => {
                    chosen.on_error = match given()?.to_str() {
                        Some("stop") => OnError::Stop,
                        Some("skip") => OnError::Skip,
                        Some("mark") => OnError::Mark,
                        _ => return Err("argument --on-error: stop, skip or mark is wanted".to_owned()),
                    }
                }
                "--lang-column" => {
                    chosen.lang_column = match given()?.to_str().and_then(|text| text.parse().ok()) {
                        Some(column) if column > 0 => Some(column),
                        _ => return Err("argument --lang-column: the number of a column is wanted, from 1".to_owned()),
                    }
                }
                "--format" => {
                    chosen.format = match given()?.to_str() {
                        Some("tsv") => Some(Format::Tsv),
                        Some("csv") => Some(Format::Csv),
                        Some("jsonl") => Some(Format::Jsonl),
                        _ => return Err("argument --format: tsv, csv or jsonl is wanted".to_owned()),
                    }
                }
                "--best" | "--beams" => {
                    let wanted = format!("argument {name}: a number is wanted");
                    let number = given()?.to_str().and_then(|text| text.parse().ok()).ok_or(wanted)?;
                    *(if name == "--best" {
                        &mut chosen.best
                    } else {
                        &mut chosen.beams
                    }) = Some(number);
                }
                "--details" if value.is_none() => chosen.details = true,
                "--stats" if value.is_none() => chosen.stats = true,
                "--json" if value.is_none() => chosen.json = true,
                "-h" | "--help" if value.is_none() => chosen.help = true,
                "--" if value.is_none() => plain.extend(rest.by_ref()),
                _ if text.starts_with('-') && text.len() > 1 => {
                    return Err(format!("unrecognized argument {text:?}: see `g2p --help`"));
                }
                _ => plain.push(argument),
            }
        }
        if chosen.help {
            return Ok(chosen);
        }
        if plain.is_empty() {
            return Err("a command is wanted: see `g2p --help`".to_owned());
        }
        chosen.words = plain.split_off(1);
        chosen.command = plain[0].to_string_lossy().into_owned();
        let searched = chosen.best.is_some() || chosen.beams.is_some();
        let listed = chosen.format.is_some() || chosen.lang_column.is_some() || searched;
        match chosen.command.as_str() {
            "pronounce" => chosen.checked(),
            "info" | "languages"
                if chosen.details
                    || chosen.stats
                    || chosen.on_error != OnError::Stop
                    || !chosen.lexicons.is_empty()
                    || listed =>
            {
                let only = "--lexicon, --details, --best, --beams, --stats, --on-error, --format and --lang-column";
                Err(format!("only `g2p pronounce` takes {only}"))
            }
            "info" | "languages" if chosen.words.is_empty() => Ok(chosen),
            "info" | "languages" => Err(format!("unrecognized argument {:?}: see `g2p --help`", chosen.words[0])),
            other => Err(format!("there is no command {other:?}: see `g2p --help`")),
        }
    }

    /// Refuses options that say two things.
    fn checked(self) -> Result<Chosen, String> {
        if !self.words.is_empty() && self.lang_column.is_some() {
            return Err("give words, or a list of them with --lang-column on standard input, not both".to_owned());
        }
        if self.json && self.format.map_or(false, |format| format != Format::Jsonl) {
            return Err("--json is short for --format jsonl: leave out one of them".to_owned());
        }
        if self.lang.is_some() && self.lang_column.is_some() {
            let what = "--lang names one language for all words, --lang-column one for each: give one of them";
            return Err(what.to_owned());
        }
        self.check_search()?;
        let unsaid = |given: &&OsString| {
            let text = given.to_string_lossy();
            !text.ends_with(".g2plex") && !text.contains('=')
        };
        match self.lexicons.iter().find(unsaid) {
            Some(file) if self.lang_column.is_some() => {
                let file = file.to_string_lossy();
                Err(format!(
                    "--lexicon {file}: with --lang-column say which language it is of: --lexicon LANG={file}"
                ))
            }
            _ => Ok(self),
        }
    }

    fn check_search(&self) -> Result<(), String> {
        let best = match self.best {
            Some(best) => best,
            None if self.beams.is_none() => return Ok(()),
            None => {
                let what = "--beams is for a search: say with --best how many pronunciations you want of each word";
                return Err(what.to_owned());
            }
        };
        let beams = self.beams_for(best);
        if best < 1 {
            let what = "give how many pronunciations you want of each word, from 1 on";
            return Err(format!("--best {best}: {what}"));
        }
        if best > beams {
            return Err(format!(
                "--best {best}: {beams} beams have no more than {beams}: give more --beams"
            ));
        }
        if beams > MOST_BEAMS {
            return Err(format!("{beams} beams: give up to {MOST_BEAMS}"));
        }
        Ok(())
    }

    /// How many beginnings a search for so many pronunciations keeps.
    fn beams_for(&self, best: u32) -> u32 {
        self.beams.unwrap_or(best.max(4))
    }

    /// Whether a word's line has its details. Lines of a search need scores to be told apart.
    fn detailed(&self) -> bool {
        self.details || self.best.is_some()
    }

    fn format(&self) -> Format {
        self.format
            .unwrap_or(if self.json { Format::Jsonl } else { Format::Tsv })
    }

    /// Opens the variant, with the lexicons that were named.
    fn open(&self) -> Result<Model, Stop> {
        let model = self.open_variant()?;
        for given in &self.lexicons {
            let text = given.to_string_lossy();
            let (lang, file) = match text.rsplit_once('=') {
                Some((lang, file)) => (lang, PathBuf::from(file)),
                None => (self.lang(), PathBuf::from(given)),
            };
            let is_list = !text.ends_with(".g2plex");
            model.add_lexicon(file, Some(lang).filter(|_| is_list))?;
        }
        Ok(model)
    }

    fn lang(&self) -> &str {
        self.lang.as_deref().unwrap_or("eng-us")
    }

    fn open_variant(&self) -> Result<Model, Error> {
        let manifest = match &self.manifest {
            Some(path) => path.clone(),
            None => g2p::default_manifest()?,
        };
        #[cfg(feature = "static")]
        return Model::open_manifest(manifest);
        #[cfg(not(feature = "static"))]
        Model::load(manifest)
    }

    /// Pronounces words. They are lines of standard input if `first` is the number of the first of them.
    fn pronounce(&self, model: &Model, asked: Vec<Asked>, first: Option<usize>) -> Result<(), Stop> {
        let good = || asked.iter().filter(|asked| asked.wrong.is_none());
        let words: Vec<&str> = good().map(|asked| asked.word.as_str()).collect();
        let langs: Vec<&str> = good().map(|asked| asked.lang.as_str()).collect();
        let mut results = self.results(model, &words, &langs)?.into_iter();
        let rows = asked.into_iter().enumerate().flat_map(|(place, asked)| {
            let Asked { word, lang, wrong } = asked;
            let found = match wrong {
                Some(wrong) => vec![Err(wrong)],
                None => {
                    let found = results.next().expect("results for each word").into_iter();
                    let wrong = |error: Error| Wrong::new(&format!("{:?}", error.kind()), error.to_string());
                    found.map(|result| result.map_err(wrong)).collect()
                }
            };
            let row = move |found| Row {
                place,
                word: word.clone(),
                lang: lang.clone(),
                found,
            };
            found.into_iter().map(row)
        });
        self.print_rows(rows, first)
    }

    /// The results of each word: one, or of a search those with different phonemes.
    fn results(
        &self,
        model: &Model,
        words: &[&str],
        langs: &[&str],
    ) -> Result<Vec<Vec<Result<Pronunciation, Error>>>, Error> {
        let options = Options {
            scores: self.details,
            ..Options::default()
        };
        let best = match self.best {
            Some(best) => best,
            None => {
                let results = model.results(words, langs, options)?;
                return Ok(results.into_iter().map(|result| vec![result]).collect());
            }
        };
        let beams = self.beams_for(best);
        let search = Search {
            count: beams,
            beams,
            early_stopping: false,
        };
        let mut found = model.best(words, langs, search, options)?;
        for results in &mut found {
            let mut seen = Vec::new();
            results.retain(|result| {
                let phonemes = result.as_ref().map(|found| found.phonemes.clone()).ok();
                let new = !seen.contains(&phonemes);
                seen.push(phonemes);
                new
            });
            results.truncate(best as usize);
        }
        Ok(found)
    }

    /// Prints a line for each word, up to the first wrong one if that ends the command.
    fn print_rows(&self, rows: impl Iterator<Item = Row>, first: Option<usize>) -> Result<(), Stop> {
        let mut lines = String::new();
        let mut stopped = Ok(());
        for row in rows {
            if let Err(wrong) = &row.found {
                let message = match first {
                    Some(first) => format!("line {}: {}", first + row.place, wrong.message),
                    None => wrong.message.clone(),
                };
                if self.on_error == OnError::Stop {
                    stopped = Err(Stop::Message(message));
                    break;
                }
                if wrong.code != "EmptyWord" {
                    writeln!(io::stderr(), "g2p: {message}")?;
                }
                if self.on_error == OnError::Skip {
                    continue;
                }
            }
            match self.format() {
                Format::Jsonl => self.write_json(&row, &mut lines),
                format => self.write_cells(&row, format, &mut lines),
            }
        }
        print(&lines)?;
        stopped
    }

    /// The lines before the first word's: the names of columns in CSV.
    fn header(&self) -> String {
        if self.format() != Format::Csv {
            return String::new();
        }
        let lang = if self.lang_column.is_some() { ",lang" } else { "" };
        let details = if self.detailed() { ",source,score,notes" } else { "" };
        format!("word,phonemes{lang}{details}\n")
    }

    fn write_cells(&self, row: &Row, format: Format, lines: &mut String) {
        let phonemes = match &row.found {
            Ok(found) => found.phonemes.as_str(),
            // A blank line stays in its place.
            Err(wrong) if wrong.code == "EmptyWord" && format == Format::Tsv => return lines.push('\n'),
            Err(_) => "",
        };
        let mut cells = vec![row.word.as_str(), phonemes];
        if self.lang_column.is_some() {
            cells.push(&row.lang);
        }
        let score;
        if self.detailed() {
            let (source, found_score, notes) = match &row.found {
                Err(_) => ("", None, "wrong"),
                Ok(found) => {
                    let notes = match (found.truncated, found.repeats) {
                        (true, true) => "truncated repeats",
                        (true, false) => "truncated",
                        (false, true) => "repeats",
                        (false, false) => "",
                    };
                    (found.source.name(), found.score, notes)
                }
            };
            score = found_score.map_or(String::new(), |score| format!("{score:.4}"));
            cells.extend([source, &score, notes]);
        }
        match format {
            Format::Csv => lines.push_str(&cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",")),
            _ => lines.push_str(&cells.join("\t")),
        }
        lines.push('\n');
    }

    fn write_json(&self, row: &Row, lines: &mut String) {
        lines.push_str("{\"word\": ");
        json::write_text(lines, &row.word);
        lines.push_str(", \"lang\": ");
        json::write_text(lines, &row.lang);
        lines.push_str(", \"phonemes\": ");
        match &row.found {
            Err(wrong) => {
                lines.push_str("null, \"error\": {\"code\": ");
                json::write_text(lines, &wrong.code);
                lines.push_str(", \"message\": ");
                json::write_text(lines, &wrong.message);
                lines.push('}');
            }
            Ok(found) => {
                json::write_text(lines, &found.phonemes);
                lines.push_str(", \"source\": ");
                json::write_text(lines, found.source.name());
                let flags = format!(", \"truncated\": {}, \"repeats\": {}", found.truncated, found.repeats);
                lines.push_str(&flags);
                if self.detailed() {
                    lines.push_str(", \"score\": ");
                    lines.push_str(&found.score.map_or("null".to_owned(), |score| number(score.into())));
                }
            }
        }
        lines.push_str("}\n");
    }
}

impl Wrong {
    fn new(code: &str, message: String) -> Wrong {
        Wrong {
            code: code.to_owned(),
            message,
        }
    }
}

/// A cell as CSV has it: in quotes where it holds what would end it.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

fn print(lines: &str) -> Result<(), Stop> {
    let mut output = io::stdout().lock();
    output.write_all(lines.as_bytes())?;
    Ok(output.flush()?)
}

/// A number in the fewest digits that give it again, as Python's command writes it.
fn number(value: f64) -> String {
    if value == 0.0 || value.abs() >= 1e-4 {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once("e-").unwrap_or((&text, "0"));
    format!("{digits}e-{exponent:0>2}")
}

fn utf8(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("{value:?} is not UTF-8"))
}

fn run(chosen: Chosen) -> Result<(), Stop> {
    if chosen.help {
        io::stdout().write_all(HELP.as_bytes())?;
        return Ok(());
    }
    let model = chosen.open()?;
    match chosen.command.as_str() {
        "info" => info(&chosen, &model),
        "languages" => languages(&chosen, &model),
        _ => {
            let stats = chosen.stats;
            let ended = pronounce(chosen, &model);
            if stats {
                for line in counted(model.statistics()) {
                    writeln!(io::stderr(), "g2p: {line}")?;
                }
            }
            ended
        }
    }
}

/// Statistics in words, as Python's command has them.
fn counted(counts: Statistics) -> Vec<String> {
    if counts.words == 0 {
        return vec!["the model was not asked: every word is from a lexicon, or wrong".to_owned()];
    }
    let each = counts.passes as f64 / counts.words as f64;
    let counted = format!(
        "{} words by the model: {} ids in {} passes of its decoder, {each:.2} a word; {} ids guessed and checked, {} right",
        counts.words, counts.ids, counts.passes, counts.drafted, counts.accepted
    );
    let times = [
        ("encoder", counts.encode_ns),
        ("prefill", counts.prefill_ns),
        ("passes", counts.step_ns),
        ("guesses", counts.draft_ns),
    ];
    let spent: u64 = times.iter().map(|(_, time)| time).sum();
    let shares: Vec<String> = times
        .iter()
        .map(|(name, time)| format!("{name} {:.1} %", 100.0 * *time as f64 / spent.max(1) as f64))
        .collect();
    let word = spent as f64 / counts.words as f64 / 1000.0;
    vec![counted, format!("{word:.0} µs of work a word: {}", shares.join(", "))]
}

fn pronounce(mut chosen: Chosen, model: &Model) -> Result<(), Stop> {
    let words = std::mem::take(&mut chosen.words);
    print(&chosen.header())?;
    if words.is_empty() {
        return pronounce_input(&chosen, model);
    }
    let words = words.into_iter().map(utf8).collect::<Result<Vec<_>, _>>();
    let asked = words.map_err(Stop::Message)?.into_iter().map(|word| Asked {
        word,
        lang: chosen.lang().to_owned(),
        wrong: None,
    });
    chosen.pronounce(model, asked.collect(), None)
}

/// Pronounces the lines of standard input as they arrive, without waiting for more. Typed lines come one by one.
fn pronounce_input(chosen: &Chosen, model: &Model) -> Result<(), Stop> {
    let mut input = io::stdin().lock();
    let mut chunk = vec![0; CHUNK];
    let (mut rest, mut first) = (Vec::new(), 1);
    loop {
        let size = match input.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        rest.extend_from_slice(&chunk[..size]);
        let whole = match rest.iter().rposition(|&byte| byte == b'\n') {
            Some(end) => end + 1,
            None if size == 0 => rest.len(),
            None => continue,
        };
        let lines: Vec<&[u8]> = rest[..whole].split_inclusive(|&byte| byte == b'\n').collect();
        for some in lines.chunks(SLICE) {
            let words = (first..)
                .zip(some)
                .map(|(number, line)| asked_by(chosen, line, number))
                .collect();
            chosen.pronounce(model, words, Some(first))?;
            first += some.len();
        }
        rest.drain(..whole);
        if size == 0 && rest.is_empty() {
            return Ok(());
        }
    }
}

/// The word of a line and its language.
fn asked_by(chosen: &Chosen, line: &[u8], number: usize) -> Asked {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let text = line
        .strip_prefix("\u{feff}".as_bytes())
        .filter(|_| number == 1)
        .unwrap_or(line);
    let lang = chosen.lang().to_owned();
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(_) => {
            let word = shown(&line[..line.len().min(40)]);
            let wrong = Some(Wrong::new("InvalidWord", format!("{word} is not UTF-8")));
            return Asked { word, lang, wrong };
        }
    };
    let column = match chosen.lang_column {
        Some(column) if !text.trim().is_empty() => column,
        _ => {
            return Asked {
                word: text.trim().to_owned(),
                lang,
                wrong: None,
            }
        }
    };
    let mut cells: Vec<&str> = text.split('\t').map(str::trim).collect();
    let lang = if column <= cells.len() {
        cells.remove(column - 1)
    } else {
        ""
    };
    let word = cells.first().copied().unwrap_or_default();
    let advice = format!("give it in column {column} (a tab ends a column)");
    let wrong = || {
        Wrong::new(
            "UnknownLanguage",
            format!("the word '{word}' has no language: {advice}"),
        )
    };
    Asked {
        word: word.to_owned(),
        lang: lang.to_owned(),
        wrong: lang.is_empty().then(wrong),
    }
}

/// Bytes as Python's command shows them.
fn shown(bytes: &[u8]) -> String {
    let escaped = bytes.iter().flat_map(|byte| byte.escape_ascii()).map(char::from);
    format!("b'{}'", escaped.collect::<String>())
}

fn languages(chosen: &Chosen, model: &Model) -> Result<(), Stop> {
    let codes = model.languages().ok_or_else(|| {
        let what = "this variant's checkpoint does not list its languages: any code that it was trained on will do";
        Stop::Message(what.to_owned())
    })?;
    let mut lines = String::new();
    for code in codes {
        if chosen.json {
            lines.push_str("{\"language\": ");
            json::write_text(&mut lines, code);
            lines.push_str("}\n");
        } else {
            lines.extend([code, "\n"]);
        }
    }
    print(&lines)
}

fn info(chosen: &Chosen, model: &Model) -> Result<(), Stop> {
    let mut lines = String::new();
    if chosen.json {
        lines = format!("{}\n", model.info());
    } else {
        let data = json::parse(model.info().as_bytes());
        flatten(
            &data.map_err(|what| Stop::Message(format!("the library's info: {what}")))?,
            "",
            &mut lines,
        );
    }
    Ok(io::stdout().write_all(lines.as_bytes())?)
}

/// Nested data as lines of a dotted name and a value. A list stays on one line.
fn flatten(value: &json::Value, name: &str, lines: &mut String) {
    let plain = |value: &json::Value| match value {
        json::Value::Text(text) => text.clone(),
        json::Value::Null => String::new(),
        other => other.canonical(),
    };
    match value {
        json::Value::Object(members) => {
            for (key, item) in members {
                flatten(item, format!("{name}.{key}").trim_start_matches('.'), lines);
            }
        }
        json::Value::List(items) => {
            let line = items.iter().map(plain).collect::<Vec<_>>().join(" ");
            lines.extend([name, "\t", &line, "\n"]);
        }
        other => lines.extend([name, "\t", &plain(other), "\n"]),
    }
}
