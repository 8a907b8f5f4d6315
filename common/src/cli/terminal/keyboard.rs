//! Keys, from the bytes that the terminal sends.
//!
//! `crossterm` has a reader too, with a poll of its own. It loses a key that arrives together with another size of the
//! terminal, and does not end when the terminal hangs up.

use std::{io, io::Read as _, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use termina::{Event, Parser};

use crate::cli::stdio::stdin;

/// Time in which the rest of a sequence follows its first byte, which is also that of the Escape key.
const ESCAPE_TIME: Duration = Duration::from_millis(25);

const ESCAPE: u8 = 0x1b;

/// Keyboard of the terminal.
#[derive(Debug, Default)]
pub struct Keyboard {
    keys: Keys,
}

impl Keyboard {
    /// Takes the events that have arrived, at least one byte of them; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// Standard input cannot be read.
    pub fn take(&mut self) -> io::Result<Option<Vec<Event>>> {
        let mut buffer = [0; 4096];
        loop {
            let count = stdin().read(&mut buffer)?;
            self.keys.feed(&buffer[..count]);
            if count == 0 {
                return Ok(None);
            }
            if !self.keys.may_continue || !has_more()? {
                return Ok(Some(self.keys.take()));
            }
        }
    }
}

/// Returns `true` if more arrives within the time of a sequence.
fn has_more() -> io::Result<bool> {
    let input = stdin();
    let time = Timespec { tv_sec: 0, tv_nsec: ESCAPE_TIME.subsec_nanos().into() };
    loop {
        // A signal restarts the time, which is short.
        match poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&time)) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(ready) => return Ok(ready > 0),
        }
    }
}

/// Events in the bytes of a keyboard.
#[derive(Debug, Default)]
struct Keys {
    parser: Parser,
    /// The bytes end with one that is a key, or the first of a sequence.
    may_continue: bool,
}

impl Keys {
    fn feed(&mut self, bytes: &[u8]) {
        self.may_continue = bytes.last() == Some(&ESCAPE);
        self.parser.parse(bytes, self.may_continue);
    }

    /// Returns the events. A byte that might have continued is a key.
    fn take(&mut self) -> Vec<Event> {
        if std::mem::take(&mut self.may_continue) {
            self.parser.parse(&[], false);
        }
        std::iter::from_fn(|| self.parser.pop()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use termina::event::{KeyCode, KeyEvent};

    fn key(code: KeyCode) -> Event {
        Event::Key(KeyEvent::from(code))
    }

    #[test]
    fn a_sequence_may_arrive_in_pieces_and_an_escape_alone_is_a_key() {
        let mut keys = Keys::default();
        keys.feed(b"a\x1b[5");
        assert_eq!(keys.take(), [key(KeyCode::Char('a'))]);
        keys.feed(b"~\xc3");
        assert_eq!(keys.take(), [key(KeyCode::PageUp)]);
        keys.feed(b"\xa9\x1b");
        assert!(keys.may_continue);
        keys.feed(b"[A\x1b");
        assert_eq!(
            keys.take(),
            [key(KeyCode::Char('\u{e9}')), key(KeyCode::Up), key(KeyCode::Escape)]
        );
        keys.feed(b"\x1b[200~one\ntwo\x1b[201~");
        assert_eq!(keys.take(), [Event::Paste("one\ntwo".to_owned())]);
    }
}
