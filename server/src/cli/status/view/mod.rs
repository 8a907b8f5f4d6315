//! The screen as text: the same lines for a terminal, which cuts them at its width, and for a pipe.
//!
//! Owns what is shown and how it is worded. Must not know where a sample comes from, nor where the text goes. Every text of
//! the server is escaped: names of peers come from a network.
//!
//! Read `sections.rs` first.

mod sections;
#[cfg(test)]
mod tests;
mod text;
mod units;

pub(super) use self::{
    sections::{Shown, sections},
    text::Text,
    units::span,
};
