//! Client without a terminal: a filter between standard input and output, and messages from the command
//! line.
//!
//! Owns the loop between input, server and output, and the escaping of what reaches a terminal. Must not
//! know how bytes are checked.
//!
//! Read [`filter`] first.

mod error;
pub(crate) mod filter;
pub(crate) mod one_shot;
pub(crate) mod output;
mod settle;

pub(crate) use error::Error;
