//! The bytes that one connection returns.

use super::{fault::Fault, shared::Shared};

/// Echo of one connection, with a fault.
#[derive(Debug)]
pub(super) struct FaultyEcho {
    fault: Fault,
    /// Number of bytes received.
    offset: u64,
    /// Number of complete messages received.
    message: u64,
    /// Bytes to return later.
    held: Vec<u8>,
}

/// Next step of a connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Continue,
    Close,
    Reset,
    Stall,
}

impl FaultyEcho {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, offset: 0, message: 0, held: Vec::new() }
    }

    /// Appends the reply to the received bytes to `reply`.
    pub(super) fn receive(
        &mut self,
        received: &[u8],
        reply: &mut Vec<u8>,
        shared: &Shared,
    ) -> Action {
        for piece in received.split_inclusive(|&byte| byte == b'\n') {
            let action = self.receive_piece(piece, reply, shared);
            if action != Action::Continue {
                return action;
            }
            self.offset += piece.len() as u64;
            self.message += u64::from(piece.ends_with(b"\n"));
        }
        Action::Continue
    }

    /// Handles a piece of one message.
    fn receive_piece(&mut self, piece: &[u8], reply: &mut Vec<u8>, shared: &Shared) -> Action {
        let ends = piece.ends_with(b"\n");
        match self.fault {
            Fault::FlipBit(byte) => {
                let start = reply.len();
                reply.extend(piece);
                if let Some(at) = self.find(byte, piece) {
                    reply[start + at] ^= 1;
                }
            }
            Fault::DropByte(byte) => {
                let start = reply.len();
                reply.extend(piece);
                if let Some(at) = self.find(byte, piece) {
                    reply.remove(start + at);
                }
            }
            Fault::DropMessage(number) if number == self.message => {}
            Fault::RepeatMessage(number) if number == self.message => {
                self.held.extend(piece);
                self.reply_with_held_at_end(piece, reply);
            }
            Fault::SwapMessages(number) if number == self.message => self.held.extend(piece),
            Fault::SwapMessages(number) if number + 1 == self.message => {
                self.reply_with_held_at_end(piece, reply);
            }
            Fault::ReplaceMessage(number) if number == self.message => {
                if ends {
                    reply.extend(shared.wait_for(|state| state.message.clone()));
                }
            }
            Fault::CloseAfter(bytes) => return self.cut(bytes, Action::Close, piece, reply),
            Fault::ResetAfter(bytes) => return self.cut(bytes, Action::Reset, piece, reply),
            Fault::SilentAfter(bytes) => return self.cut(bytes, Action::Stall, piece, reply),
            Fault::None if self.message == 0 => {
                reply.extend(piece);
                self.held.extend(piece);
                if ends {
                    shared.update(|state| state.message = Some(std::mem::take(&mut self.held)));
                }
            }
            _ => reply.extend(piece),
        }
        Action::Continue
    }

    /// Returns the position of a byte of the stream in the piece that is being handled.
    fn find(&self, byte: u64, piece: &[u8]) -> Option<usize> {
        let at = usize::try_from(byte.checked_sub(self.offset)?).ok()?;
        (at < piece.len()).then_some(at)
    }

    fn reply_with_held_at_end(&mut self, piece: &[u8], reply: &mut Vec<u8>) {
        reply.extend(piece);
        if piece.ends_with(b"\n") {
            reply.append(&mut self.held);
        }
    }

    /// Ends the reply after this many bytes of the stream.
    fn cut(&self, after: u64, action: Action, piece: &[u8], reply: &mut Vec<u8>) -> Action {
        let left = usize::try_from(after - self.offset).unwrap_or(usize::MAX);
        reply.extend(&piece[..piece.len().min(left)]);
        if piece.len() < left { Action::Continue } else { action }
    }
}
