//! A conversation in a terminal: the original's screen, line by line.
//!
//! Must not know how lines are edited or how bytes travel.

use std::{io::Write, os::fd::AsFd as _};

use common::escape::Escaped;
use rustix::process::{Signal, getpid, kill_process};

use crate::{
    echo::exchange::{EXIT_LINE, ExitReply, exchange, say_exit, split_at_exit},
    interactive::{
        history,
        prompt::{Answer, Prompt},
        watcher::Watcher,
    },
    net::{error::Error, poll::Interrupt, stream::Link, target::Target},
};

/// Talks to the server until the user or the server leaves.
///
/// # Errors
///
/// No server, a wrong or missing reply, a server that left, an unusable terminal. The screen says
/// nothing of it yet; its cursor is at the start of a line.
pub fn run(target: &Target, screen: &mut impl Write) -> Result<(), Error> {
    show(screen, "Echo Client\n====================\n")?;
    let link = target.connect()?;
    let banner = format!(
        "Connected to echo server at {target}\nType 'exit' to quit the client\n{}\n",
        "-".repeat(40)
    );
    show(screen, &banner)?;
    let mut prompt = Prompt::new(history::file())?;
    // Outside the prompt Ctrl+C is a signal.
    let interrupt = Interrupt::on_ctrl_c()
        .map_err(|error| Error::System { what: "listen for Ctrl+C", error })?;
    let link = link.interrupted_by(Some(&interrupt));

    loop {
        let next = match ask(&mut prompt, &link, &interrupt)? {
            Answer::Line(message) if message.trim().is_empty() => Ok(Next::Ask),
            Answer::Line(message) => say(&link, &(message + "\n"), screen),
            Answer::Leave => leave(&link, screen),
        };
        match next {
            Ok(Next::Ask) => {}
            Ok(Next::Leave) => break,
            // Ctrl+C while a reply is late: the user will not wait, and an exit cannot be answered
            // before it. The server is told, and that is all.
            Err(Error::Interrupted) => {
                let _ = link.send(EXIT_LINE);
                show(screen, "\nExiting...\n")?;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    show(screen, "Disconnected from server\n")
}

/// What to do when a message has been answered.
enum Next {
    Ask,
    Leave,
}

/// Asks for a line, and does not wait for it any longer when the server has gone.
fn ask(prompt: &mut Prompt, link: &Link<'_>, interrupt: &Interrupt) -> Result<Answer, Error> {
    // Ctrl+C came between a reply and the prompt.
    if interrupt.take() {
        return Ok(Answer::Leave);
    }
    // The prompt takes a SIGINT for Ctrl+C, and puts the terminal in order before it returns.
    let rouse = || {
        let _ = kill_process(getpid(), Signal::INT);
    };
    let watcher = Watcher::start(link.as_fd(), rouse)
        .map_err(|error| Error::System { what: "watch the connection", error })?;
    let answer = prompt.ask(interrupt);
    match watcher.stop() {
        Some(news) => Err(news),
        None => answer,
    }
}

/// Sends what was typed and shows what comes back.
fn say(link: &Link<'_>, message: &str, screen: &mut impl Write) -> Result<Next, Error> {
    let (text, exit) = split_at_exit(message.as_bytes());
    if !text.is_empty() {
        exchange(link, text)?;
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        show(screen, &format!("Server echo: {}\n\n", Escaped(text)))?;
    }
    match exit {
        Some(exit) => exit_with(link, exit, screen),
        None => Ok(Next::Ask),
    }
}

fn leave(link: &Link<'_>, screen: &mut impl Write) -> Result<Next, Error> {
    show(screen, "Exiting...\n")?;
    exit_with(link, EXIT_LINE, screen)
}

fn exit_with(link: &Link<'_>, exit: &[u8], screen: &mut impl Write) -> Result<Next, Error> {
    let said = match say_exit(link, exit)? {
        ExitReply::Goodbye => common::protocol::GOODBYE.to_owned(),
        ExitReply::Echo => Escaped(exit.trim_ascii()).to_string(),
    };
    show(screen, &format!("Server response: {said}\n"))?;
    Ok(Next::Leave)
}

fn show(screen: &mut impl Write, text: &str) -> Result<(), Error> {
    screen.write_all(text.as_bytes()).and_then(|()| screen.flush()).map_err(Error::output)
}
