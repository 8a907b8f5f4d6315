//! What a configuration file says: TOML, where each key is a setting.
//!
//! Must not know what the other sources say.

use std::{ffi::OsString, ops::Range, sync::Arc};

use common::escape::{Escaped, Quoted};
use memchr::memchr_iter;
use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::{
    origin::{Mistake, Origin, Said, Value},
    schema::{Definition, Form, form},
};

/// A file that is read.
pub(super) struct File<'a> {
    definition: &'a Definition,
    name: Arc<str>,
    text: &'a str,
    said: Vec<(usize, Said)>,
    mistakes: Vec<(usize, Mistake)>,
}

/// What it says and what is wrong with it, in the order of its lines.
pub(super) fn read(definition: &Definition, name: &str, bytes: &[u8]) -> (Vec<Said>, Vec<Mistake>) {
    // Up to what is no text, it has the same positions.
    let text = String::from_utf8_lossy(bytes);
    let mut file =
        File { definition, name: name.into(), text: &text, said: Vec::new(), mistakes: Vec::new() };
    match std::str::from_utf8(bytes) {
        Ok(_) => file.parse(),
        Err(error) => file
            .syntax(error.valid_up_to(), "this is not UTF-8, which a configuration file must be"),
    }
    (in_order(file.said), in_order(file.mistakes))
}

fn in_order<T>(mut found: Vec<(usize, T)>) -> Vec<T> {
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, what)| what).collect()
}

impl File<'_> {
    fn parse(&mut self) {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let span = error.span().unwrap_or_default();
            let there = Quoted(self.text.get(span.clone()).unwrap_or_default().as_bytes());
            let what = match error.message() {
                "duplicate key" => format!("the key {there} is there twice; keep one of them"),
                message => self
                    .unquoted(span.start, message)
                    .unwrap_or_else(|| format!("this is no TOML: {}", Escaped(message.as_bytes()))),
            };
            self.syntax(span.start, &what);
        }
        // Behind an error of syntax, what else is found may be of its making.
        if errors.is_empty() {
            for (key, value) in table.get_ref() {
                self.key(key.get_ref(), key.span().start, value);
            }
        }
    }

    /// What to write instead of a text without quotes, such as `log-level = info`, of which the parser says
    /// what else it could be: a float, since `inf` is one.
    fn unquoted(&self, at: usize, message: &str) -> Option<String> {
        let begins =
            ["string values must be quoted", "invalid boolean", "invalid float", "`_` may"];
        if !begins.iter().any(|it| message.starts_with(it)) {
            return None;
        }
        let line = &self.text[self.line_of(at)];
        let of_keys = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let named = line.split_once('=').map(|(key, value)| (key.trim(), value));
        let Some((key, value)) = named.filter(|(key, _)| key.bytes().all(of_keys)) else {
            return Some("this is no TOML: a text stands in quotes: \"...\"".to_owned());
        };
        let value = value.split('#').next().unwrap_or_default().trim();
        Some(match self.definition.argument(key).map(form) {
            Some(form @ (Form::Text | Form::Word)) if is_plain(value) => {
                takes(key, form).replace("...", value)
            }
            Some(form) => takes(key, form),
            None => format!("this is no TOML: a text stands in quotes: {key} = \"...\""),
        })
    }

    fn key(&mut self, key: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        if let Some(argument) = self.definition.argument(key) {
            match self.values(key, form(argument), value) {
                Ok(values) => self.said.push((at, Said { name: key.to_owned(), values })),
                Err(mistake) => self.mistake(value.span().start, mistake),
            }
        } else if let DeValue::Table(table) = value.get_ref() {
            self.table(key, at, table);
        } else {
            self.unknown("key", key, &[key], at);
        }
    }

    /// What stands in a table is named one by one: each may have a setting that was meant.
    fn table(&mut self, path: &str, at: usize, table: &DeTable<'_>) {
        if table.is_empty() {
            self.unknown("table", path, &[], at);
        }
        for (key, value) in table {
            let inner = format!("{path}.{}", key.get_ref());
            if let DeValue::Table(table) = value.get_ref() {
                self.table(&inner, key.span().start, table);
            } else {
                let joined = inner.replace('.', "-");
                self.unknown("key", &inner, &[key.get_ref(), &joined], key.span().start);
            }
        }
    }

    fn unknown(&mut self, what: &str, name: &str, meant: &[&str], at: usize) {
        let known =
            meant.iter().find(|name| self.definition.knows(name)).map(|&name| name.to_owned());
        let near = known.or_else(|| meant.iter().rev().find_map(|name| self.definition.near(name)));
        let in_table =
            if name.contains('.') || what == "table" { "; settings stand in no table" } else { "" };
        let hint = match near {
            Some(near) => format!("; did you mean '{near}'?"),
            None if meant == ["config"] => {
                "; it is for the command line and the environment only".to_owned()
            }
            None => "; 'echo-server config default' lists all keys".to_owned(),
        };
        self.mistake(at, format!("unknown {what} {}{in_table}{hint}", Quoted(name.as_bytes())));
    }

    fn values(
        &self,
        key: &str,
        form: Form,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<Value>, String> {
        let said = |text: String, at| Value { text: OsString::from(text), origin: self.line(at) };
        let at = value.span().start;
        match (form, value.get_ref()) {
            (Form::List, DeValue::Array(array)) if array.is_empty() => {
                Err(format!("'{key}' is empty; leave it out for its default"))
            }
            (Form::List, DeValue::Array(array)) => array
                .iter()
                .map(|value| match value.get_ref() {
                    DeValue::String(text) => Ok(said(text.to_string(), value.span().start)),
                    _ => Err(takes(key, form)),
                })
                .collect(),
            (Form::Text | Form::Word | Form::Switch, DeValue::String(text)) => {
                Ok(vec![said(text.to_string(), at)])
            }
            (Form::Number, DeValue::String(text)) if text.parse::<u64>().is_ok() => {
                Err(format!("'{key}' takes a number, without quotes: {key} = {text}"))
            }
            (Form::Number | Form::Word, DeValue::Integer(number)) => {
                Ok(vec![said(decimal(number), at)])
            }
            (Form::Switch, DeValue::Boolean(on)) => Ok(vec![said(on.to_string(), at)]),
            // `idle-timeout = 1.5`: what it should look like is best said by whoever reads it.
            (Form::Number | Form::Word, DeValue::Float(number)) => {
                Ok(vec![said(number.as_str().to_owned(), at)])
            }
            _ => Err(takes(key, form)),
        }
    }

    fn mistake(&mut self, at: usize, what: String) {
        let origin = self.line(at);
        self.mistakes.push((at, Mistake { origin, what }));
    }

    fn syntax(&mut self, at: usize, what: &str) {
        let Range { start, end } = self.line_of(at);
        let column = self.text[start..].char_indices().take_while(|(n, _)| start + n < at.min(end));
        let column = Some(column.count() + 1);
        let origin =
            Origin::File { name: Arc::clone(&self.name), line: Some(self.number(at)), column };
        self.mistakes.push((at, Mistake { origin, what: what.to_owned() }));
    }

    fn line(&self, at: usize) -> Origin {
        Origin::File { name: Arc::clone(&self.name), line: Some(self.number(at)), column: None }
    }

    fn number(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..self.line_of(at).start];
        memchr_iter(b'\n', before).count() + 1
    }

    /// The line of a byte. Behind the last newline there is none: what is missing there is missing from
    /// the line before.
    fn line_of(&self, at: usize) -> Range<usize> {
        let text = self.text.strip_suffix('\n').unwrap_or(self.text);
        let at = at.min(text.len());
        let start = text.as_bytes()[..at].iter().rposition(|byte| *byte == b'\n');
        let end = text.as_bytes()[at..].iter().position(|byte| *byte == b'\n');
        start.map_or(0, |newline| newline + 1)..end.map_or(text.len(), |len| at + len)
    }
}

fn takes(key: &str, form: Form) -> String {
    match form {
        Form::Number => format!("'{key}' takes a number"),
        Form::Text | Form::Word => format!("'{key}' takes a string, in quotes: {key} = \"...\""),
        Form::Switch => format!("'{key}' takes true or false"),
        Form::List => format!("'{key}' takes an array of strings: {key} = [\"...\", \"...\"]"),
    }
}

/// Whether it is short and would mean itself in quotes.
fn is_plain(text: &str) -> bool {
    let means_itself = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"'\\".contains(&byte);
    (1..=40).contains(&text.len()) && text.bytes().all(means_itself)
}

/// As it would be typed: `0x10` is 16.
fn decimal(number: &DeInteger<'_>) -> String {
    let value = i128::from_str_radix(number.as_str(), number.radix());
    value.map_or_else(|_| number.to_string(), |value| value.to_string())
}
