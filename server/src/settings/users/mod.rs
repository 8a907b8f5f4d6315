//! The file of users: who may log in, and what they show.
//!
//! Owns the format of the file, reading it and changing it. Must not know how a login works.
//!
//! Read `entry.rs` first: one line of the file.

mod entry;
mod file;
mod stored;
#[cfg(test)]
mod tests;

pub use self::{
    entry::{Entry, EntryError, parse_end},
    file::{LineError, UsersFile},
    stored::{FileError, edit, load},
};
