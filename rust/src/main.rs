//! The command `g2p`: words, or lines from standard input, to phonemes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::process::exit;

use command::{exit_code, print, print_info, reason, system, utf8, Argument, Arguments, Stop};
use g2p::{CancelToken, Error, Model, Options, Pronunciation, Search, Statistics};
use json::Value;
use output::Output;
use phones::phones;
use unfinished::Unfinished;

mod categories;
#[allow(dead_code)] // what only the other command needs
mod command;
#[allow(dead_code)]
mod json;
#[allow(dead_code)]
mod output;
mod phones;
#[allow(dead_code)]
mod sha256;
mod texts;
mod unfinished;

const CHUNK: usize = 65_536; // most bytes in one read of standard input
const SLICE: usize = 256; // words between two flushes of the output
const MOST_BEAMS: i64 = 64;
const LONGEST_LINE: usize = 1 << 20; // bytes: longer than any word, and short enough to keep
const GOES_ON: &str = ": the same command goes on from there";

const HELP: &str = "\
usage: g2p [OPTIONS] pronounce [WORD ...]   words, or the lines of a file or of standard input, to phonemes
       g2p [OPTIONS] text [TEXT ...]        the words of texts, or of standard input, and what is between them
       g2p [OPTIONS] info                   say what the variant is
       g2p [OPTIONS] languages              list the languages that the variant's checkpoint knows

options:
  --lang CODE            language of the words, a code or a tag such as en-US (default: eng-us)
  --manifest FILE        variant to load (default: the index's, for this machine)
  --json                 print JSON, one object a line
  -h, --help             print this

options of pronounce and text:
  --lexicon [LANG=]FILE  words with their pronunciations, which come before the model; of several the last comes first

options of pronounce:
  --input FILE           read the words from a file, one a line
  -o, --output FILE      write a file, which is there once it is whole; the same command goes on where a killed one ended
  --threads N            threads that work on a list (default: one for each processor that the command may use)
  --format FORMAT        tables (tsv, csv), JSON (jsonl, which --json is short for), or a lexicon for Kaldi or the
                         Montreal Forced Aligner (kaldi, mfa; default: tsv)
  --lang-column N        lines have columns with tabs between them; column N has the language, the first other the word
  --details              add where each pronunciation comes from, its score, and notes
  --best N               up to N different pronunciations of each word, the best first, with the details of each
  --beams K              beginnings that --best keeps at each step (default: 4, or N if that is more)
  --stats                say at the end, on standard error, how many passes the model's decoder took
  --on-error WHAT        stop at a wrong word, skip it, or mark it: print it without phonemes (default: stop)
";

fn main() {
    let chosen = Chosen::parse(Arguments::of_process("g2p"));
    exit(exit_code("g2p", chosen.map_err(Stop::Message).and_then(run)))
}

/// What becomes of the other words where one is wrong.
#[derive(Clone, Copy, Default, PartialEq)]
enum OnError {
    #[default]
    Stop,
    Skip,
    Mark,
}

impl OnError {
    fn name(self) -> &'static str {
        match self {
            OnError::Stop => "stop",
            OnError::Skip => "skip",
            OnError::Mark => "mark",
        }
    }
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Tsv,
    Csv,
    Jsonl,
    Kaldi,
    Mfa,
}

impl Format {
    /// Whether it is a pronunciation lexicon: words, and phonemes with spaces between them.
    fn is_lexicon(self) -> bool {
        matches!(self, Format::Kaldi | Format::Mfa)
    }

    fn name(self) -> &'static str {
        match self {
            Format::Tsv => "tsv",
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::Kaldi => "kaldi",
            Format::Mfa => "mfa",
        }
    }
}

/// A word and its language, or what is wrong with its line.
struct Asked {
    word: String,
    lang: String,
    wrong: Option<Wrong>,
}

/// A word, and its pronunciation or what is wrong with it.
struct Row {
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
    best: Option<i64>,
    beams: Option<i64>,
    stats: bool,
    on_error: OnError,
    lang_column: Option<usize>,
    format: Option<Format>,
    input: Option<PathBuf>,
    output: Option<PathBuf>,
    threads: i64,
    json: bool,
    help: bool,
}

impl Chosen {
    /// Parses the command line.
    fn parse(mut given: Arguments) -> Result<Chosen, String> {
        let mut chosen = Chosen::default();
        let mut plain = Vec::new();
        while let Some(argument) = given.next()? {
            let name = match argument {
                Argument::Option(name) => name,
                Argument::Plain(argument) => {
                    plain.push(argument);
                    continue;
                }
            };
            match name.as_str() {
                "--lang" => chosen.lang = Some(given.text()?),
                "--manifest" => chosen.manifest = Some(given.value()?.into()),
                "--lexicon" => chosen.lexicons.push(given.value()?),
                "--on-error" => {
                    chosen.on_error = match given.value()?.to_str() {
                        Some("stop") => OnError::Stop,
                        Some("skip") => OnError::Skip,
                        Some("mark") => OnError::Mark,
                        _ => return Err("argument --on-error: stop, skip or mark is wanted".to_owned()),
                    }
                }
                "--lang-column" => {
                    chosen.lang_column = match given.value()?.to_str().and_then(|text| text.parse().ok()) {
                        Some(column) if column > 0 => Some(column),
                        _ => return Err("argument --lang-column: the number of a column is wanted, from 1".to_owned()),
                    }
                }
                "--format" => {
                    chosen.format = match given.value()?.to_str() {
                        Some("tsv") => Some(Format::Tsv),
                        Some("csv") => Some(Format::Csv),
                        Some("jsonl") => Some(Format::Jsonl),
                        Some("kaldi") => Some(Format::Kaldi),
                        Some("mfa") => Some(Format::Mfa),
                        _ => return Err("argument --format: tsv, csv, jsonl, kaldi or mfa is wanted".to_owned()),
                    }
                }
                "--input" => chosen.input = Some(given.value()?.into()),
                "-o" | "--output" => chosen.output = Some(given.value()?.into()),
                "--threads" => chosen.threads = number(&name, &given.text()?)?,
                "--best" => chosen.best = Some(number(&name, &given.text()?)?),
                "--beams" => chosen.beams = Some(number(&name, &given.text()?)?),
                "--details" => chosen.details = true,
                "--stats" => chosen.stats = true,
                "--json" => chosen.json = true,
                "-h" | "--help" => chosen.help = true,
                other => return Err(given.unknown(other)),
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
        let listed = chosen.format.is_some()
            || chosen.lang_column.is_some()
            || chosen.best.is_some()
            || chosen.beams.is_some()
            || chosen.input.is_some()
            || chosen.output.is_some()
            || chosen.threads != 0;
        match chosen.command.as_str() {
            "pronounce" => chosen.checked(),
            "text" | "info" | "languages"
                if chosen.details || chosen.stats || chosen.on_error != OnError::Stop || listed =>
            {
                let only = "--details, --best, --beams, --stats, --on-error, --format, --lang-column, --input, --output and --threads";
                Err(format!("only `g2p pronounce` takes {only}"))
            }
            "text" => Ok(chosen),
            "info" | "languages" if !chosen.lexicons.is_empty() => {
                Err("only `g2p pronounce` and `g2p text` take --lexicon".to_owned())
            }
            "info" | "languages" if chosen.words.is_empty() => Ok(chosen),
            "info" | "languages" => Err(format!("unrecognized argument {:?}: see `g2p --help`", chosen.words[0])),
            other => Err(format!("there is no command {other:?}: see `g2p --help`")),
        }
    }

    /// Refuses options that say two things.
    fn checked(self) -> Result<Chosen, String> {
        if !self.words.is_empty() && (self.lang_column.is_some() || self.input.is_some()) {
            return Err("give words, or a list of them with --input or on standard input, not both".to_owned());
        }
        if !self.words.is_empty() && self.output.is_some() {
            let what = "--output is for a list, with --input or on standard input: send what words give to a file by >";
            return Err(what.to_owned());
        }
        if !(0..=256).contains(&self.threads) {
            let threads = self.threads;
            return Err(format!(
                "threads={threads}: give 1 to 256, or 0 for one for each processor"
            ));
        }
        if self.json && self.format.map_or(false, |format| format != Format::Jsonl) {
            let format = self.format().name();
            return Err(format!(
                "--json is short for --format jsonl: leave out one of --json and --format {format}"
            ));
        }
        if self.lang.is_some() && self.lang_column.is_some() {
            let what = "--lang names one language for all words, --lang-column one for each: give one of them";
            return Err(what.to_owned());
        }
        self.check_search()?;
        if self.format().is_lexicon() && (self.details || self.on_error == OnError::Mark) {
            let unfit = if self.details { "--details" } else { "--on-error mark" };
            let what = "lexicon has words with phonemes and nothing else: leave it out";
            return Err(format!("{unfit}: a {} {what}", self.format().name()));
        }
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
    fn beams_for(&self, best: i64) -> i64 {
        self.beams.unwrap_or(best.max(4))
    }

    /// Whether a word's line has its details. Lines of a search need scores to be told apart.
    fn detailed(&self) -> bool {
        self.details || (self.best.is_some() && !self.format().is_lexicon())
    }

    fn format(&self) -> Format {
        self.format
            .unwrap_or(if self.json { Format::Jsonl } else { Format::Tsv })
    }

    /// Opens the variant, with the lexicons that were named.
    fn open(&self) -> Result<Model, Stop> {
        let model = self.open_variant()?;
        for (file, lang) in self.named_lexicons() {
            model.add_lexicon(file, lang.as_deref())?;
        }
        Ok(model)
    }

    /// The files of words that come before the model, and the language of each; None for a table.
    fn named_lexicons(&self) -> impl Iterator<Item = (PathBuf, Option<String>)> + '_ {
        self.lexicons.iter().map(|given| {
            let text = given.to_string_lossy();
            let (lang, file) = match text.rsplit_once('=') {
                Some((lang, file)) => (lang, PathBuf::from(file)),
                None => (self.lang(), PathBuf::from(given)),
            };
            (file, Some(lang.to_owned()).filter(|_| !text.ends_with(".g2plex")))
        })
    }

    /// What the output depends on besides the input. Threads and paths change nothing.
    fn depends_on(&self) -> Result<BTreeMap<String, Value>, Stop> {
        let manifest = self.manifest_path()?;
        let data = json::parse(&std::fs::read(&manifest)?).unwrap_or(Value::Null); // it was opened
        let mut lexicons = Vec::new();
        for (file, lang) in self.named_lexicons() {
            let digest = sha256::hex_of(&mut File::open(file)?)?;
            lexicons.push(Value::List(vec![
                lang.map_or(Value::Null, Value::Text),
                Value::Text(digest),
            ]));
        }
        let text = |text: &str| Value::Text(text.to_owned());
        let fields = [
            ("variant", data.get("digest").cloned().unwrap_or(Value::Null)),
            ("--lexicon", Value::List(lexicons)),
            (
                "--lang",
                if self.lang_column.is_some() {
                    Value::Null
                } else {
                    text(self.lang())
                },
            ),
            (
                "--lang-column",
                self.lang_column.map_or(Value::Null, |column| Value::Int(column as i64)),
            ),
            ("--format", text(self.format().name())),
            ("--details", Value::Bool(self.details)),
            ("--on-error", text(self.on_error.name())),
        ];
        let best = self.best.map(|best| {
            let beams = self.beams.map_or(Value::Null, Value::Int);
            ("--best", Value::List(vec![Value::Int(best), beams]))
        });
        Ok(fields
            .into_iter()
            .chain(best)
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }

    fn lang(&self) -> &str {
        self.lang.as_deref().unwrap_or("eng-us")
    }

    fn manifest_path(&self) -> Result<PathBuf, Error> {
        match &self.manifest {
            Some(path) => Ok(path.clone()),
            None => g2p::default_manifest(),
        }
    }

    fn open_variant(&self) -> Result<Model, Error> {
        let manifest = self.manifest_path()?;
        #[cfg(feature = "static")]
        return Model::open_manifest(manifest);
        #[cfg(not(feature = "static"))]
        Model::load(manifest)
    }

    /// Pronounces words. They are lines of a list if `first` is the number of the first of them. Returns the lines to print,
    /// for how many of the words they are, and why the command ends there if it does.
    fn pronounce(
        &self,
        model: &Model,
        asked: Vec<Asked>,
        first: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<(String, usize, Option<String>), Stop> {
        let good = || asked.iter().filter(|asked| asked.wrong.is_none());
        let words: Vec<&str> = good().map(|asked| asked.word.as_str()).collect();
        let langs: Vec<&str> = good().map(|asked| asked.lang.as_str()).collect();
        let mut results = self.results(model, &words, &langs, cancel)?.into_iter();
        let rows = asked.into_iter().map(|Asked { word, lang, wrong }| {
            let found = match wrong {
                Some(wrong) => vec![Err(wrong)],
                None => {
                    let found = results.next().expect("results for each word").into_iter();
                    found.map(|result| result.map_err(|error| Wrong::of(&error))).collect()
                }
            };
            let row = |found| {
                self.refused(Row {
                    word: word.clone(),
                    lang: lang.clone(),
                    found,
                })
            };
            found.into_iter().map(row).collect()
        });
        self.lines_of(rows, first)
    }

    /// The results of each word: one, or of a search those with different phonemes.
    fn results(
        &self,
        model: &Model,
        words: &[&str],
        langs: &[&str],
        cancel: &CancelToken,
    ) -> Result<Vec<Vec<Result<Pronunciation, Error>>>, Error> {
        let options = Options {
            scores: self.details,
            threads: self.threads as u32, // checked
            cancel: Some(cancel),
            ..Options::default()
        };
        let best = match self.best {
            Some(best) => best,
            None => {
                let results = model.results(words, langs, options)?;
                return Ok(results.into_iter().map(|result| vec![result]).collect());
            }
        };
        let beams = self.beams_for(best) as u32; // checked
        let search = Search {
            count: beams,
            beams,
            early_stopping: false,
        };
        let mut found = model.best(words, langs, search, options)?;
        for results in &mut found {
            let mut seen = Vec::new();
            results.retain(|result| {
                let said = result.as_ref().map(|found| self.said(found)).ok();
                let new = !seen.contains(&said);
                seen.push(said);
                new
            });
            results.truncate(best as usize);
        }
        Ok(found)
    }

    /// What tells a pronunciation from others of its word: its phonemes, or in a lexicon its symbols.
    fn said(&self, found: &Pronunciation) -> String {
        if self.format().is_lexicon() {
            return phones(&found.phonemes).join(" ");
        }
        found.phonemes.clone()
    }

    /// The same word, wrong if the format has no place for it: a lexicon separates what it holds by spaces.
    fn refused(&self, row: Row) -> Row {
        let (word, form) = (&row.word, self.format());
        let what = match &row.found {
            Ok(_) if !form.is_lexicon() => return row,
            Ok(_) if word.split_whitespace().count() > 1 => "a space, and a {} lexicon's words end at one",
            Ok(found) if phones(&found.phonemes).is_empty() => "no phonemes, and a {} lexicon's words have some",
            _ => return row,
        };
        let message = format!("the word '{word}' has {}", what.replace("{}", form.name()));
        let found = Err(Wrong::new("InvalidWord", message));
        Row { found, ..row }
    }

    /// A line for each pronunciation of each word, up to the first wrong word if that ends the command. What a format has no
    /// place for is said only of a word's first.
    fn lines_of(
        &self,
        words: impl Iterator<Item = Vec<Row>>,
        first: Option<usize>,
    ) -> Result<(String, usize, Option<String>), Stop> {
        let (mut lines, mut count) = (String::new(), 0);
        for (place, rows) in words.enumerate() {
            count = place + 1;
            let (row, others) = rows.split_first().expect("a row of each word");
            if let Err(wrong) = &row.found {
                let message = match first {
                    Some(first) => format!("line {}: {}", first + place, wrong.message),
                    None => wrong.message.clone(),
                };
                if self.on_error == OnError::Stop {
                    return Ok((lines, place, Some(message)));
                }
                if wrong.code != "EmptyWord" {
                    writeln!(io::stderr(), "g2p: {message}")?;
                }
                if self.on_error == OnError::Mark {
                    self.write(row, &mut lines);
                }
                continue;
            }
            self.write(row, &mut lines);
            for other in others.iter().filter(|other| other.found.is_ok()) {
                self.write(other, &mut lines);
            }
        }
        Ok((lines, count, None))
    }

    fn write(&self, row: &Row, lines: &mut String) {
        match self.format() {
            Format::Jsonl => self.write_json(row, lines),
            Format::Kaldi => write_entry(row, " ", lines),
            Format::Mfa => write_entry(row, "\t", lines),
            format => self.write_cells(row, format, lines),
        }
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
        lines.push_str(", ");
        write_phonemes(lines, row.found.as_ref().map(|found| found.phonemes.as_str()));
        if let Ok(found) = &row.found {
            lines.push_str(", \"source\": ");
            json::write_text(lines, found.source.name());
            let flags = format!(", \"truncated\": {}, \"repeats\": {}", found.truncated, found.repeats);
            lines.push_str(&flags);
            if self.detailed() {
                lines.push_str(", \"score\": ");
                lines.push_str(
                    &found
                        .score
                        .map_or("null".to_owned(), |score| json::number(score.into())),
                );
            }
        }
        lines.push_str("}\n");
    }
}

/// What JSON says of a word: its phonemes, or what is wrong with it.
fn write_phonemes(line: &mut String, found: Result<&str, &Wrong>) {
    line.push_str("\"phonemes\": ");
    match found {
        Ok(phonemes) => json::write_text(line, phonemes),
        Err(wrong) => {
            line.push_str("null, \"error\": {\"code\": ");
            json::write_text(line, &wrong.code);
            line.push_str(", \"message\": ");
            json::write_text(line, &wrong.message);
            line.push('}');
        }
    }
}

impl Wrong {
    fn of(error: &Error) -> Wrong {
        Wrong::new(&format!("{:?}", error.kind()), error.to_string())
    }

    fn new(code: &str, message: String) -> Wrong {
        Wrong {
            code: code.to_owned(),
            message,
        }
    }
}

/// The number that an option was given.
fn number(name: &str, text: &str) -> Result<i64, String> {
    let wrong = |_| format!("argument {name}: invalid int value: '{text}': see `g2p pronounce --help`");
    text.trim().parse().map_err(wrong)
}

/// A word of a lexicon. None is wrong there.
fn write_entry(row: &Row, between: &str, lines: &mut String) {
    if let Ok(found) = &row.found {
        lines.extend([&row.word, between, &phones(&found.phonemes).join(" "), "\n"]);
    }
}

/// A cell as CSV has it: in quotes where it holds what would end it.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

fn run(mut chosen: Chosen) -> Result<(), Stop> {
    if chosen.help {
        io::stdout().write_all(HELP.as_bytes())?;
        return Ok(());
    }
    let model = chosen.open()?;
    match chosen.command.as_str() {
        "info" => print_info(model.info(), chosen.json),
        "languages" => languages(&chosen, &model),
        "text" => {
            let texts = std::mem::take(&mut chosen.words);
            texts::pronounce(texts, chosen.lang(), chosen.json, &model)
        }
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
    if words.is_empty() {
        return pronounce_list(&chosen, model);
    }
    let words = words.into_iter().map(utf8).collect::<Result<Vec<_>, _>>()?;
    let asked = words.into_iter().map(|word| Asked {
        word,
        lang: chosen.lang().to_owned(),
        wrong: None,
    });
    print(&chosen.header())?;
    let (lines, _, wrong) = chosen.pronounce(model, asked.collect(), None, &CancelToken::new())?;
    print(&lines)?;
    wrong.map_or(Ok(()), |message| Err(Stop::Message(message)))
}

/// Where the results of a list go.
enum Sink {
    Stdout,
    Device(Output),
    Part(Box<Unfinished>),
}

impl Sink {
    /// Opens where the results go, and reads what an earlier run took of the input. Results begin with `head`.
    fn open(chosen: &Chosen, source: &mut impl Read, head: &str) -> Result<Sink, Stop> {
        let path = match &chosen.output {
            None => return print(head).map(|()| Sink::Stdout),
            Some(path) => path,
        };
        let shown = path.display();
        let input = chosen.input.as_deref().unwrap_or_else(|| "/dev/stdin".as_ref());
        if output::is_one_file(input, path) {
            return Err(Stop::Message(format!(
                "--output {shown} is the input itself: give another name"
            )));
        }
        if path.metadata().map_or(false, |found| !found.is_file()) {
            let mut device = Output::open(path, "--output")?;
            device.write(head.as_bytes())?;
            return Ok(Sink::Device(device));
        }
        let mut part = Unfinished::open(path, chosen.depends_on()?)?;
        part.skip(source)?;
        if part.lines > 0 {
            let lines = part.lines;
            writeln!(io::stderr(), "g2p: {shown}: goes on after line {lines} of the input")?;
        } else {
            part.write(head, b"")?;
        }
        Ok(Sink::Part(Box::new(part)))
    }

    /// Adds whole lines, and the lines of the input that they come from.
    fn write(&mut self, lines: &str, taken: &[u8]) -> Result<(), Stop> {
        match self {
            Sink::Stdout => print(lines),
            Sink::Device(device) => device.write(lines.as_bytes()),
            Sink::Part(part) => part.write(lines, taken),
        }
    }
}

/// Pronounces the lines of the input as they arrive, without waiting for more. Typed lines come one by one.
fn pronounce_list(chosen: &Chosen, model: &Model) -> Result<(), Stop> {
    let mut source: Box<dyn Read> = match &chosen.input {
        None => Box::new(io::stdin().lock()),
        Some(path) => {
            let shown = path.display();
            let failed = |error| format!("--input {shown}: cannot be read: {}", reason(&error));
            let file = File::open(path).map_err(failed)?;
            if file.metadata().map_err(failed)?.is_dir() {
                return Err(format!("--input {shown} is a folder: give a file with a word a line").into());
            }
            Box::new(file)
        }
    };
    let mut sink = Sink::open(chosen, &mut source, &chosen.header())?;
    let (token, mut first) = (CancelToken::new(), 1);
    if let Sink::Part(part) = &sink {
        first += part.lines as usize;
        system::cancel_when_interrupted(token.clone());
    }
    pronounce_lines(chosen, model, &mut source, &mut sink, first, &token)?;
    match sink {
        Sink::Part(part) => part.finish(),
        _ => Ok(()),
    }
}

/// Pronounces the rest of the input, whose next line has the number `first`.
fn pronounce_lines(
    chosen: &Chosen,
    model: &Model,
    input: &mut impl Read,
    sink: &mut Sink,
    mut first: usize,
    token: &CancelToken,
) -> Result<(), Stop> {
    let interrupted = || Stop::Interrupted(GOES_ON);
    let mut chunk = vec![0; CHUNK];
    let mut rest = Vec::new();
    loop {
        let size = match input.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                if token.is_cancelled() {
                    return Err(interrupted());
                }
                continue;
            }
            read => read?,
        };
        rest.extend_from_slice(&chunk[..size]);
        let whole = match rest.iter().rposition(|&byte| byte == b'\n') {
            Some(end) => end + 1,
            None if size == 0 => rest.len(),
            None if rest.len() > LONGEST_LINE => {
                let what = "has more than 1,048,576 bytes: give a list with a word a line";
                return Err(format!("line {first} {what}").into());
            }
            None => continue,
        };
        let lines: Vec<&[u8]> = rest[..whole].split_inclusive(|&byte| byte == b'\n').collect();
        for some in lines.chunks(SLICE) {
            let asked = (first..).zip(some).map(|(number, line)| asked_by(chosen, line, number));
            let made = chosen.pronounce(model, asked.collect(), Some(first), token);
            if token.is_cancelled() {
                return Err(interrupted());
            }
            let (lines, count, wrong) = made?;
            sink.write(&lines, &some[..count].concat())?;
            if let Some(message) = wrong {
                let goes_on = chosen
                    .output
                    .is_some()
                    .then(|| format!("; mended, or with --on-error skip{GOES_ON}"));
                return Err(Stop::Message(message + &goes_on.unwrap_or_default()));
            }
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
