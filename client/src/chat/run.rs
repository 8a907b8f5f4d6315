//! Mode for terminals: the loop between keys, signals and the connection.

use std::{io, os::fd::AsFd as _};

use common::cli::{
    print_error,
    terminal::{Keyboard, Screen},
};
use rustix::event::{PollFd, PollFlags};
use signal_hook::consts::SIGINT;

use super::{
    config::ChatConfig,
    connection::Connection,
    editor::keys::{Action, action},
    error::Error,
    event::Event,
    session::{Session, State},
    signals::{Signals, end_by},
};
use crate::{
    net::{
        self,
        poll::{Deadline, poll},
    },
    stdio,
};

/// Chats in the terminal until the user or the server leaves.
///
/// # Errors
///
/// The connection ended, or the terminal cannot be used. It is restored.
pub(super) fn run(
    connection: Connection<'_>,
    events: &[Event],
    config: &ChatConfig,
    server: &str,
) -> Result<(), Error> {
    let signals = Signals::new()?;
    let connection = connection.interrupted_by(signals.interrupt());
    let mut session = Session::new(connection, server, config.shows_numbers);
    session.receive(events);
    let mut screen = Screen::new().map_err(Error::Terminal)?;
    let result = serve(&mut session, &mut screen, &signals);
    drop(screen);
    let counts = session.counts();
    if !counts.is_perfect() {
        print_error(&format!("Warning: events of the room: {counts}"));
    }
    match result? {
        Some(signal) => end_by(signal),
        None => session.connection().close(),
    }
    session.into_failure().map_or(Ok(()), Err)
}

/// What has happened.
#[derive(Debug, Default)]
struct Ready {
    is_readable: bool,
    has_keys: bool,
    has_signal: bool,
}

/// Serves the user until one side has left; returns the signal that ends the program, if there was one.
fn serve(
    session: &mut Session<'_>,
    screen: &mut Screen,
    signals: &Signals,
) -> Result<Option<i32>, Error> {
    let mut keyboard = Keyboard::default();
    while !matches!(session.state(), State::Left) {
        screen.draw(|frame| session.draw(frame)).map_err(Error::Terminal)?;
        let ready = wait(session, signals)?;
        if ready.has_signal {
            match signals.take() {
                // As Ctrl+C, which is a key here.
                Some(SIGINT) => session.leave(),
                Some(signal) => return Ok(Some(signal)),
                // The size of the terminal.
                None => {}
            }
        }
        if ready.is_readable {
            session.receive_events();
        }
        if ready.has_keys {
            take_keys(session, &mut keyboard, screen)?;
        }
    }
    Ok(None)
}

fn wait(session: &mut Session<'_>, signals: &Signals) -> Result<Ready, Error> {
    let keyboard = io::stdin();
    let deadline = match session.state() {
        State::Open => Deadline::NEVER,
        State::Leaving(deadline) => deadline,
        State::Left | State::Ended => return wait_for_keys(&keyboard, signals),
    };
    match session.connection().wait(Some(keyboard.as_fd()), deadline) {
        Ok(ready) => Ok(Ready {
            is_readable: ready.is_readable,
            has_keys: ready.has_input,
            has_signal: false,
        }),
        Err(Error::Net(net::Error::Interrupted)) => {
            Ok(Ready { has_signal: true, ..Ready::default() })
        }
        // The server does not answer the exit, and the user has left.
        Err(Error::Net(net::Error::NoReply(_))) => {
            session.end();
            Ok(Ready::default())
        }
        Err(error) => Err(error),
    }
}

/// Waits for a key or a signal.
fn wait_for_keys(keyboard: &io::Stdin, signals: &Signals) -> Result<Ready, Error> {
    let mut fds =
        [PollFd::new(keyboard, PollFlags::IN), PollFd::new(signals.interrupt(), PollFlags::IN)];
    poll(&mut fds, Deadline::NEVER).map_err(stdio::Error::Input)?;
    let [has_keys, has_signal] = fds.map(|fd| !fd.revents().is_empty());
    Ok(Ready { is_readable: false, has_keys, has_signal })
}

fn take_keys(
    session: &mut Session<'_>,
    keyboard: &mut Keyboard,
    screen: &mut Screen,
) -> Result<(), Error> {
    let Some(events) = keyboard.take().map_err(stdio::Error::Input)? else {
        // The terminal is gone.
        session.end();
        return Ok(());
    };
    for action in events.into_iter().filter_map(action) {
        match action {
            Action::Redraw => screen.clear().map_err(Error::Terminal)?,
            action => session.act(action),
        }
    }
    Ok(())
}
