//! Keys, from the bytes that the terminal sends.
//!
//! `crossterm` has a reader too, with a poll of its own. It loses a key that arrives together with another size of the
//! terminal, and does not end when the terminal hangs up.

use std::{io::Read as _, time::Duration};

use common::cli::stdio::stdin;
use rustix::event::{PollFd, PollFlags};
use termina::{Event, Parser};

use crate::{
    chat::error::Error,
    net::poll::{Deadline, poll},
    stdio,
};

/// Time in which the rest of a sequence follows its first byte, which is also that of the Escape key.
const ESCAPE_TIME: Duration = Duration::from_millis(25);

const ESCAPE: u8 = 0x1b;

/// Keyboard of the terminal.
#[derive(Debug, Default)]
pub(in crate::chat) struct Keyboard {
    keys: Keys,
}

impl Keyboard {
    /// Takes the events that have arrived, at least one byte of them; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// [`stdio::Error::Input`]
    pub(in crate::chat) fn take(&mut self) -> Result<Option<Vec<Event>>, Error> {
        let mut buffer = [0; 4096];
        loop {
            let count = stdin().read(&mut buffer).map_err(stdio::Error::Input)?;
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
fn has_more() -> Result<bool, Error> {
    let input = stdin();
    let mut fds = [PollFd::new(&input, PollFlags::IN)];
    poll(&mut fds, Deadline::after(ESCAPE_TIME)).map_err(stdio::Error::Input)?;
    Ok(!fds[0].revents().is_empty())
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
