//! Echo protocol as the client sees it: a message and its echo, `exit` and its answer.
//!
//! Owns the check of every byte that returns on a stream ([`exchange`] for one message, [`window`] for many
//! that are in flight), and the comparison with the receipt of the server ([`settle`]). Must not know where messages come from, nor who reads the echo.
//!
//! Read [`exchange`] first.

pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod exit;
mod goodbye;
pub(crate) mod message;
pub(crate) mod settle;
pub(crate) mod window;

pub(crate) use error::Error;
