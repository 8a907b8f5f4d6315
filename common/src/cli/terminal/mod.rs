//! The terminal in full-screen mode: its mode, its keys, and what it can do; and rows that are drawn again below other output.
//! Enabled by the feature `terminal`.
//!
//! Owns all that changes the terminal. Must not know what is drawn, nor what a key does.
//!
//! Read `screen.rs` first.

mod inline;
mod keyboard;
mod plain;
mod screen;

pub use self::{inline::InlineArea, keyboard::Keyboard, plain::is_plain_terminal, screen::Screen};
