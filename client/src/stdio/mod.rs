//! Standard input and output: their errors, and text that is written and flushed in one step.
//!
//! Must not know what is read or written. Imports nothing of this crate.
//!
//! Read [`error`] first.

pub(crate) mod error;
mod print;

pub(crate) use error::Error;
pub(crate) use print::{print, write};
