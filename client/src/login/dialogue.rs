//! Dialogue of one login, in lines: the command, challenges and responses, and the outcome (RFC 5034).
//!
//! Each answer of the server has to be complete before the next line is sent, and nothing may follow it: a server speaks only
//! when it is asked.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::{
    login::{
        ClientExchange, ClientProof, Mechanism, PlainMessage, ScramError, Secret, random_nonce,
    },
    protocol::FULL,
};
use memchr::memchr;
use zeroize::Zeroizing;

use super::{
    channel::Channel,
    choice::{Choice, choose},
    client::Client,
    credentials::Credentials,
    error::Error,
};

/// Maximum length of an answer, in bytes.
const MAX_ANSWER: usize = 8 * 1024;

/// Command that lists the mechanisms of the server.
const LIST: &str = "AUTH";

/// Login that is not complete.
pub(crate) struct Dialogue {
    client: Client,
    channel: Channel,
    /// Line to send, and the number of its bytes that have been sent. It may hold the password.
    line: Zeroizing<Vec<u8>>,
    sent: usize,
    /// Bytes of the present answer so far.
    answer: Vec<u8>,
    state: State,
}

/// Answer that the dialogue waits for.
enum State {
    /// The list of mechanisms.
    List,
    /// The first challenge of SCRAM.
    Salt(Mechanism, ClientExchange),
    /// The signature of the server.
    Signature(Mechanism, ClientProof),
    /// The outcome.
    Outcome(Mechanism),
}

/// Line of the server.
enum Answer<'a> {
    Accepted,
    Refused(&'a [u8]),
    Challenge(&'a [u8]),
    Other,
}

impl Dialogue {
    /// Starts a dialogue: nothing is sent yet.
    pub(crate) fn new(client: &Client, channel: Channel) -> Self {
        let mut dialogue = Self {
            client: client.clone(),
            channel,
            line: Zeroizing::default(),
            sent: 0,
            answer: Vec::new(),
            state: State::List,
        };
        dialogue.send(LIST);
        dialogue
    }

    /// Returns the rest of the line to send.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.line[self.sent..]
    }

    /// Marks the first `count` unsent bytes as sent.
    pub(crate) fn mark_sent(&mut self, count: usize) {
        self.sent += count;
    }

    /// Takes a part of an answer; returns the mechanism if the login is complete.
    ///
    /// # Errors
    ///
    /// The server refuses the login, is not the right one, or breaks the protocol.
    pub(crate) fn receive(&mut self, part: &[u8]) -> Result<Option<Mechanism>, Error> {
        self.answer.extend_from_slice(part);
        let end = self.end_of_answer();
        if end.unwrap_or(self.answer.len()) > MAX_ANSWER {
            return Err(Error::TooLong(MAX_ANSWER));
        }
        let Some(end) = end else {
            let is_plausible = is_plausible(&self.answer);
            return if is_plausible { Ok(None) } else { Err(self.unexpected()) };
        };
        let rest = self.answer.split_off(end);
        let mechanism = self.advance()?;
        self.answer = rest;
        if self.answer.is_empty() { Ok(mechanism) } else { Err(self.unexpected()) }
    }

    /// Returns the maximum number of bytes of the next read. Behind the last answer, the session of a room begins without a
    /// message of the client, so that answer is read byte by byte.
    pub(crate) fn max_read(&self) -> usize {
        if matches!(self.state, State::Outcome(_)) { 1 } else { MAX_ANSWER }
    }

    /// Returns the error for a connection that ends before the login is complete.
    pub(crate) fn end(&self) -> Error {
        if self.answer.is_empty() { Error::Ended } else { self.unexpected() }
    }

    fn unexpected(&self) -> Error {
        if self.answer.starts_with(FULL.as_bytes()) {
            Error::Full(self.answer.trim_ascii_end().to_vec())
        } else {
            Error::Unexpected(self.answer.clone())
        }
    }

    /// Returns the length of the first answer, if it is complete: a line, or a list that ends with a single dot.
    fn end_of_answer(&self) -> Option<usize> {
        let mut end = memchr(b'\n', &self.answer)? + 1;
        if matches!(self.state, State::List) && self.answer.starts_with(b"+OK") {
            loop {
                let start = end;
                end += memchr(b'\n', &self.answer[start..])? + 1;
                if self.answer[start..end].trim_ascii_end() == b"." {
                    break;
                }
            }
        }
        Some(end)
    }

    /// Handles the complete answer.
    fn advance(&mut self) -> Result<Option<Mechanism>, Error> {
        let answer = std::mem::take(&mut self.answer);
        let line = answer.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (std::mem::replace(&mut self.state, State::List), Answer::parse(line)) {
            (_, Answer::Refused(text)) => return Err(Error::Refused(text.to_vec())),
            (State::List, Answer::Accepted) => self.begin(&offered(&answer))?,
            (State::List, _) if line == LIST.as_bytes() => return Err(Error::Echo),
            (State::Salt(mechanism, exchange), Answer::Challenge(text)) => {
                let proof = exchange.prove(&decode(text)?, &mut self.client.keys())?;
                self.send(&BASE64_STANDARD.encode(&proof.message));
                self.state = State::Signature(mechanism, proof);
            }
            (State::Signature(mechanism, proof), Answer::Challenge(text)) => {
                proof.verify(&decode(text)?)?;
                self.send("");
                self.state = State::Outcome(mechanism);
            }
            (State::Salt(..) | State::Signature(..), Answer::Accepted) => {
                return Err(Error::NoProof);
            }
            (State::Outcome(mechanism), Answer::Accepted) => return Ok(Some(mechanism)),
            _ => {
                self.answer = answer;
                return Err(self.unexpected());
            }
        }
        Ok(None)
    }

    /// Names the mechanism, with its initial response.
    fn begin(&mut self, offered: &[Mechanism]) -> Result<(), Error> {
        let client = self.client.clone();
        let Choice { mechanism, binding } = choose(client.credentials(), &self.channel, offered)?;
        let (user, password) = match (client.credentials(), client.password()) {
            (Credentials::Password { user, .. }, Some(password)) => (&user[..], Some(password)),
            (Credentials::Certificate { user }, _) => (user.as_deref().unwrap_or_default(), None),
            _ => ("", None),
        };
        let (initial, state) = match (mechanism, password) {
            (Mechanism::ScramSha256Plus | Mechanism::ScramSha256, Some(password)) => {
                let (exchange, first) =
                    ClientExchange::begin(user, password.clone(), binding, random_nonce());
                (encode(first.as_bytes()), State::Salt(mechanism, exchange))
            }
            (Mechanism::Plain, Some(password)) => {
                (plain(user, password), State::Outcome(mechanism))
            }
            (Mechanism::External, _) => (encode(user.as_bytes()), State::Outcome(mechanism)),
            (_, None) => return Err(Error::Unfit(mechanism)),
        };
        let command = Zeroizing::new(format!("{LIST} {mechanism} {}", *initial));
        self.send(&command);
        self.state = state;
        Ok(())
    }

    fn send(&mut self, line: &str) {
        // The capacity is exact, since a vector that grows leaves copies of a password in memory.
        let mut bytes = Vec::with_capacity(line.len() + 2);
        bytes.extend([line.as_bytes(), b"\r\n"].into_iter().flatten());
        (self.line, self.sent) = (Zeroizing::new(bytes), 0);
    }
}

impl<'a> Answer<'a> {
    fn parse(line: &'a [u8]) -> Self {
        let rest = |word: &[u8]| match line.strip_prefix(word) {
            Some([]) => Some(&[][..]),
            Some([b' ', rest @ ..]) => Some(rest),
            _ => None,
        };
        if rest(b"+OK").is_some() {
            Self::Accepted
        } else if let Some(text) = rest(b"-ERR") {
            Self::Refused(text)
        } else if let Some(text) = rest(b"+") {
            Self::Challenge(text)
        } else {
            Self::Other
        }
    }
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// Returns whether these bytes can be the beginning of an answer: other servers may never end a line.
fn is_plausible(bytes: &[u8]) -> bool {
    let begins = |word: &[u8]| bytes.starts_with(word) || word.starts_with(bytes);
    [&b"+"[..], b"-ERR", LIST.as_bytes(), FULL.as_bytes()].into_iter().any(begins)
}

/// Returns the mechanisms in a list that this client knows.
fn offered(answer: &[u8]) -> Vec<Mechanism> {
    let lines = answer.split(|&byte| byte == b'\n').skip(1).map(<[u8]>::trim_ascii_end);
    lines.filter_map(|line| str::from_utf8(line).ok()?.parse().ok()).collect()
}

fn decode(text: &[u8]) -> Result<Vec<u8>, ScramError> {
    BASE64_STANDARD.decode(text).map_err(|_| ScramError::Malformed("invalid base64"))
}

/// Returns a response in base64; an empty one is a single `=`.
fn encode(response: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(match response {
        [] => "=".to_owned(),
        response => BASE64_STANDARD.encode(response),
    })
}

fn plain(user: &str, password: &Secret) -> Zeroizing<String> {
    let message = PlainMessage { name: user.to_owned(), password: password.clone() };
    encode(&message.to_bytes())
}

#[cfg(test)]
mod tests;
