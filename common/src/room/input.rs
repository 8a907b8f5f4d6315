//! What a member sends.

use thiserror::Error;

use super::{
    limits::MAX_TEXT,
    name::{MAX_NAME, MAX_ROOM, is_guest_name, is_room_name},
};
use crate::exit::is_exit;

/// What a member sends: a line without its newline, the payload of a frame, or a message of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// Nothing.
    Empty,
    /// A message to the room.
    Message(&'a [u8]),
    /// A command to the server.
    Command(Command<'a>),
    /// The end of the session.
    Exit,
}

/// A command of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `/join NAME`. `None`: the first room of the connection.
    Join(Option<&'a str>),
    /// `/leave`.
    Leave,
    /// `/name NAME`.
    Name(&'a str),
    /// `/who`.
    Who,
    /// `/seq on|off`: lines with the number of their event, or without.
    Numbers(bool),
    /// `/help`.
    Help,
}

/// Why the input of a member is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The message is longer than [`MAX_TEXT`].
    #[error("A message has at most {MAX_TEXT} bytes, this one has {0}")]
    TooLong(usize),
    /// There is no such command.
    #[error(
        "Unknown command; /help lists the commands. A message that begins with '/' is sent as //"
    )]
    Unknown,
    /// The argument of `/name`.
    #[error(
        "A name has 1 to {MAX_NAME} letters, digits, '.', '_' or '-', and begins with a letter or a digit"
    )]
    Name,
    /// The argument of `/join`.
    #[error(
        "A room has a name of 1 to {MAX_ROOM} letters, digits, '.', '_' or '-', which begins with a letter or a digit"
    )]
    Room,
    /// The argument of `/seq`.
    #[error("Usage: /seq on, or /seq off")]
    Numbers,
}

impl<'a> Input<'a> {
    /// Parses what a member has sent.
    ///
    /// # Errors
    ///
    /// If it is too long, or a command that is not valid.
    ///
    /// ```
    /// use common::room::{Command, Input};
    /// assert_eq!(Input::parse(b"hello"), Ok(Input::Message(b"hello")));
    /// assert_eq!(Input::parse(b"//etc"), Ok(Input::Message(b"/etc")));
    /// assert_eq!(Input::parse(b"/join team"), Ok(Input::Command(Command::Join(Some("team")))));
    /// ```
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CommandError> {
        if bytes.len() > MAX_TEXT {
            return Err(CommandError::TooLong(bytes.len()));
        }
        match bytes {
            b"" => Ok(Self::Empty),
            _ if is_exit(bytes) => Ok(Self::Exit),
            [b'/', rest @ ..] if rest.starts_with(b"/") => Ok(Self::Message(rest)),
            [b'/', rest @ ..] => parse_command(rest).map(Self::Command),
            _ => Ok(Self::Message(bytes)),
        }
    }
}

fn parse_command(bytes: &[u8]) -> Result<Command<'_>, CommandError> {
    let text = str::from_utf8(bytes).map_err(|_| CommandError::Unknown)?;
    let mut words = text.split_ascii_whitespace();
    let (word, argument) = (words.next().unwrap_or_default(), words.next());
    if words.next().is_some() {
        return Err(match word {
            "join" => CommandError::Room,
            "name" => CommandError::Name,
            "seq" => CommandError::Numbers,
            _ => CommandError::Unknown,
        });
    }
    match (word, argument) {
        ("join", None) => Ok(Command::Join(None)),
        ("join", Some(room)) if is_room_name(room) => Ok(Command::Join(Some(room))),
        ("join", Some(_)) => Err(CommandError::Room),
        ("name", Some(name)) if is_guest_name(name) => Ok(Command::Name(name)),
        ("name", _) => Err(CommandError::Name),
        ("seq", Some("on")) => Ok(Command::Numbers(true)),
        ("seq", Some("off")) => Ok(Command::Numbers(false)),
        ("seq", _) => Err(CommandError::Numbers),
        ("leave", None) => Ok(Command::Leave),
        ("who", None) => Ok(Command::Who),
        ("help", None) => Ok(Command::Help),
        _ => Err(CommandError::Unknown),
    }
}
