//! One line of the file of users.

use std::{fmt, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::login::{Key, Keys, MAX_ITERATIONS, MIN_ITERATIONS, SALT_LENGTH, prepare_name};
use jiff::{civil::Date, tz::TimeZone};
use thiserror::Error;

use crate::config::{Credential, User};

/// An entry of the file of users: one way in which a user logs in.
///
/// ```
/// use server::settings::users::Entry;
///
/// let entry: Entry = "alice:certificate:2027-01-31:laptop, until she gets a new one".parse()?;
/// assert_eq!(entry.name(), "alice");
/// assert_eq!(entry.to_string(), "alice:certificate:2027-01-31:laptop, until she gets a new one");
/// # Ok::<(), server::settings::users::EntryError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    name: String,
    credential: Credential,
    expires: Option<Date>,
    comment: String,
}

/// Reason for which a line is no entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The kind of the credential is missing or unknown.
    #[error("expected NAME:scram-sha-256:..., NAME:token:... or NAME:certificate:...")]
    Kind,
    /// Fields are missing.
    #[error("expected {0}")]
    Fields(&'static str),
    /// The name cannot be one.
    #[error("the name is invalid: {0}")]
    Name(String),
    /// The number of iterations is out of bounds.
    #[error("expected from {MIN_ITERATIONS} to {MAX_ITERATIONS} iterations")]
    Iterations,
    /// A key, a salt or a hash is not one.
    #[error("the {0} is not base64 of {1}")]
    Base64(&'static str, &'static str),
    /// The date is not one.
    #[error("the end is no date like 2027-01-31")]
    Date,
    /// The comment has a line break.
    #[error("a comment is one line")]
    Comment,
}

const SCRAM: &str = "scram-sha-256";
const SCRAM_FORM: &str = "NAME:scram-sha-256:ITERATIONS:SALT:STORED-KEY:SERVER-KEY:EXPIRES:COMMENT";
const TOKEN: &str = "token";
const TOKEN_FORM: &str = "NAME:token:SHA-256:EXPIRES:COMMENT";
const CERTIFICATE: &str = "certificate";
const CERTIFICATE_FORM: &str = "NAME:certificate:EXPIRES:COMMENT";

impl Entry {
    /// Creates an entry.
    ///
    /// # Errors
    ///
    /// If the name, the end or the comment cannot be one.
    pub fn new(
        name: &str,
        credential: Credential,
        expires: Option<Date>,
        comment: &str,
    ) -> Result<Self, EntryError> {
        let comment = comment.to_owned();
        if comment.contains(['\n', '\r']) {
            return Err(EntryError::Comment);
        }
        if let Some(date) = expires {
            parse_end(&date.to_string())?;
        }
        Ok(Self { name: user_name(name)?, credential, expires, comment })
    }

    /// Returns the name of the user.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the user shows to log in.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Returns the day, in UTC, from which the entry is refused.
    #[must_use]
    pub fn expires(&self) -> Option<Date> {
        self.expires
    }

    /// Returns the comment, which may be empty.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Returns the kind of the credential, as in the file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.credential {
            Credential::Password(_) => SCRAM,
            Credential::Token(_) => TOKEN,
            Credential::Certificate => CERTIFICATE,
        }
    }

    /// Returns the same entry with another credential.
    #[must_use]
    pub fn with_credential(self, credential: Credential) -> Self {
        Self { credential, ..self }
    }

    /// Returns the user of the entry.
    pub(super) fn user(&self) -> User {
        let mut user = User::new(&self.name, self.credential.clone());
        // The end has been checked; one without a time would be in the past, so that nobody logs in by mistake.
        user.expires = self.expires.map(|date| start(date).unwrap_or(SystemTime::UNIX_EPOCH));
        user
    }
}

impl std::str::FromStr for Entry {
    type Err = EntryError;

    fn from_str(line: &str) -> Result<Self, EntryError> {
        let mut fields = line.splitn(3, ':');
        let (Some(name), Some(kind), Some(rest)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(EntryError::Kind);
        };
        let (credential, rest) = match kind {
            SCRAM => {
                let (fields, rest) = split::<4>(rest, SCRAM_FORM)?;
                (Credential::Password(keys(fields)?), rest)
            }
            TOKEN => {
                let ([hash], rest) = split::<1>(rest, TOKEN_FORM)?;
                (Credential::Token(key("hash", hash)?), rest)
            }
            CERTIFICATE => (Credential::Certificate, rest),
            _ => return Err(EntryError::Kind),
        };
        let form = match credential {
            Credential::Password(_) => SCRAM_FORM,
            Credential::Token(_) => TOKEN_FORM,
            Credential::Certificate => CERTIFICATE_FORM,
        };
        let (expires, comment) = rest.split_once(':').ok_or(EntryError::Fields(form))?;
        let expires = match expires {
            "" => None,
            date => Some(parse_end(date)?),
        };
        Self::new(name, credential, expires, comment)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.name, self.kind())?;
        match &self.credential {
            Credential::Password(keys) => {
                let [salt, stored, server] = [&keys.salt[..], &keys.stored_key, &keys.server_key]
                    .map(|key| STANDARD.encode(key));
                write!(f, "{}:{salt}:{stored}:{server}:", keys.iterations)?;
            }
            Credential::Token(hash) => write!(f, "{}:", STANDARD.encode(hash))?,
            Credential::Certificate => {}
        }
        if let Some(expires) = self.expires {
            write!(f, "{expires}")?;
        }
        write!(f, ":{}", self.comment)
    }
}

/// Parses the day from which an entry is refused, in the form `2027-01-31` and no other.
///
/// # Errors
///
/// If it is not such a date, or the time at which it begins cannot be represented.
pub fn parse_end(text: &str) -> Result<Date, EntryError> {
    let is_date = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date = text.parse().ok().filter(|_| is_date);
    date.filter(|&date| start(date).is_some()).ok_or(EntryError::Date)
}

/// Returns the time at which a day begins in UTC.
fn start(date: Date) -> Option<SystemTime> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}

/// Checks and prepares the name of a user. HTTP Basic and this file separate fields by a colon.
fn user_name(name: &str) -> Result<String, EntryError> {
    let invalid = |why: &str| Err(EntryError::Name(why.to_owned()));
    let prepared = match prepare_name(name) {
        Ok(prepared) => prepared,
        Err(error) => return invalid(&error.to_string()),
    };
    if prepared.contains(':') {
        invalid("it has a colon")
    } else if prepared.starts_with('#') || prepared.trim() != prepared {
        invalid("it begins with a # or a space, or ends with a space")
    } else {
        Ok(prepared)
    }
}

/// Splits off the first `N` fields.
fn split<'a, const N: usize>(
    text: &'a str,
    form: &'static str,
) -> Result<([&'a str; N], &'a str), EntryError> {
    let mut fields = text.splitn(N + 1, ':');
    let mut first = [""; N];
    for field in &mut first {
        *field = fields.next().ok_or(EntryError::Fields(form))?;
    }
    Ok((first, fields.next().ok_or(EntryError::Fields(form))?))
}

fn keys([iterations, salt, stored, server]: [&str; 4]) -> Result<Keys, EntryError> {
    let is_number = iterations.bytes().all(|byte| byte.is_ascii_digit());
    let iterations = iterations.parse().ok().filter(|_| is_number);
    let iterations = iterations.filter(|number| (MIN_ITERATIONS..=MAX_ITERATIONS).contains(number));
    let salt = STANDARD.decode(salt).ok().filter(|salt| salt.len() == SALT_LENGTH);
    Ok(Keys {
        iterations: iterations.ok_or(EntryError::Iterations)?,
        salt: salt.ok_or(EntryError::Base64("salt", "16 bytes"))?,
        stored_key: key("stored key", stored)?,
        server_key: key("server key", server)?,
    })
}

pub(super) fn key(what: &'static str, text: &str) -> Result<Key, EntryError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(EntryError::Base64(what, "32 bytes"))
}
