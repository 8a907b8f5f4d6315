//! The sources of settings: the command line, the environment and a file. Each assigns texts to settings.
//!
//! Owns reading each source and merging them. Must not know what a setting means.
//!
//! Read `sources.rs` first: the merge.

mod environment;
mod file;
mod file_text;
mod flags;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod sources;

pub(super) use self::environment::variable;
pub use self::{flags::Flags, sources::Sources};
