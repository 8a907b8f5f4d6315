//! The content of the file of users.

use std::{collections::HashSet, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::login::{Key, random_key};
use thiserror::Error;

use super::entry::{Entry, EntryError, key};
use crate::config::{Credential, Users};

/// The content of a file of users. Comments and blank lines stay where they are.
///
/// ```
/// use server::settings::users::UsersFile;
///
/// let mut file = UsersFile::new();
/// file.add("alice:certificate::".parse()?);
/// let file = UsersFile::parse(&file.to_string()).map_err(|errors| errors[0].clone())?;
/// assert!(file.users().has("alice"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersFile {
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, Eq)]
enum Line {
    /// A comment or a blank line.
    Other(String),
    Secret(Key),
    Entry(Entry),
}

/// A wrong line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {message}")]
pub struct LineError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// What the line of the secret begins with: no user has an empty name.
const SECRET: &str = ":secret:";

const HEAD: &str = "\
# Users of echo-server; change it with 'echo-server user'. Keep it secret: a program that reads it can impersonate this
# server, and search for passwords.";

impl UsersFile {
    /// Creates the content of a new file, with a new secret and without users.
    #[must_use]
    pub fn new() -> Self {
        let head = HEAD.lines().map(|line| Line::Other(line.to_owned()));
        Self { lines: head.chain([Line::Secret(random_key())]).collect() }
    }

    /// Parses a file.
    ///
    /// # Errors
    ///
    /// All wrong lines.
    pub fn parse(text: &str) -> Result<Self, Vec<LineError>> {
        let (mut lines, mut errors) = (Vec::new(), Vec::new());
        let mut known = HashSet::new();
        for (index, text) in text.lines().enumerate() {
            let line = Line::parse(text).and_then(|line| match line.identity() {
                Some(identity) if !known.insert(identity.clone()) => Err(identity.1.repeated()),
                _ => Ok(line),
            });
            match line {
                Ok(line) => lines.push(line),
                Err(message) => errors.push(LineError { line: index + 1, message }),
            }
        }
        if !lines.iter().any(|line| matches!(line, Line::Secret(_))) && errors.is_empty() {
            let message = "the line ':secret:...' is missing; 'echo-server user add' writes one";
            errors
                .push(LineError { line: text.lines().count().max(1), message: message.to_owned() });
        }
        if errors.is_empty() { Ok(Self { lines }) } else { Err(errors) }
    }

    /// Returns the entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.lines.iter().filter_map(|line| match line {
            Line::Entry(entry) => Some(entry),
            _ => None,
        })
    }

    /// Adds an entry at the end.
    pub fn add(&mut self, entry: Entry) {
        self.lines.push(Line::Entry(entry));
    }

    /// Returns the entry with the password of a user.
    pub fn password_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.lines.iter_mut().find_map(|line| match line {
            Line::Entry(entry)
                if entry.name() == name
                    && matches!(entry.credential(), Credential::Password(_)) =>
            {
                Some(entry)
            }
            _ => None,
        })
    }

    /// Removes all entries of a user. Returns their number.
    pub fn remove(&mut self, name: &str) -> usize {
        let count = self.lines.len();
        self.lines.retain(|line| !matches!(line, Line::Entry(entry) if entry.name() == name));
        count - self.lines.len()
    }

    /// Returns the users.
    #[must_use]
    pub fn users(&self) -> Users {
        let secret = self.lines.iter().find_map(|line| match line {
            Line::Secret(secret) => Some(*secret),
            _ => None,
        });
        Users::new(secret.unwrap_or_default(), self.entries().map(Entry::user))
    }
}

impl Default for UsersFile {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for UsersFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| match line {
            Line::Other(text) => writeln!(f, "{text}"),
            Line::Secret(secret) => writeln!(f, "{SECRET}{}", STANDARD.encode(secret)),
            Line::Entry(entry) => writeln!(f, "{entry}"),
        })
    }
}

/// What only one line of a file may say.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Secret,
    Password,
    Token(Key),
    Certificate,
}

impl Kind {
    fn repeated(self) -> String {
        match self {
            Self::Secret => "the secret is there twice",
            Self::Password => "the user has a password already",
            Self::Token(_) => "an earlier line has this token",
            Self::Certificate => "the user may use a certificate already",
        }
        .to_owned()
    }
}

impl Line {
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() || text.starts_with('#') {
            return Ok(Self::Other(text.to_owned()));
        }
        if let Some(secret) = text.strip_prefix(SECRET) {
            return key("secret", secret).map(Self::Secret).map_err(|error| error.to_string());
        }
        text.parse().map(Self::Entry).map_err(|error: EntryError| error.to_string())
    }

    /// Returns what no other line may have: a kind of credential for a user, or a token, which belongs to one user.
    fn identity(&self) -> Option<(String, Kind)> {
        match self {
            Self::Other(_) => None,
            Self::Secret(_) => Some((String::new(), Kind::Secret)),
            Self::Entry(entry) => {
                let kind = match entry.credential() {
                    Credential::Password(_) => Kind::Password,
                    Credential::Token(hash) => return Some((String::new(), Kind::Token(*hash))),
                    Credential::Certificate => Kind::Certificate,
                };
                Some((entry.name().to_owned(), kind))
            }
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(text) => text.fmt(f),
            Self::Secret(_) => f.write_str("Secret(..)"),
            Self::Entry(entry) => entry.fmt(f),
        }
    }
}
