//! What the commands have in common: their arguments, their streams, their exit codes, and how they show things.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};

use g2p::Error;

use crate::json;

/// Why a command ends early.
pub(crate) enum Stop {
    Message(String),
    /// By Ctrl-C; and what is said besides.
    Interrupted(&'static str),
    BrokenPipe,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Message(error.to_string())
    }
}

impl From<String> for Stop {
    fn from(message: String) -> Stop {
        Stop::Message(message)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.kind() {
            ErrorKind::BrokenPipe => Stop::BrokenPipe,
            _ => Stop::Message(format!("standard input or output: {}", reason(&error))),
        }
    }
}

/// The exit code of a command: 0, 2 after an error, 130 after Ctrl-C, 141 after a broken pipe.
pub(crate) fn exit_code(name: &str, ended: Result<(), Stop>) -> i32 {
    let (code, message) = match ended {
        Ok(()) => return 0,
        Err(Stop::Message(message)) => (2, message),
        Err(Stop::Interrupted(more)) => (130, format!("interrupted{more}")),
        Err(Stop::BrokenPipe) => return 141,
    };
    let _ = writeln!(io::stderr(), "{name}: {message}");
    code
}

/// What the system says of an error, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// A command line. Options may stand anywhere before `--`.
pub(crate) struct Arguments {
    program: &'static str,
    rest: std::vec::IntoIter<OsString>,
    ended: bool,
    name: String,
    value: Option<OsString>,
}

/// One of its arguments.
pub(crate) enum Argument {
    /// An option's name. Its value, if it takes one, is still to be taken.
    Option(String),
    Plain(OsString),
}

impl Arguments {
    /// The command line of this process.
    pub(crate) fn of_process(program: &'static str) -> Arguments {
        let all: Vec<OsString> = std::env::args_os().skip(1).collect();
        Arguments {
            program,
            rest: all.into_iter(),
            ended: false,
            name: String::new(),
            value: None,
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Argument>, String> {
        if self.value.is_some() {
            return Err(self.unknown(&self.name));
        }
        let argument = match self.rest.next() {
            Some(argument) => argument,
            None => return Ok(None),
        };
        let text = argument.to_string_lossy().into_owned();
        if self.ended || !text.starts_with('-') || text.len() == 1 {
            return Ok(Some(Argument::Plain(argument)));
        }
        if text == "--" {
            self.ended = true;
            return self.next();
        }
        self.name = text;
        if let (Some((name, _)), true) = (self.name.split_once('='), self.name.starts_with("--")) {
            let name = name.to_owned();
            self.value = Some(after(argument, name.len() + 1));
            self.name = name;
        }
        Ok(Some(Argument::Option(self.name.clone())))
    }

    /// The value of the option that `next` gave.
    pub(crate) fn value(&mut self) -> Result<OsString, String> {
        let (name, program) = (&self.name, self.program);
        let value = self.value.take().or_else(|| self.rest.next());
        value.ok_or(format!(
            "argument {name}: expected one argument: see `{program} --help`"
        ))
    }

    /// The same, as text.
    pub(crate) fn text(&mut self) -> Result<String, String> {
        utf8(self.value()?)
    }

    /// What is said of an argument that there is none of.
    pub(crate) fn unknown(&self, argument: &str) -> String {
        format!("unrecognized argument {argument:?}: see `{} --help`", self.program)
    }
}

/// An argument without its first bytes, which are ASCII.
#[cfg(unix)]
fn after(argument: OsString, bytes: usize) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(argument.into_vec().split_off(bytes))
}

#[cfg(not(unix))]
fn after(argument: OsString, bytes: usize) -> OsString {
    argument.to_string_lossy()[bytes..].to_owned().into()
}

pub(crate) fn print(lines: &str) -> Result<(), Stop> {
    let mut output = io::stdout().lock();
    output.write_all(lines.as_bytes())?;
    Ok(output.flush()?)
}

pub(crate) fn utf8(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("{value:?} is not UTF-8"))
}

/// Prints a library's facts: JSON on one line, or lines of a dotted name and a value.
pub(crate) fn print_info(info: &str, as_json: bool) -> Result<(), Stop> {
    let mut lines = String::new();
    if as_json {
        lines = format!("{info}\n");
    } else {
        let data = json::parse(info.as_bytes()).map_err(|what| format!("the library's info: {what}"))?;
        flatten(&data, "", &mut lines);
    }
    print(&lines)
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

#[cfg(unix)]
pub(crate) mod system {
    use std::os::raw::c_int;
    use std::sync::atomic::{AtomicPtr, Ordering};

    use g2p::CancelToken;

    const STDOUT: c_int = 1;
    const SIGINT: c_int = 2;

    extern "C" {
        fn isatty(descriptor: c_int) -> c_int;
        fn signal(number: c_int, handler: extern "C" fn(c_int)) -> usize;
        fn siginterrupt(number: c_int, ends_waiting: c_int) -> c_int;
    }

    static TOKEN: AtomicPtr<CancelToken> = AtomicPtr::new(std::ptr::null_mut());

    pub(crate) fn stdout_is_a_terminal() -> bool {
        // SAFETY: it only looks at the descriptor, which need not be open.
        unsafe { isatty(STDOUT) == 1 }
    }

    /// From now on Ctrl-C cancels a token, and ends waiting for input. Until now it ended the process.
    pub(crate) fn cancel_when_interrupted(token: CancelToken) {
        TOKEN.store(Box::leak(Box::new(token)), Ordering::SeqCst);
        // SAFETY: the handler only sets a flag.
        unsafe {
            signal(SIGINT, interrupted);
            siginterrupt(SIGINT, 1);
        }
    }

    extern "C" fn interrupted(_: c_int) {
        // SAFETY: the token was leaked, so it lives as long as the process, before this handler was set.
        if let Some(token) = unsafe { TOKEN.load(Ordering::SeqCst).as_ref() } {
            token.cancel();
        }
    }
}

#[cfg(not(unix))]
pub(crate) mod system {
    use g2p::CancelToken;

    pub(crate) fn stdout_is_a_terminal() -> bool {
        false
    }

    pub(crate) fn cancel_when_interrupted(_: CancelToken) {}
}
