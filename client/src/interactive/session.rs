//! Loop of a session: prompt, message, echo, until the user or the server leaves.
//!
//! Must not know how lines are edited, nor how bytes travel.

use std::io::Write;

use common::{escape::Escaped, protocol::GOODBYE, receipt::Comparison};
use rustix::process::{Signal, getpid, kill_process};

use crate::{
    echo::{
        exchange::exchange,
        exit::{ExitReply, close_websocket, send_exit},
        message::{EXIT_LINE, split_at_exit},
        settle::settle,
    },
    net::{self, poll::Interrupt, stream::Stream, target::Target},
    stdio::print,
};

use super::{
    error::Error,
    history,
    prompt::{Input, Prompt},
    watcher::Watcher,
};

const DISCONNECTED: &str = "Disconnected from server\n";

/// Runs a session until the user or the server leaves. Returns the comparison with the receipt, if there is one.
///
/// # Errors
///
/// The server cannot be reached, a reply is wrong or missing, the server closes, or the terminal cannot be
/// used. The error is not on the screen yet, and the cursor is at the start of a line.
pub(crate) fn run(target: &Target, screen: &mut impl Write) -> Result<Option<Comparison>, Error> {
    print(screen, "Echo Client\n====================\n")?;
    let stream = target.connect()?;
    let banner = format!(
        "Connected to echo server at {target}\nType 'exit' to quit the client\n{}\n",
        "-".repeat(40)
    );
    print(screen, &banner)?;
    let mut prompt = Prompt::new(history::file())?;
    // While the prompt does not read keys, Ctrl+C is a signal.
    let interrupt = Interrupt::on_ctrl_c()?;
    let stream = stream.interrupted_by(Some(&interrupt));

    let outcome = match converse(&stream, &mut prompt, &interrupt, screen) {
        Ok(true) => Ok(None),
        // Nobody waits for a receipt after Ctrl+C.
        Ok(false) => {
            print(screen, DISCONNECTED)?;
            return Ok(None);
        }
        Err(Error::Echo(error)) => Err(error),
        Err(Error::Net(error)) => Err(error.into()),
        Err(error) => return Err(error),
    };
    let comparison = settle(&stream, outcome)?;
    print(screen, DISCONNECTED)?;
    Ok(comparison)
}

/// Exchanges messages until the user leaves. Returns `false` if that was in the middle of an exchange.
fn converse(
    stream: &Stream<'_>,
    prompt: &mut Prompt,
    interrupt: &Interrupt,
    screen: &mut impl Write,
) -> Result<bool, Error> {
    loop {
        let next = match read_input(prompt, stream, interrupt)? {
            Input::Line(message) if is_blank(&message) => Ok(Next::Prompt),
            Input::Line(message) => send_message(stream, &[&message, &b"\n"[..]].concat(), screen),
            Input::Leave => leave(stream, screen),
        };
        match next {
            Ok(Next::Prompt) => {}
            Ok(Next::Disconnect) => return Ok(true),
            // Ctrl+C while a reply is late. The server answers the exit only after that reply, so the
            // client sends it and does not wait.
            Err(Error::Echo(error)) if error.is_interrupted() => {
                if stream.is_websocket() {
                    stream.half_close();
                } else {
                    let _ = stream.send(EXIT_LINE);
                }
                print(screen, "\nExiting...\n")?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Next step of the session.
enum Next {
    Prompt,
    Disconnect,
}

/// Reads a line from the user, until the server closes or sends something.
fn read_input(
    prompt: &mut Prompt,
    stream: &Stream<'_>,
    interrupt: &Interrupt,
) -> Result<Input, Error> {
    // Ctrl+C between a reply and the prompt.
    if interrupt.take() {
        return Ok(Input::Leave);
    }
    // The prompt treats SIGINT as Ctrl+C, and restores the terminal before it returns.
    let interrupt_prompt = || {
        let _ = kill_process(getpid(), Signal::INT);
    };
    let watcher = Watcher::start(stream.transport(), interrupt_prompt)
        .map_err(net::Error::system("watch the connection"))?;
    let input = prompt.read(interrupt);
    match watcher.stop() {
        Some(error) => Err(error.into()),
        None => Ok(input?),
    }
}

fn is_blank(message: &[u8]) -> bool {
    str::from_utf8(message).is_ok_and(|text| text.trim().is_empty())
}

/// Sends a typed message, and shows its echo.
fn send_message(
    stream: &Stream<'_>,
    message: &[u8],
    screen: &mut impl Write,
) -> Result<Next, Error> {
    let (text, exit) = split_at_exit(message);
    if !text.is_empty() {
        exchange(stream, text)?;
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        print(screen, &format!("Server echo: {}\n\n", Escaped(text)))?;
    }
    match exit {
        Some(exit) => exit_session(stream, exit, screen),
        None => Ok(Next::Prompt),
    }
}

fn leave(stream: &Stream<'_>, screen: &mut impl Write) -> Result<Next, Error> {
    print(screen, "Exiting...\n")?;
    if stream.is_websocket() {
        if !stream.expects_receipt() {
            close_websocket(stream);
        }
        return Ok(Next::Disconnect);
    }
    exit_session(stream, EXIT_LINE, screen)
}

fn exit_session(
    stream: &Stream<'_>,
    exit_line: &[u8],
    screen: &mut impl Write,
) -> Result<Next, Error> {
    let reply = match send_exit(stream, exit_line)? {
        ExitReply::Goodbye => GOODBYE.to_owned(),
        ExitReply::Echo => Escaped(exit_line.trim_ascii()).to_string(),
    };
    print(screen, &format!("Server response: {reply}\n"))?;
    Ok(Next::Disconnect)
}
