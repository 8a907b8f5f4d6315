//! Mode for pipes: lines of the input are sent, and each event is a line of the output.
//!
//! The room returns each message to its sender, so the exit status tells whether all of them arrived.

use std::{
    fmt::Write as _,
    io::{ErrorKind as Io, Read, Write},
    os::fd::AsFd,
};

use common::{
    cli::print_error,
    room::{Command, Input, MAX_TEXT},
};

use super::{
    config::{ChatConfig, Output},
    connection::Connection,
    error::Error,
    event::Event,
    framing::encode::returned_text,
    model::membership::Membership,
};
use crate::{
    net::poll::Deadline,
    stdio::{self, print},
};

/// Number of bytes in flight from which no input is read: a server may drop messages for a member that is behind.
const WINDOW: usize = 32 * 1024;

/// Size of a read of the input.
const CHUNK: usize = 16 * 1024;

/// Number of bytes of a line that are kept: enough to see that it is too long.
const MAX_LINE: usize = MAX_TEXT + 2;

/// Sends the lines of `input`, writes the events to `output`, and leaves after the last own message has returned.
///
/// # Errors
///
/// The connection ended, or messages or events were lost.
pub(super) fn run(
    connection: Connection<'_>,
    events: &[Event],
    config: &ChatConfig,
    input: &mut (impl Read + AsFd),
    output: &mut impl Write,
) -> Result<(), Error> {
    let mut pipe = Pipe {
        connection,
        membership: Membership::default(),
        line: Vec::new(),
        is_json: config.output == Output::Json,
        shows_numbers: config.shows_numbers,
        not_sent: 0,
        phase: Phase::Open,
        stall: Deadline::NEVER,
    };
    pipe.take_events(events, output)?;
    let mut buffer = [0; CHUNK];
    while pipe.phase != Phase::Done {
        let reading = pipe.wants_input().then(|| input.as_fd());
        let ready = pipe.connection.wait(reading, pipe.stall)?;
        if ready.is_readable {
            pipe.receive(output)?;
        }
        if ready.has_input {
            pipe.read_input(input, &mut buffer)?;
        }
    }
    pipe.connection.close();
    pipe.judge()
}

/// Progress of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The exit has been sent.
    Leaving,
    /// It has been answered.
    Done,
}

/// State of the loop.
struct Pipe<'i> {
    connection: Connection<'i>,
    membership: Membership,
    /// Part of a line of the input, at most [`MAX_LINE`] bytes of it.
    line: Vec<u8>,
    is_json: bool,
    shows_numbers: bool,
    /// Lines that no room takes.
    not_sent: u64,
    phase: Phase,
    /// Time at which an answer without progress is given up.
    stall: Deadline,
}

impl Pipe<'_> {
    fn wants_input(&self) -> bool {
        let in_flight = self.membership.in_flight().due_bytes() + self.connection.unsent();
        self.phase == Phase::Open && in_flight < WINDOW
    }

    fn receive(&mut self, output: &mut impl Write) -> Result<(), Error> {
        let mut events = Vec::new();
        let received = self.connection.receive(&mut events);
        self.take_events(&events, output)?;
        match received {
            _ if self.phase == Phase::Done => Ok(()),
            Ok(false) if self.phase == Phase::Leaving => Err(Error::NoGoodbye),
            Ok(false) => Err(Error::Closed),
            received => received.map(|_| ()),
        }
    }

    fn take_events(&mut self, events: &[Event], output: &mut impl Write) -> Result<(), Error> {
        let mut text = String::new();
        for event in events {
            if let Some(fault) = self.membership.observe(event) {
                print_error(&format!("Error: {fault}"));
            }
            // Without a question, the end of the connection follows.
            if *event == Event::Goodbye && self.phase == Phase::Leaving {
                self.phase = Phase::Done;
            }
            match event {
                // The answers to what this program sends by itself.
                Event::Goodbye | Event::Numbered { .. } => continue,
                _ if self.is_json => text.push_str(&event.json()),
                _ => {
                    if let Some(number) = event.number().filter(|_| self.shows_numbers) {
                        // Writing to a string does not fail.
                        _ = write!(text, "{number} ");
                    }
                    text.push_str(&event.to_string());
                }
            }
            text.push('\n');
        }
        self.renew_stall();
        Ok(print(output, &text)?)
    }

    fn renew_stall(&mut self) {
        let is_waiting = self.phase != Phase::Open || self.membership.in_flight().due() > 0;
        self.stall = if is_waiting { self.connection.deadline() } else { Deadline::NEVER };
    }

    fn read_input(&mut self, input: &mut impl Read, buffer: &mut [u8]) -> Result<(), Error> {
        let count = match input.read(buffer) {
            Ok(count) => count,
            Err(error) if [Io::WouldBlock, Io::Interrupted].contains(&error.kind()) => {
                return Ok(());
            }
            Err(error) => return Err(stdio::Error::Input(error).into()),
        };
        let was_idle = self.membership.in_flight().due() == 0;
        for piece in buffer[..count].split_inclusive(|&byte| byte == b'\n') {
            let end = piece.strip_suffix(b"\n");
            let part = end.unwrap_or(piece);
            let room = MAX_LINE.saturating_sub(self.line.len()).min(part.len());
            self.line.extend_from_slice(&part[..room]);
            if end.is_some() {
                self.send_line();
            }
        }
        if count == 0 {
            self.send_line();
            self.send(&Input::Exit);
        }
        if was_idle {
            self.renew_stall();
        }
        Ok(())
    }

    /// Sends the line that has been read.
    fn send_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        match Input::parse(line) {
            _ if line.trim_ascii() == b"/quit" => self.send(&Input::Exit),
            // The numbers are always on, and shown on request.
            Ok(Input::Command(Command::Numbers(is_on))) => self.shows_numbers = is_on,
            Ok(Input::Empty) => {}
            Ok(input) => self.send(&input),
            Err(error) => {
                self.not_sent += 1;
                print_error(&format!("Error: A line is not sent: {error}"));
            }
        }
    }

    fn send(&mut self, input: &Input<'_>) {
        if self.phase != Phase::Open {
            return;
        }
        if let Input::Message(text) = input {
            self.membership.expect(returned_text(self.connection.framing(), text));
        }
        if *input == Input::Exit {
            self.phase = Phase::Leaving;
        }
        self.connection.send(input);
    }

    /// Returns whether everything has arrived.
    fn judge(&self) -> Result<(), Error> {
        let not_returned = self.membership.in_flight().missing();
        let counts = self.membership.counts();
        if self.not_sent == 0 && not_returned == 0 && counts.is_perfect() {
            return Ok(());
        }
        Err(Error::Lost { not_sent: self.not_sent, not_returned, events: counts.to_string() })
    }
}
