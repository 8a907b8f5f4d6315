//! Settings from a configuration file: TOML, in which each key is a setting.

use std::{ffi::OsString, sync::Arc};

use common::escape::{Escaped, Quoted};
use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::{
    file_text::FileText,
    flags::{CONFIG, suggest},
};
use crate::settings::{
    diagnostic::{Assignment, Diagnostic, Origin, Value},
    schema::find,
    setting::Form,
};

/// A file that is being read.
struct File<'a> {
    name: Arc<str>,
    text: FileText<'a>,
    assignments: Vec<(usize, Assignment)>,
    errors: Vec<(usize, Diagnostic)>,
}

/// Returns the assignments and errors of a file, each in the order of its lines.
pub(super) fn read(name: &str, bytes: &[u8]) -> (Vec<Assignment>, Vec<Diagnostic>) {
    // Up to the first invalid byte, the positions are the same.
    let text = String::from_utf8_lossy(bytes);
    let text = FileText(&text);
    let mut file = File { name: name.into(), text, assignments: Vec::new(), errors: Vec::new() };
    match std::str::from_utf8(bytes) {
        Ok(_) => file.parse(),
        Err(error) => file.syntax_error(error.valid_up_to(), "the file is not valid UTF-8"),
    }
    (in_order(file.assignments), in_order(file.errors))
}

fn in_order<T>(mut found: Vec<(usize, T)>) -> Vec<T> {
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, item)| item).collect()
}

impl File<'_> {
    fn parse(&mut self) {
        let (table, errors) = DeTable::parse_recoverable(self.text.0);
        for error in &errors {
            let span = error.span().unwrap_or_default();
            let there = Quoted(self.text.0.get(span.clone()).unwrap_or_default().as_bytes());
            let message = match error.message() {
                "duplicate key" => format!("duplicate key {there}; keep one of them"),
                message => self.without_quotes(span.start, message).unwrap_or_else(|| {
                    format!("this is not valid TOML: {}", Escaped(message.as_bytes()))
                }),
            };
            self.syntax_error(span.start, &message);
        }
        // A syntax error can cause other errors after it.
        if errors.is_empty() {
            for (key, value) in table.get_ref() {
                self.read_key(key.get_ref(), key.span().start, value);
            }
        }
    }

    /// Returns a message for a string without quotes, such as `log-level = info`. The parser takes it for the
    /// beginning of something else, here of the float `inf`.
    fn without_quotes(&self, at: usize, message: &str) -> Option<String> {
        let messages =
            ["string values must be quoted", "invalid boolean", "invalid float", "`_` may"];
        if !messages.iter().any(|it| message.starts_with(it)) {
            return None;
        }
        let is_key_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let assignment = self.text.line(at).split_once('=');
        let assignment = assignment.map(|(key, value)| (key.trim(), value));
        let Some((key, value)) = assignment.filter(|(key, _)| key.bytes().all(is_key_byte)) else {
            return Some("this is not valid TOML: a string needs quotes: \"...\"".to_owned());
        };
        let value = value.split('#').next().unwrap_or_default().trim();
        let setting = find(key);
        let is_shown = is_plain(value) && setting.is_none_or(|setting| !setting.is_secret);
        Some(match setting.map(|setting| setting.form) {
            Some(form @ (Form::Text | Form::Word | Form::Choice(_))) if is_shown => {
                expected(key, form).replace("...", value)
            }
            Some(form) => expected(key, form),
            None => format!("this is not valid TOML: a string needs quotes: {key} = \"...\""),
        })
    }

    fn read_key(&mut self, key: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        if let Some(setting) = find(key) {
            match self.values(key, setting.form, value) {
                Ok(values) => {
                    self.assignments.push((at, Assignment { name: setting.name, values }));
                }
                Err(message) => self.error(value.span().start, message),
            }
        } else if let DeValue::Table(table) = value.get_ref() {
            self.read_table(key, at, table);
        } else {
            self.unknown("key", key, &[key], at);
        }
    }

    /// Reports the keys of a table one by one: each may have a setting that was meant.
    fn read_table(&mut self, path: &str, at: usize, table: &DeTable<'_>) {
        if table.is_empty() {
            self.unknown("table", path, &[], at);
        }
        for (key, value) in table {
            let inner = format!("{path}.{}", key.get_ref());
            if let DeValue::Table(table) = value.get_ref() {
                self.read_table(&inner, key.span().start, table);
            } else {
                let joined = inner.replace('.', "-");
                self.unknown("key", &inner, &[key.get_ref(), &joined], key.span().start);
            }
        }
    }

    fn unknown(&mut self, kind: &str, name: &str, candidates: &[&str], at: usize) {
        let exact = candidates.iter().find(|name| find(name).is_some()).map(ToString::to_string);
        let similar = exact.or_else(|| candidates.iter().rev().find_map(|name| suggest(name)));
        let in_table = if name.contains('.') || kind == "table" {
            "; settings are not in a table"
        } else {
            ""
        };
        let hint = match similar {
            Some(similar) => format!("; did you mean '{similar}'?"),
            None if candidates == [CONFIG] => {
                "; it is for the command line and the environment only".to_owned()
            }
            None => "; 'echo-server config default' lists all keys".to_owned(),
        };
        self.error(at, format!("unknown {kind} {}{in_table}{hint}", Quoted(name.as_bytes())));
    }

    fn values(
        &self,
        key: &str,
        form: Form,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<Value>, String> {
        let at = value.span().start;
        let new = |text: String, at| Value { text: OsString::from(text), origin: self.line(at) };
        match (form, value.get_ref()) {
            (Form::List, DeValue::Array(array)) if array.is_empty() => {
                Err(format!("'{key}' is empty; omit it for its default"))
            }
            (Form::List, DeValue::Array(array)) => array
                .iter()
                .map(|value| match value.get_ref() {
                    DeValue::String(text) => Ok(new(text.to_string(), value.span().start)),
                    _ => Err(expected(key, form)),
                })
                .collect(),
            (Form::Text | Form::Word | Form::Choice(_) | Form::Switch, DeValue::String(text)) => {
                Ok(vec![new(text.to_string(), at)])
            }
            (Form::Number, DeValue::String(text)) if text.parse::<u64>().is_ok() => {
                Err(format!("'{key}' must be a number, without quotes: {key} = {text}"))
            }
            (Form::Number | Form::Word | Form::Choice(_), DeValue::Integer(number)) => {
                Ok(vec![new(decimal(number), at)])
            }
            (Form::Switch, DeValue::Boolean(on)) => Ok(vec![new(on.to_string(), at)]),
            // The parser of the setting has the better message, as for `idle-timeout = 1.5`.
            (Form::Number | Form::Word | Form::Choice(_), DeValue::Float(number)) => {
                Ok(vec![new(number.as_str().to_owned(), at)])
            }
            _ => Err(expected(key, form)),
        }
    }

    fn error(&mut self, at: usize, message: String) {
        let origin = self.line(at);
        self.errors.push((at, Diagnostic { origin, message }));
    }

    fn syntax_error(&mut self, at: usize, message: &str) {
        let (line, column) = (Some(self.text.line_number(at)), Some(self.text.column(at)));
        let origin = Origin::File { name: Arc::clone(&self.name), line, column };
        self.errors.push((at, Diagnostic { origin, message: message.to_owned() }));
    }

    fn line(&self, at: usize) -> Origin {
        let line = Some(self.text.line_number(at));
        Origin::File { name: Arc::clone(&self.name), line, column: None }
    }
}

/// Returns the message for a value of the wrong type.
fn expected(key: &str, form: Form) -> String {
    match form {
        Form::Number => format!("'{key}' must be a number"),
        Form::Text | Form::Word | Form::Choice(_) => {
            format!("'{key}' must be a string, in quotes: {key} = \"...\"")
        }
        Form::Switch => format!("'{key}' must be true or false"),
        Form::List => format!("'{key}' must be an array of strings: {key} = [\"...\", \"...\"]"),
    }
}

/// Returns whether a text is short and needs no escapes in quotes.
fn is_plain(text: &str) -> bool {
    let is_literal = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"'\\".contains(&byte);
    (1..=40).contains(&text.len()) && text.bytes().all(is_literal)
}

/// Writes a number as it is typed on the command line: `0x10` is 16.
fn decimal(number: &DeInteger<'_>) -> String {
    let value = i128::from_str_radix(number.as_str(), number.radix());
    value.map_or_else(|_| number.to_string(), |value| value.to_string())
}
