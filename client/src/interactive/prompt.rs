//! The line that the user edits: its keys, its history.
//!
//! Owns the terminal's mode while it asks. Must not know what becomes of a line.

use std::{
    env,
    io::{self, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use rustix::event::{PollFd, PollFlags};
use rustyline::{Config, DefaultEditor, ExternalPrinter, error::ReadlineError};

use crate::net::{
    error::Error,
    poll::{Deadline, Interrupt, wait},
};

const PROMPT: &str = "Enter message: ";

/// What `TERM` says of terminals that no line can be edited on; the editor's own list.
const PLAIN_TERMINALS: [&str; 3] = ["dumb", "cons25", "emacs"];

/// How many lines the history keeps.
const HISTORY_LINES: usize = 1000;

/// What the user did at the prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Typed a line; here without its newline.
    Line(String),
    /// Pressed Ctrl+C or Ctrl+D, or something interrupted the prompt as Ctrl+C would.
    Leave,
}

/// Asks for lines, on a terminal.
#[must_use]
pub struct Prompt {
    /// `None` on a terminal that cannot move its cursor: there a line is typed as the system lets one.
    editor: Option<DefaultEditor>,
    history: Option<PathBuf>,
    /// With a printer that others could use, the editor waits for its signals as well as for keys. Nobody
    /// uses it, but without it a SIGINT that arrives just before the wait would be noticed a key late.
    _wakes: Option<Box<dyn ExternalPrinter>>,
}

impl Prompt {
    /// With the history in this file, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Input`]: the terminal cannot be used.
    pub fn new(history: Option<PathBuf>) -> Result<Self, Error> {
        if env::var("TERM").is_ok_and(|term| PLAIN_TERMINALS.contains(&term.as_str())) {
            return Ok(Self { editor: None, history: None, _wakes: None });
        }
        let config = Config::builder()
            .max_history_size(HISTORY_LINES)
            .map_err(input_error)?
            // Pasted lines are lines, as if they had been typed.
            .bracketed_paste(false)
            .build();
        let mut editor = DefaultEditor::with_config(config).map_err(input_error)?;
        if let Some(file) = &history {
            let _ = editor.load_history(file);
        }
        let wakes = editor.create_external_printer().ok();
        let wakes = wakes.map(|printer| Box::new(printer) as Box<dyn ExternalPrinter>);
        Ok(Self { editor: Some(editor), history, _wakes: wakes })
    }

    /// Shows the prompt and waits for an answer. The cursor is at the start of a line afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Input`]: the terminal is gone.
    pub fn ask(&mut self, interrupt: &Interrupt) -> Result<Answer, Error> {
        let Some(editor) = &mut self.editor else {
            return ask_plainly(io::stdin(), &mut io::stdout(), interrupt);
        };
        match editor.readline(PROMPT) {
            Ok(line) => {
                remember(editor, &line, self.history.as_deref());
                Ok(Answer::Line(line))
            }
            Err(ReadlineError::Interrupted | ReadlineError::Eof | ReadlineError::Signal(_)) => {
                Ok(Answer::Leave)
            }
            Err(error) => Err(input_error(error)),
        }
    }
}

/// Saves each line at once: however the client ends, nothing typed is lost, and clients in two
/// terminals share their history.
fn remember(editor: &mut DefaultEditor, line: &str, history: Option<&Path>) {
    let is_new = !line.trim().is_empty() && editor.add_history_entry(line).unwrap_or(false);
    if let (true, Some(file)) = (is_new, history) {
        let _ = editor.append_history(file);
    }
}

/// Asks without an editor. The terminal hands over whole lines, and Ctrl+C is a signal.
fn ask_plainly(
    keyboard: impl AsFd,
    screen: &mut impl Write,
    interrupt: &Interrupt,
) -> Result<Answer, Error> {
    let show = |screen: &mut dyn Write, text: &str| {
        screen.write_all(text.as_bytes()).and_then(|()| screen.flush()).map_err(Error::output)
    };
    show(screen, PROMPT)?;
    let mut fds = [PollFd::new(interrupt, PollFlags::IN), PollFd::new(&keyboard, PollFlags::IN)];
    wait(&mut fds, Deadline::NEVER).map_err(Error::Input)?;
    // No line that a terminal hands over is longer.
    let mut line = [0; 4096];
    let count = if interrupt.take() {
        0
    } else {
        rustix::io::read(&keyboard, &mut line).map_err(|error| Error::Input(error.into()))?
    };
    if count == 0 {
        show(screen, "\n")?;
        return Ok(Answer::Leave);
    }
    let line = String::from_utf8_lossy(&line[..count]);
    Ok(Answer::Line(line.strip_suffix('\n').unwrap_or(&line).to_owned()))
}

fn input_error(error: ReadlineError) -> Error {
    Error::Input(match error {
        ReadlineError::Io(error) => error,
        ReadlineError::Errno(errno) => io::Error::from_raw_os_error(errno as i32),
        other => io::Error::other(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    /// What a plain prompt makes of these keys, or of an interrupt.
    fn answer(keys: &[u8], interrupts: &[u8]) -> (Answer, String) {
        let (keyboard, mut fingers) = UnixStream::pair().unwrap();
        let (interrupted, mut ctrl_c) = UnixStream::pair().unwrap();
        fingers.write_all(keys).unwrap();
        ctrl_c.write_all(interrupts).unwrap();
        if interrupts.is_empty() {
            fingers.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut screen = Vec::new();
        let answer = ask_plainly(keyboard, &mut screen, &Interrupt::from(interrupted)).unwrap();
        (answer, String::from_utf8(screen).unwrap())
    }

    #[test]
    fn a_plain_terminal_is_asked_for_whole_lines() {
        let (line, screen) = answer(b" hello \n", b"");
        assert_eq!(line, Answer::Line(" hello ".to_owned()));
        assert_eq!(screen, "Enter message: ");
    }

    #[test]
    fn its_end_and_its_ctrl_c_both_leave() {
        for interrupts in [&b""[..], b"!"] {
            let (leave, screen) = answer(b"", interrupts);
            assert_eq!(leave, Answer::Leave);
            assert_eq!(screen, "Enter message: \n");
        }
    }
}
