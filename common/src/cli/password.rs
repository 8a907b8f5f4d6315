//! A password that a user types: the terminal does not show it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
};

use rustix::{
    process::{Signal, getpid, kill_process},
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr},
};

/// Maximum length in bytes.
const MAX_LEN: usize = 1024;

/// Asks for a password on the terminal of the process, whatever its standard streams are, and does not show it. Backspace
/// removes a character and Ctrl+U all of them. Ctrl+C raises SIGINT, after the terminal is as it was.
///
/// # Errors
///
/// The process has no terminal, or the user ends the input with Ctrl+D or Ctrl+C.
pub fn ask_password(prompt: &str) -> io::Result<String> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let hidden = HiddenInput::begin(terminal)?;
    (&hidden.terminal).write_all(prompt.as_bytes())?;
    let mut typed = Typed::default();
    let end = loop {
        let mut key = [0];
        if (&hidden.terminal).read(&mut key)? == 0 {
            break End::Eof;
        }
        if let Some(end) = typed.press(key[0]) {
            break end;
        }
    };
    (&hidden.terminal).write_all(b"\n")?;
    drop(hidden);
    match end {
        End::Line => String::from_utf8(typed.bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the input is not UTF-8")),
        End::Eof => Err(io::ErrorKind::UnexpectedEof.into()),
        End::Interrupt => {
            kill_process(getpid(), Signal::INT)?;
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

/// A terminal that shows nothing of what is typed and delivers each key, until this is dropped.
struct HiddenInput {
    terminal: File,
    before: Termios,
}

impl HiddenInput {
    fn begin(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        // Keys that raise signals arrive as keys: a signal would end the process with a terminal that shows nothing.
        hidden.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the prompt is not the password.
        tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// What ends the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Line,
    Eof,
    Interrupt,
}

/// What has been typed so far.
#[derive(Debug, Default)]
struct Typed {
    bytes: Vec<u8>,
}

impl Typed {
    /// Handles a byte of a key.
    fn press(&mut self, key: u8) -> Option<End> {
        match key {
            b'\r' | b'\n' => return Some(End::Line),
            // Ctrl+C, Ctrl+\
            0x03 | 0x1c => return Some(End::Interrupt),
            // Ctrl+D
            0x04 if self.bytes.is_empty() => return Some(End::Eof),
            0x04 => {}
            // Backspace, of all bytes of a character
            0x08 | 0x7f => while self.bytes.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // Ctrl+U
            0x15 => self.bytes.clear(),
            key if self.bytes.len() < MAX_LEN => self.bytes.push(key),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keys: &str) -> (Option<End>, String) {
        let mut typed = Typed::default();
        let end = keys.bytes().find_map(|key| typed.press(key));
        (end, String::from_utf8(typed.bytes).unwrap())
    }

    #[test]
    fn keys_edit_the_line_and_end_it() {
        for (keys, end, text) in [
            ("pencil\r", Some(End::Line), "pencil"),
            ("pen\u{e4}\u{7f}cil\n", Some(End::Line), "pencil"),
            ("\u{7f}\u{8}wrong\u{15}pencil\n", Some(End::Line), "pencil"),
            ("pen\u{3}", Some(End::Interrupt), "pen"),
            ("\u{4}", Some(End::Eof), ""),
            ("pen\u{4}cil", None, "pencil"),
        ] {
            assert_eq!(press(keys), (end, text.to_owned()), "{keys:?}");
        }
        assert_eq!(press(&"x".repeat(2000)).1.len(), MAX_LEN);
    }
}
