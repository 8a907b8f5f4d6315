//! The settings of the program `echo-server`: flags, environment and a configuration file.
//!
//! A flag overrides the environment, which overrides the file, which overrides the default. Every source
//! assigns texts to settings; one parser per setting reads them, so all sources accept the same values with
//! the same messages.
//!
//! Owns the definition of every setting and the diagnostics of invalid ones. Must not know what uses a setting. A
//! program that embeds the server does not need this module: it fills in a [`Config`](crate::Config).
//!
//! Read `schema.rs` first: the definition of each setting. `sources/` reads and merges the sources.

mod details;
mod diagnostic;
mod listener;
mod listener_tls;
mod schema;
mod setting;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod settings;
mod show;
mod sources;
mod template;
#[cfg(test)]
mod tests;
mod tls;
#[cfg(feature = "login")]
pub mod users;
mod validate;
mod values;

pub use self::{
    diagnostic::{Diagnostic, Diagnostics, Origin},
    settings::{Change, Settings},
    sources::{Flags, Sources},
    template::template,
};
