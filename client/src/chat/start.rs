//! Choice between the two modes.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
};

use common::cli::{stdio::stdout, terminal::is_plain_terminal};

use super::{
    config::{ChatConfig, Output},
    connection::Connection,
    enter::enter,
    error::Error,
    framing::kind::Framing,
    plain, run,
};
use crate::{net::target::Target, stdio};

/// Connects, enters the room, and chats until the user or the server leaves.
///
/// # Errors
///
/// The server cannot be reached or refuses the client, the connection ends, or messages are lost.
pub(crate) fn start(target: &Target, config: &ChatConfig) -> Result<(), Error> {
    let framing = match &target.websocket {
        Some(_) => Framing::Json,
        None if config.uses_frames => Framing::Length,
        None => Framing::Text,
    };
    let mut connection = Connection::new(target.connect()?, framing);
    let events = enter(&mut connection, config, target.websocket.is_some())?;
    if config.output == Output::Auto && is_capable_terminal() {
        return run::run(connection, &events, config, &target.to_string());
    }
    // The buffer of `std` would hide input from `poll`.
    let input = io::stdin().as_fd().try_clone_to_owned().map_err(stdio::Error::Input)?;
    plain::run(connection, &events, config, &mut File::from(input), &mut stdout())
}

/// Returns `true` if input and output are a terminal that can move the cursor.
fn is_capable_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_plain_terminal()
}
