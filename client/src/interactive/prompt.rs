//! Prompt: the line that the user edits, its keys, and its history.
//!
//! Owns the mode of the terminal while it reads a line. Must not know what a line is used for.

use std::{
    io::{self, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use common::cli::{stdio::stdout, terminal::is_plain_terminal};
use rustix::event::{PollFd, PollFlags};
use rustyline::{Config, Editor, ExternalPrinter, error::ReadlineError, history::FileHistory};

use crate::{
    net::poll::{Deadline, Interrupt, poll},
    stdio::{Error, print},
};

use super::typed_line::TypedLine;

const PROMPT: &str = "Enter message: ";

/// Notice of input that the editor cannot represent. The editor drops the rest of what it has read, such as a paste.
const NOT_UTF_8: &str = "Input that is not UTF-8 is left out: check the line, and set the terminal to UTF-8, or send such bytes in a pipe\n";

/// Maximum number of lines in the history.
const HISTORY_LINES: usize = 1000;

/// Action of the user at the prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The user typed a line; without its newline.
    Line(Vec<u8>),
    /// The user pressed Ctrl+C or Ctrl+D, or a signal interrupted the prompt.
    Leave,
}

/// Reader of lines from a terminal.
#[must_use]
pub(super) struct Prompt {
    /// `None` on a terminal that cannot move the cursor: there the system edits the line.
    editor: Option<Editor<TypedLine, FileHistory>>,
    history: Option<PathBuf>,
    /// Unused, but its existence makes the editor wait for signals as well as for keys: without it, a
    /// SIGINT just before the wait takes effect only at the next key.
    _printer: Option<Box<dyn ExternalPrinter>>,
}

impl Prompt {
    /// Creates a prompt with the history in this file, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Input`]: the terminal cannot be used.
    pub(super) fn new(history: Option<PathBuf>) -> Result<Self, Error> {
        if is_plain_terminal() {
            return Ok(Self { editor: None, history: None, _printer: None });
        }
        let config = Config::builder()
            .max_history_size(HISTORY_LINES)
            .map_err(input_error)?
            // Pasted lines are treated as typed ones.
            .bracketed_paste(false)
            .build();
        let mut editor = Editor::with_config(config).map_err(input_error)?;
        editor.set_helper(Some(TypedLine::default()));
        if let Some(file) = &history {
            let _ = editor.load_history(file);
        }
        let printer = editor.create_external_printer().ok();
        let printer = printer.map(|printer| Box::new(printer) as Box<dyn ExternalPrinter>);
        Ok(Self { editor: Some(editor), history, _printer: printer })
    }

    /// Shows the prompt and reads a line. Afterwards the cursor is at the start of a line.
    ///
    /// # Errors
    ///
    /// [`Error::Input`]: the terminal is lost.
    pub(super) fn read(&mut self, interrupt: &Interrupt) -> Result<Input, Error> {
        let Some(editor) = &mut self.editor else {
            return read_plain_line(io::stdin(), &mut stdout(), interrupt);
        };
        let (mut left, mut right) = (String::new(), String::new());
        loop {
            match editor.readline_with_initial(PROMPT, (&left, &right)) {
                Ok(line) => {
                    add_to_history(editor, &line, self.history.as_deref());
                    return Ok(Input::Line(line.into_bytes()));
                }
                Err(ReadlineError::Interrupted | ReadlineError::Eof | ReadlineError::Signal(_)) => {
                    return Ok(Input::Leave);
                }
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    (left, right) = editor.helper().map(TypedLine::take).unwrap_or_default();
                    print(&mut stdout(), NOT_UTF_8)?;
                }
                Err(error) => return Err(input_error(error)),
            }
        }
    }
}

/// Saves each line immediately: no line is lost if the client is killed, and clients in two terminals share
/// their history.
fn add_to_history(editor: &mut Editor<TypedLine, FileHistory>, line: &str, history: Option<&Path>) {
    let is_new = !line.trim().is_empty() && editor.add_history_entry(line).unwrap_or(false);
    if let (true, Some(file)) = (is_new, history) {
        let _ = editor.append_history(file);
    }
}

/// Reads a line without an editor. The terminal delivers whole lines, and Ctrl+C is a signal.
fn read_plain_line(
    keyboard: impl AsFd,
    screen: &mut impl Write,
    interrupt: &Interrupt,
) -> Result<Input, Error> {
    print(screen, PROMPT)?;
    let mut fds = [PollFd::new(interrupt, PollFlags::IN), PollFd::new(&keyboard, PollFlags::IN)];
    poll(&mut fds, Deadline::NEVER).map_err(Error::Input)?;
    // A terminal delivers no longer line.
    let mut line = [0; 4096];
    let count = if interrupt.take() {
        0
    } else {
        rustix::io::read(&keyboard, &mut line).map_err(|error| Error::Input(error.into()))?
    };
    if count == 0 {
        print(screen, "\n")?;
        return Ok(Input::Leave);
    }
    let line = &line[..count];
    Ok(Input::Line(line.strip_suffix(b"\n").unwrap_or(line).to_owned()))
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

    /// Returns what a plain prompt reads and shows for these keys, or for an interrupt.
    fn read(keys: &[u8], interrupts: &[u8]) -> (Input, String) {
        let (keyboard, mut typist) = UnixStream::pair().unwrap();
        let (interrupted, mut ctrl_c) = UnixStream::pair().unwrap();
        typist.write_all(keys).unwrap();
        ctrl_c.write_all(interrupts).unwrap();
        if interrupts.is_empty() {
            typist.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut screen = Vec::new();
        let input = read_plain_line(keyboard, &mut screen, &Interrupt::from(interrupted)).unwrap();
        (input, String::from_utf8(screen).unwrap())
    }

    #[test]
    fn reads_whole_lines_from_a_plain_terminal() {
        let (line, screen) = read(b" hello \xff\n", b"");
        assert_eq!(line, Input::Line(b" hello \xff".to_vec()));
        assert_eq!(screen, "Enter message: ");
    }

    #[test]
    fn leaves_at_the_end_of_the_input_and_on_ctrl_c() {
        for interrupts in [&b""[..], b"!"] {
            let (leave, screen) = read(b"", interrupts);
            assert_eq!(leave, Input::Leave);
            assert_eq!(screen, "Enter message: \n");
        }
    }
}
