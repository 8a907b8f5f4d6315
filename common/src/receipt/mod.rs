//! The client receipt: the bytes that a server received and sent on a connection, by its own counts, for the client to compare.
//!
//! Owns the receipt and its JSON, the running [`Tally`] that both ends keep, the position of a receipt at the end of a stream, and
//! the comparison of both ends in words. Must not know sockets.
//!
//! Read [`Receipt`] first, then [`Comparison`].

mod comparison;
mod digest;
mod document;
mod last_line;
mod tally;
#[cfg(test)]
mod tests;

pub use self::{
    comparison::{Comparison, Transit},
    digest::Digest,
    document::{EndedBy, MalformedReceipt, Receipt},
    last_line::{MAX_RECEIPT, NoReceipt, StreamTally},
    tally::{Tally, Total},
};
