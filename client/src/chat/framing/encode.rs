//! What a user types, as bytes for the server.

use common::{
    escape::Escaped,
    frame,
    room::{Command, Input, JsonInput},
};

use super::kind::{Framing, lossless};

/// Returns the bytes of an input; nothing if the framing has no form for it.
pub(in crate::chat) fn encode(framing: Framing, input: &Input<'_>) -> Vec<u8> {
    match framing {
        Framing::Text => with_newline(line(input)),
        // No input is longer than a frame can be.
        Framing::Length => frame::encode(&line(input)).unwrap_or_default(),
        Framing::Json => json(input).map(with_newline).unwrap_or_default(),
    }
}

/// Returns the text with which a message returns.
pub(in crate::chat) fn returned_text(framing: Framing, message: &[u8]) -> String {
    match framing {
        Framing::Text => Escaped(message).to_string(),
        Framing::Length | Framing::Json => lossless(message),
    }
}

fn with_newline(mut line: Vec<u8>) -> Vec<u8> {
    line.push(b'\n');
    line
}

fn line(input: &Input<'_>) -> Vec<u8> {
    let command = match *input {
        Input::Empty => return Vec::new(),
        Input::Message(text) if text.starts_with(b"/") => return [b"/", text].concat(),
        Input::Message(text) => return text.to_vec(),
        Input::Command(Command::Join(None)) => "/join".to_owned(),
        Input::Command(Command::Join(Some(room))) => format!("/join {room}"),
        Input::Command(Command::Leave) => "/leave".to_owned(),
        Input::Command(Command::Name(name)) => format!("/name {name}"),
        Input::Command(Command::Who) => "/who".to_owned(),
        Input::Command(Command::Numbers(true)) => "/seq on".to_owned(),
        Input::Command(Command::Numbers(false)) => "/seq off".to_owned(),
        Input::Command(Command::Help) => "/help".to_owned(),
        Input::Exit => common::protocol::EXIT.to_owned(),
    };
    command.into_bytes()
}

fn json(input: &Input<'_>) -> Option<Vec<u8>> {
    let object = match *input {
        Input::Message(text) => JsonInput::Message { text: lossless(text).into() },
        Input::Command(Command::Join(room)) => JsonInput::Join { room: room.map(Into::into) },
        Input::Command(Command::Leave) => JsonInput::Leave,
        Input::Command(Command::Name(name)) => JsonInput::Name { name: name.into() },
        Input::Command(Command::Who) => JsonInput::Who,
        Input::Exit => JsonInput::Exit,
        Input::Empty | Input::Command(Command::Numbers(_) | Command::Help) => return None,
    };
    serde_json::to_vec(&object).ok()
}
