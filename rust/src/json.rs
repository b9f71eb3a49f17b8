//! A strict parser for the JSON of manifests: objects, lists, strings, integers, booleans and null, of bounded depth.
//!
//! We do not use serde_json, because it accepts duplicate keys and floats. README.md compares the costs.

use std::collections::BTreeMap;
use std::fmt::Write;

const DEEPEST: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// A member of an object. None if it has no such member, or is not an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(members) => members.get(name),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The canonical JSON, which digests are taken of: sorted keys, no spaces, no needless escapes.
    pub(crate) fn canonical(&self) -> String {
        let mut line = String::new();
        write_value(&mut line, self);
        line
    }
}

fn write_value(line: &mut String, value: &Value) {
    match value {
        Value::Null => line.push_str("null"),
        Value::Bool(is) => line.push_str(if *is { "true" } else { "false" }),
        Value::Int(number) => line.push_str(&number.to_string()),
        Value::Text(text) => write_text(line, text),
        Value::List(items) => {
            line.push('[');
            for (number, item) in items.iter().enumerate() {
                line.push_str(if number > 0 { "," } else { "" });
                write_value(line, item);
            }
            line.push(']');
        }
        Value::Object(members) => {
            line.push('{');
            for (number, (name, item)) in members.iter().enumerate() {
                line.push_str(if number > 0 { "," } else { "" });
                write_text(line, name);
                line.push(':');
                write_value(line, item);
            }
            line.push('}');
        }
    }
}

/// Appends a string in quotes.
pub(crate) fn write_text(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            '\u{8}' => line.push_str("\\b"),
            '\u{c}' => line.push_str("\\f"),
            c if c < ' ' => write!(line, "\\u{:04x}", c as u32).expect("a string takes all"),
            c => line.push(c),
        }
    }
    line.push('"');
}

/// A number in the fewest digits that give it again, as Python's command writes it.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value == 0.0 || value.abs() >= 1e-4 {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once("e-").unwrap_or((&text, "0"));
    format!("{digits}e-{exponent:0>2}")
}

/// Reads one value. The error is a phrase that says what is wrong and where.
pub(crate) fn parse(data: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(data).map_err(|error| format!("not UTF-8 from byte {}", error.valid_up_to()))?;
    let mut reader = Reader { text, at: 0 };
    let read = reader.value(0).and_then(|value| {
        reader.space();
        if reader.at == text.len() {
            Ok(value)
        } else {
            Err("more than one value".to_owned())
        }
    });
    read.map_err(|what| format!("{what} at byte {}", reader.at))
}

struct Reader<'a> {
    text: &'a str,
    at: usize, // always the beginning of a character
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Skips white space, then reads this text if it comes next.
    fn takes(&mut self, wanted: &str) -> bool {
        self.space();
        let there = self.text[self.at..].starts_with(wanted);
        self.at += if there { wanted.len() } else { 0 };
        there
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth == DEEPEST {
            return Err(format!("deeper than {DEEPEST} levels"));
        }
        if self.takes("{") {
            return self.object(depth);
        }
        if self.takes("[") {
            return self.list(depth);
        }
        if self.takes("\"") {
            return self.string().map(Value::Text);
        }
        for (word, value) in [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
        ] {
            if self.takes(word) {
                return Ok(value);
            }
        }
        self.number()
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let mut members = BTreeMap::new();
        if self.takes("}") {
            return Ok(Value::Object(members));
        }
        loop {
            if !self.takes("\"") {
                return Err("no key".to_owned());
            }
            let name = self.string()?;
            if !self.takes(":") {
                return Err("no colon".to_owned());
            }
            let value = self.value(depth + 1)?;
            if members.insert(name.clone(), value).is_some() {
                return Err(format!("the key {name:?} is there twice"));
            }
            if self.takes("}") {
                return Ok(Value::Object(members));
            }
            if !self.takes(",") {
                return Err("no comma".to_owned());
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        if self.takes("]") {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.takes("]") {
                return Ok(Value::List(items));
            }
            if !self.takes(",") {
                return Err("no comma".to_owned());
            }
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let rest = &self.text[self.at..];
        let token = &rest[..rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
            .unwrap_or(rest.len())];
        let digits = token.strip_prefix('-').unwrap_or(token);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain || (digits.starts_with('0') && token != "0") {
            return Err("neither a string, integer, boolean or null, nor a list or object of them".to_owned());
        }
        let number = token
            .parse()
            .map_err(|_| "an integer of more than 64 bits".to_owned())?;
        self.at += token.len();
        Ok(Value::Int(number))
    }

    /// Reads the rest of a string, after its opening quote.
    fn string(&mut self) -> Result<String, String> {
        let mut found = String::new();
        loop {
            let c = self.text[self.at..].chars().next().ok_or("a string without an end")?;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(found),
                '\\' => found.push(self.escape()?),
                c if c < ' ' => return Err("a control character in a string".to_owned()),
                c => found.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let c = self.peek().ok_or("a string without an end")?;
        if c == b'u' {
            self.at += 1;
            return self.unicode();
        }
        let place = b"\"\\/nrtbf"
            .iter()
            .position(|&known| known == c)
            .ok_or("an unknown escape")?;
        self.at += 1;
        Ok(['"', '\\', '/', '\n', '\r', '\t', '\u{8}', '\u{c}'][place])
    }

    fn unicode(&mut self) -> Result<char, String> {
        let first = self.hex()?;
        let mut code = first;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            }
        }
        char::from_u32(code).ok_or_else(|| "half a surrogate pair".to_owned())
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|text| text.bytes().all(|c| c.is_ascii_hexdigit()));
        let code = u32::from_str_radix(digits.ok_or("an escape without four digits")?, 16);
        self.at += 4;
        code.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_spelling_has_sorted_keys_and_no_spaces() {
        let text =
            " { \"b\" : [ 1 , -2, true, false, null, {} , [] ] , \"a\" : \"\\u00e9\\n\\\"\\u0001\\ud83d\\ude00/\" }\n";
        let value = parse(text.as_bytes()).unwrap();
        assert_eq!(
            value.canonical(),
            "{\"a\":\"é\\n\\\"\\u0001😀/\",\"b\":[1,-2,true,false,null,{},[]]}"
        );
        assert_eq!(parse(value.canonical().as_bytes()).unwrap(), value);
    }

    #[test]
    fn what_is_no_manifests_json_is_refused() {
        let wrong = [
            "", " ", "{", "[1", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "1.5", "1e3", "01",
            "-0", "-", "+1", "99999999999999999999", "nul", "tru", "NaN", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"",
            "\"\\u+123\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\t\"", "1 2", "{}}", "nulll",
            "{\"a\":1,\"a\":2}", "\"\\u12é\"",
        ];
        for text in wrong {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn no_depth_overflows_the_stack() {
        let nested = |depth: usize| parse(("[".repeat(depth) + &"]".repeat(depth)).as_bytes());
        assert!(nested(64).is_ok());
        assert!(nested(65).unwrap_err().contains("64 levels"));
        assert!(nested(1_000_000).is_err());
    }
}
