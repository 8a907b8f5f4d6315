//! What the terminal shows of a conversation.
//!
//! Owns the layout: the conversation, a status bar, the line that the user types. Must not know the terminal, keys, nor the
//! connection: it draws into a buffer. Everything of others that it gets is printable.
//!
//! Read [`draw`] first.

pub(super) mod draw;
mod rows;
mod status;
mod viewport;
mod wrap;

#[cfg(test)]
mod tests;
