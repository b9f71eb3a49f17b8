//! The command `tts`: phonemes, or a text, to a WAV file or to standard output as a stream.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::exit;

use command::{exit_code, print, print_info, system, Argument, Arguments, Stop};
use g2p::kokoro::{self, wav, Options, Piece, Pieces, Speech, Timing};
use g2p::{ErrorKind, Model};
use output::Output;

#[allow(dead_code)] // what only the other command needs
mod command;
#[allow(dead_code)]
mod json;
#[allow(dead_code)] // what only the other command needs
mod output;

const HELP: &str = "\
usage: tts [OPTIONS] speak [PHONEMES] -o FILE   speak phonemes into a WAV file, 16 bits a sample; - reads standard input
       tts [OPTIONS] voices                     list the voices
       tts [OPTIONS] info                       say what the variant is

options:
  --manifest FILE      variant to load (default: the index's, for this machine)
  --json               print JSON, one object a line
  -h, --help           print this

options of speak:
  -o, --output FILE    the WAV file, which is there once it is whole; - writes to standard output while it is made
  --text TEXT          in place of phonemes: a text, whose words a G2P variant pronounces; - as there
  --lang CODE          the text's language (default: eng-us)
  --g2p FILE           the G2P variant's manifest (default: the index's)
  --voice NAME         who speaks: see `tts voices`
  --mix NAME=SHARE,... in place of --voice: a mixture of voices
  --speed X            2 is twice as fast (default: 1)
  --seed N             of the noise in the voice (default: 0)
  --threads N          threads that work on it (default: one for each processor that the command may use)
  --early              make the first piece short, for an early sound
  --skip-unknown       leave out what the model has no symbol for
  --timings FILE       write where each phoneme is in the sound, as JSON
";

fn main() {
    let chosen = Chosen::parse(Arguments::of_process("tts"));
    exit(exit_code("tts", chosen.map_err(Stop::Message).and_then(run)))
}

#[derive(Default)]
struct Chosen {
    command: String,
    phonemes: Option<OsString>,
    text: Option<OsString>,
    lang: Option<String>,
    g2p: Option<PathBuf>,
    output: Option<PathBuf>,
    voice: Option<String>,
    mix: Option<String>,
    speed: Option<f64>,
    seed: i128,
    threads: i64,
    early: bool,
    skip_unknown: bool,
    timings: Option<PathBuf>,
    manifest: Option<PathBuf>,
    json: bool,
    help: bool,
}

impl Chosen {
    /// Parses the command line.
    fn parse(mut given: Arguments) -> Result<Chosen, String> {
        let mut chosen = Chosen::default();
        let (mut plain, mut of_speak) = (Vec::new(), None);
        while let Some(argument) = given.next()? {
            let name = match argument {
                Argument::Option(name) => name,
                Argument::Plain(argument) => {
                    plain.push(argument);
                    continue;
                }
            };
            match name.as_str() {
                "--manifest" => chosen.manifest = Some(given.value()?.into()),
                "--json" => chosen.json = true,
                "-h" | "--help" => chosen.help = true,
                other => {
                    chosen.take(other, &mut given)?;
                    of_speak = Some(name);
                }
            }
        }
        if chosen.help {
            return Ok(chosen);
        }
        let mut plain = plain.into_iter();
        let command = plain
            .next()
            .ok_or("the following arguments are required: COMMAND: see `tts --help`")?;
        chosen.command = command.to_string_lossy().into_owned();
        match (chosen.command.as_str(), of_speak) {
            ("speak", _) => chosen.phonemes = plain.next(),
            ("voices" | "info", Some(option)) => return Err(format!("only `tts speak` takes {option}")),
            ("voices" | "info", None) => {}
            (other, _) => return Err(format!("there is no command {other:?}: see `tts --help`")),
        }
        if let Some(more) = plain.next() {
            return Err(given.unknown(&more.to_string_lossy()));
        }
        if chosen.command == "speak" && chosen.output.is_none() {
            return Err("the following arguments are required: -o/--output: see `tts speak --help`".to_owned());
        }
        Ok(chosen)
    }

    /// Takes an option of `speak`.
    fn take(&mut self, name: &str, given: &mut Arguments) -> Result<(), String> {
        match name {
            "-o" | "--output" => self.output = Some(given.value()?.into()),
            "--text" => self.text = Some(given.value()?),
            "--lang" => self.lang = Some(given.text()?),
            "--g2p" => self.g2p = Some(given.value()?.into()),
            "--voice" => self.voice = Some(given.text()?),
            "--mix" => self.mix = Some(given.text()?),
            "--speed" => self.speed = Some(number(name, "float", &given.text()?)?),
            "--seed" => self.seed = number(name, "int", &given.text()?)?,
            "--threads" => self.threads = number(name, "int", &given.text()?)?,
            "--early" => self.early = true,
            "--skip-unknown" => self.skip_unknown = true,
            "--timings" => self.timings = Some(given.value()?.into()),
            other => return Err(given.unknown(other)),
        }
        Ok(())
    }

    fn to_stdout(&self) -> bool {
        self.output.as_deref() == Some("-".as_ref())
    }

    /// Refuses options that do not go together.
    fn check(&self) -> Result<(), String> {
        let refused = |what: &str| Err(what.to_owned());
        if self.phonemes.is_none() && self.text.is_none() {
            return refused("there is nothing to say: give phonemes, - to read them from standard input, or --text");
        }
        if self.phonemes.is_some() && self.text.is_some() {
            return refused("phonemes and --text both say what is said: give one of them");
        }
        if self.text.is_none() && (self.lang.is_some() || self.g2p.is_some()) {
            return refused("--lang and --g2p are about a text's words: give --text too");
        }
        if self.to_stdout() && self.json {
            return refused("--json prints to standard output, and -o - sends the sound there: leave out one of them");
        }
        if self.to_stdout() && system::stdout_is_a_terminal() {
            return refused("standard output is a terminal: send the sound elsewhere, or name a file with -o");
        }
        let (timings, sound) = match (&self.timings, &self.output) {
            (Some(timings), Some(output)) => (timings, output),
            _ => return Ok(()),
        };
        if timings.as_os_str() == "-" {
            return refused("--timings -: give a file's name");
        }
        let places = (output::resolved(timings), output::resolved(sound));
        if matches!(places, (Ok(one), Ok(other)) if one == other) {
            let shown = timings.display();
            return Err(format!("--timings {shown} is the sound's file: give another name"));
        }
        Ok(())
    }

    fn open(&self) -> Result<Speech, Stop> {
        if !(0..=256).contains(&self.threads) {
            let threads = self.threads;
            let what = format!("threads={threads}: give 1 to 256, or 0 for one for each processor");
            return Err(Stop::Message(what));
        }
        let manifest = match &self.manifest {
            Some(path) => path.clone(),
            None => kokoro::default_manifest()?,
        };
        Ok(Speech::open(manifest)?)
    }

    /// Who speaks and how.
    fn options(&self, mix: Option<Vec<(String, f64)>>, speech: &Speech) -> Result<Options, Stop> {
        let mix = match (&self.voice, mix) {
            (Some(_), Some(_)) => return Err("voice and mix say who speaks: give one of them".to_owned().into()),
            (Some(voice), None) => vec![(voice.clone(), 1.0)],
            (None, Some(mix)) => mix,
            (None, None) => {
                let voices = speech.voices()?.join(", ");
                return Err(format!("nobody speaks: give a voice, of {voices}").into());
            }
        };
        let seed = u64::try_from(self.seed);
        Ok(Options {
            mix,
            speed: self.speed.unwrap_or(1.0),
            seed: seed.map_err(|_| format!("seed={}: give 0 to 2**64 - 1", self.seed))?,
            threads: self.threads as u32, // open looked at it
            early: self.early,
            skip_unknown: self.skip_unknown,
        })
    }

    /// What to say. Line ends in phonemes are spaces.
    fn phonemes(&self, speech: &Speech) -> Result<String, Stop> {
        if let Some(text) = &self.text {
            let text = given(text, "the text")?;
            let words = Model::load(match &self.g2p {
                Some(path) => path.clone(),
                None => g2p::default_manifest()?,
            })?;
            return Ok(speech.phonemes(&text, self.lang.as_deref().unwrap_or("eng-us"), &words)?);
        }
        let phonemes = given(self.phonemes.as_ref().expect("check looked at it"), "the phonemes")?;
        let lines = phonemes.split(ends_line).map(|line| line.trim_matches(is_white));
        Ok(lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" "))
    }
}

/// A number that an option was given.
fn number<N: std::str::FromStr>(name: &str, kind: &str, text: &str) -> Result<N, String> {
    let wrong = |_| format!("argument {name}: invalid {kind} value: '{text}': see `tts speak --help`");
    text.trim().parse().map_err(wrong)
}

/// Where Python's str.splitlines ends lines, which the other command uses.
fn ends_line(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What Python's str.strip takes away.
fn is_white(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// A text from the command line, or from standard input where it is "-".
fn given(value: &OsString, what: &str) -> Result<String, Stop> {
    if value != "-" {
        let text = value.to_str().ok_or_else(|| {
            let shown = value.to_string_lossy();
            let place = shown.find('\u{fffd}').unwrap_or_default();
            format!("{what}: not UTF-8 at byte {place}: give that encoding")
        });
        return Ok(text?.to_owned());
    }
    let mut data = Vec::new();
    io::stdin().lock().read_to_end(&mut data)?;
    let data = data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&data);
    let text = std::str::from_utf8(data).map_err(|error| {
        let place = error.valid_up_to();
        format!("{what}: not UTF-8 at byte {place}: give that encoding")
    });
    Ok(text?.to_owned())
}

/// The shares of voices: NAME=SHARE,NAME=SHARE.
fn mixture(text: &str) -> Result<Vec<(String, f64)>, String> {
    let mut shares: Vec<(String, f64)> = Vec::new();
    for part in text.split(',') {
        let (name, share) = part.split_once('=').unwrap_or((part, ""));
        let share = share.trim().parse();
        let share =
            share.map_err(|_| format!("--mix {text}: '{part}' is no voice with its share: give NAME=NUMBER"))?;
        if shares.iter().any(|(other, _)| other == name) {
            return Err(format!("--mix {text}: '{name}' is there twice: give one share for it"));
        }
        shares.push((name.to_owned(), share));
    }
    Ok(shares)
}

fn run(chosen: Chosen) -> Result<(), Stop> {
    if chosen.help {
        return print(HELP);
    }
    match chosen.command.as_str() {
        "voices" => voices(&chosen),
        "info" => print_info(chosen.open()?.info(), chosen.json),
        _ => speak(&chosen),
    }
}

fn voices(chosen: &Chosen) -> Result<(), Stop> {
    let mut lines = String::new();
    for voice in chosen.open()?.voices()? {
        if chosen.json {
            lines.push_str("{\"voice\": ");
            json::write_text(&mut lines, &voice);
            lines.push_str("}\n");
        } else {
            lines.extend([&voice, "\n"]);
        }
    }
    print(&lines)
}

fn speak(chosen: &Chosen) -> Result<(), Stop> {
    chosen.check()?;
    let mix = chosen.mix.as_deref().map(mixture).transpose()?;
    let speech = chosen.open()?;
    let phonemes = chosen.phonemes(&speech)?;
    let pieces = speech.speak(&phonemes, &chosen.options(mix, &speech)?)?;
    let rate = speech.limits().sample_rate;
    let path = chosen.output.as_deref().expect("parse looked at it");
    let beside = chosen.timings.as_deref().map(|path| Output::open(path, "--timings"));
    let mut beside = beside.transpose()?;
    let (samples, timings) = if chosen.to_stdout() {
        let mut stdout = io::stdout().lock();
        let send = |data: &[u8]| Ok(stdout.write_all(data).and_then(|()| stdout.flush())?);
        write(pieces, rate, send)?
    } else {
        let mut output = Output::open(path, "--output")?;
        system::cancel_when_interrupted(pieces.token());
        let (samples, timings) = write(pieces, rate, |data| output.write(data))?;
        output.finish(&wav::header(rate, Some(samples)))?;
        (samples, timings)
    };
    if let Some(mut file) = beside.take() {
        let lines = timings_json(&phonemes, rate, samples, &timings);
        file.write(lines.as_bytes())?;
        file.finish(b"")?;
    }
    let seconds = samples as f64 / f64::from(rate);
    let shown = path.to_string_lossy();
    if chosen.json {
        let mut line = "{\"output\": ".to_owned();
        json::write_text(&mut line, &shown);
        let seconds = json::number(seconds);
        line.push_str(&format!(
            ", \"sample_rate\": {rate}, \"samples\": {samples}, \"seconds\": {seconds}}}\n"
        ));
        return print(&line);
    }
    if chosen.to_stdout() {
        return Ok(());
    }
    print(&format!("{shown}: {seconds:.2} s of sound\n"))
}

/// Sends the sound where it goes. Returns how many samples it has, and where its characters are.
fn write(
    pieces: Pieces,
    rate: u32,
    mut send: impl FnMut(&[u8]) -> Result<(), Stop>,
) -> Result<(u64, Vec<Timing>), Stop> {
    let (mut samples, mut timings) = (0, Vec::new());
    for piece in pieces {
        let piece: Piece = piece.map_err(|error| match error.kind() {
            ErrorKind::Cancelled => Stop::Interrupted(""),
            _ => error.into(),
        })?;
        // Nothing is written before the first piece: what cannot be spoken leaves no empty sound.
        let mut data = Vec::new();
        if samples == 0 {
            data.extend(wav::header(rate, None));
        }
        data.extend(wav::pcm16(&piece.samples));
        send(&data)?;
        samples += piece.samples.len() as u64;
        timings.extend(piece.timings);
    }
    Ok((samples, timings))
}

fn timings_json(phonemes: &str, rate: u32, samples: u64, timings: &[Timing]) -> String {
    let mut line = "{\"phonemes\": ".to_owned();
    json::write_text(&mut line, phonemes);
    line.push_str(&format!(
        ", \"sample_rate\": {rate}, \"samples\": {samples}, \"timings\": ["
    ));
    let (mut reached, mut place) = (0, 0); // a byte, and the character that begins there
    for (number, timing) in timings.iter().enumerate() {
        place += phonemes[reached..timing.range.start].chars().count();
        reached = timing.range.start;
        line.push_str(if number > 0 { ", " } else { "" });
        line.push_str(&format!("{{\"place\": {place}, \"symbol\": "));
        json::write_text(&mut line, &phonemes[timing.range.clone()]);
        let (first, samples) = (timing.first, timing.samples);
        line.push_str(&format!(", \"first\": {first}, \"samples\": {samples}}}"));
    }
    line.push_str("]}\n");
    line
}
