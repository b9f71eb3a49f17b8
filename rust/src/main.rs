//! The command `g2p`: words, or lines from standard input, to phonemes.

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::process::exit;

use g2p::{Error, Model, Options};

#[path = "json.rs"]
#[allow(dead_code)]
mod json;

const CHUNK: usize = 65_536; // most bytes in one read of standard input
const SLICE: usize = 256; // words between two flushes of the output

const HELP: &str = "\
usage: g2p [OPTIONS] pronounce [WORD ...]   words, or the lines of standard input, to phonemes
       g2p [OPTIONS] info                   say what the variant is
       g2p [OPTIONS] languages              list the languages that the variant's checkpoint knows

options:
  --lang CODE      language code of the words (default: eng-us)
  --manifest FILE  variant to load (default: the index's, for this machine)
  --json           print JSON, one object a line
  -h, --help       print this
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

#[derive(Default)]
struct Chosen {
    command: String,
    words: Vec<OsString>,
    lang: Option<String>,
    manifest: Option<PathBuf>,
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
        match chosen.command.as_str() {
            "pronounce" => Ok(chosen),
            "info" | "languages" if chosen.words.is_empty() => Ok(chosen),
            "info" | "languages" => Err(format!("unrecognized argument {:?}: see `g2p --help`", chosen.words[0])),
            other => Err(format!("there is no command {other:?}: see `g2p --help`")),
        }
    }

    fn open(&self) -> Result<Model, Error> {
        let manifest = match &self.manifest {
            Some(path) => path.clone(),
            None => g2p::default_manifest()?,
        };
        #[cfg(feature = "static")]
        return Model::open_manifest(manifest);
        #[cfg(not(feature = "static"))]
        Model::load(manifest)
    }

    /// Prints rows of names and values: tab-separated, or as objects.
    fn print(&self, rows: &[Vec<(&str, &str)>]) -> Result<(), Stop> {
        let mut lines = String::new();
        for row in rows {
            lines.push_str(if self.json { "{" } else { "" });
            for (number, (name, value)) in row.iter().enumerate() {
                if self.json {
                    lines.push_str(if number > 0 { ", " } else { "" });
                    json::write_text(&mut lines, name);
                    lines.push_str(": ");
                    json::write_text(&mut lines, value);
                } else if number == 0 || *name == "phonemes" {
                    lines.push_str(if number > 0 { "\t" } else { "" });
                    lines.push_str(value);
                }
            }
            lines.push_str(if self.json { "}\n" } else { "\n" });
        }
        let mut output = io::stdout().lock();
        output.write_all(lines.as_bytes())?;
        Ok(output.flush()?)
    }

    fn print_words(&self, lang: &str, words: &[String], phonemes: &[String]) -> Result<(), Stop> {
        let row = |(word, phonemes)| vec![("word", word), ("lang", lang), ("phonemes", phonemes)];
        self.print(
            &words
                .iter()
                .map(String::as_str)
                .zip(phonemes.iter().map(String::as_str))
                .map(row)
                .collect::<Vec<_>>(),
        )
    }
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
        _ => pronounce(chosen, &model),
    }
}

fn pronounce(mut chosen: Chosen, model: &Model) -> Result<(), Stop> {
    let lang = chosen.lang.take().unwrap_or_else(|| "eng-us".to_owned());
    let words = std::mem::take(&mut chosen.words);
    if words.is_empty() {
        return pronounce_input(&chosen, model, &lang);
    }
    let words = words
        .into_iter()
        .map(utf8)
        .collect::<Result<Vec<_>, _>>()
        .map_err(Stop::Message)?;
    let phonemes = model.pronounce_all(&words, &lang, Options::default())?;
    chosen.print_words(&lang, &words, &phonemes)
}

/// Pronounces the lines of standard input as they arrive, without waiting for more. Typed lines come one by one.
fn pronounce_input(chosen: &Chosen, model: &Model, lang: &str) -> Result<(), Stop> {
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
            pronounce_lines(chosen, model, lang, some, first)?;
            first += some.len();
        }
        rest.drain(..whole);
        if size == 0 && rest.is_empty() {
            return Ok(());
        }
    }
}

/// Pronounces and prints the lines up to the first wrong one, then returns that line's error with its number.
fn pronounce_lines(chosen: &Chosen, model: &Model, lang: &str, lines: &[&[u8]], first: usize) -> Result<(), Stop> {
    let mut wrong = None;
    let mut words = Vec::new();
    for (number, line) in (first..).zip(lines) {
        let line = line
            .strip_prefix("\u{feff}".as_bytes())
            .filter(|_| number == 1)
            .unwrap_or(line);
        match std::str::from_utf8(line) {
            Ok(word) => words.push(word.trim().to_owned()),
            Err(_) => {
                let shown: String = line
                    .iter()
                    .take(40)
                    .flat_map(|byte| byte.escape_ascii())
                    .map(char::from)
                    .collect();
                wrong = Some(Stop::Message(format!("line {number}: '{shown}' is not UTF-8")));
                break;
            }
        }
    }
    let phonemes = match model.pronounce_all(&words, lang, Options::default()) {
        Err(error) => {
            let word = error.word().ok_or_else(|| Stop::from(error.clone()))?;
            wrong = Some(Stop::Message(format!("line {}: {error}", first + word)));
            words.truncate(word);
            model.pronounce_all(&words, lang, Options::default())?
        }
        Ok(phonemes) => phonemes,
    };
    chosen.print_words(lang, &words, &phonemes)?;
    wrong.map_or(Ok(()), Err)
}

fn languages(chosen: &Chosen, model: &Model) -> Result<(), Stop> {
    let codes = model.languages().ok_or_else(|| {
        let what = "this variant's checkpoint does not list its languages: any code that it was trained on will do";
        Stop::Message(what.to_owned())
    })?;
    chosen.print(&codes.iter().map(|code| vec![("language", *code)]).collect::<Vec<_>>())
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
