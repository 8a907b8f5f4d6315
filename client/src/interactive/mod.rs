//! Session of a user in a terminal, with the screen of the original, line by line.
//!
//! Owns the prompt, its history, and what the screen shows. Must not know how bytes are checked.
//!
//! Read [`session`] first.

mod error;
mod history;
mod prompt;
mod session;
mod typed_line;
mod watcher;

pub(crate) use error::Error;
pub(crate) use session::run;
