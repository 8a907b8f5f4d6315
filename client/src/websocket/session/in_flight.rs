//! Messages in flight: how many bytes may return in each, and with which type.

use std::collections::VecDeque;

use crate::websocket::{encoder::Opcode, error::MessageFault};

/// Messages that were sent at least in part, and have not returned.
#[derive(Debug, Default)]
pub(super) struct InFlight(VecDeque<Message>);

#[derive(Clone, Copy, Debug)]
struct Message {
    /// Bytes that were sent, and have not returned.
    left: u64,
    is_text: bool,
    kind: Kind,
}

/// What may return in the place of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The same message: it is complete.
    Whole,
    /// The part that was sent: its last fragment was not.
    Partial,
    /// A message of any length: it reads as an exit.
    Exit,
}

impl InFlight {
    /// Returns whether every message has returned.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a message that is sent, or a further fragment of the last one.
    pub(super) fn add(&mut self, opcode: Opcode, kind: Kind, len: usize) {
        let len = len as u64;
        match self.0.back_mut() {
            Some(message) if message.kind == Kind::Partial => {
                message.left += len;
                message.kind = kind;
            }
            _ => {
                let is_text = opcode == Opcode::Text;
                self.0.push_back(Message { left: len, is_text, kind });
            }
        }
    }

    /// Checks a part of a message that returns: returns how many of its `len` bytes are right, and the fault after them.
    ///
    /// A type that is not the one that was sent takes the place of the last byte: the message does not count as returned.
    pub(super) fn check(
        &mut self,
        len: usize,
        is_text: bool,
        is_end: bool,
    ) -> (usize, Result<(), MessageFault>) {
        let is_alone = self.0.len() == 1;
        // The user finds the bytes of a message that answers none.
        let Some(message) = self.0.front_mut() else { return (len, Ok(())) };
        let (valid, is_whole) = if message.kind == Kind::Exit {
            (len, is_end)
        } else {
            let valid = usize::try_from(message.left).map_or(len, |left| left.min(len));
            message.left -= valid as u64;
            (valid, message.left == 0 && message.kind == Kind::Whole)
        };
        if valid < len {
            let fault = if is_alone { MessageFault::Longer } else { MessageFault::Joined };
            (valid, Err(fault))
        } else if is_whole && message.is_text != is_text {
            (valid.saturating_sub(1), Err(MessageFault::returned_as(is_text)))
        } else if is_end && !is_whole {
            (valid, Err(MessageFault::Split))
        } else {
            (valid, Ok(()))
        }
    }

    /// Removes the message that is due, which has returned. Returns `true` if it was the last one.
    pub(super) fn remove(&mut self) -> bool {
        self.0.pop_front().is_some() && self.0.is_empty()
    }
}
