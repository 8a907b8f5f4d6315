//! A session in a terminal.

pub mod history;
pub mod prompt;
pub mod session;
pub mod watcher;
