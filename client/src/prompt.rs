//! The line that the user edits: its keys, its history.
//!
//! Owns the terminal's mode while it asks. Must not know what becomes of a line.

use std::{io, path::PathBuf};

use rustyline::{Config, DefaultEditor, ExternalPrinter, error::ReadlineError};

use crate::error::Error;

const PROMPT: &str = "Enter message: ";

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
    editor: DefaultEditor,
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
        Ok(Self { editor, history, _wakes: wakes })
    }

    /// Shows the prompt and waits for an answer. The cursor is at the start of a line afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Input`]: the terminal is gone.
    pub fn ask(&mut self) -> Result<Answer, Error> {
        match self.editor.readline(PROMPT) {
            Ok(line) => {
                self.remember(&line);
                Ok(Answer::Line(line))
            }
            Err(ReadlineError::Interrupted | ReadlineError::Eof | ReadlineError::Signal(_)) => {
                Ok(Answer::Leave)
            }
            Err(error) => Err(input_error(error)),
        }
    }

    /// Saves each line at once: however the client ends, nothing typed is lost, and clients in two
    /// terminals share their history.
    fn remember(&mut self, line: &str) {
        let is_new =
            !line.trim().is_empty() && self.editor.add_history_entry(line).unwrap_or(false);
        if let (true, Some(file)) = (is_new, &self.history) {
            let _ = self.editor.append_history(file);
        }
    }
}

fn input_error(error: ReadlineError) -> Error {
    Error::Input(match error {
        ReadlineError::Io(error) => error,
        ReadlineError::Errno(errno) => io::Error::from_raw_os_error(errno as i32),
        other => io::Error::other(other.to_string()),
    })
}
