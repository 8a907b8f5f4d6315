//! The arguments that name an admin listener.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use server::settings::{Diagnostics, Sources};

use super::target::Target;

/// The admin listener of a server.
#[derive(Debug, Args)]
pub(in crate::cli) struct AdminArgs {
    /// The admin listener of the server [default: the setting 'admin' of the environment or of --config, or else
    /// 127.0.0.1, port 9465]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = Target::parse)]
    admin: Option<Target>,
    /// Configuration file of the server
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "admin")]
    config: Option<PathBuf>,
}

impl AdminArgs {
    /// Returns the admin listener: the one that is named, or that of the settings, or the default.
    ///
    /// # Errors
    ///
    /// If the settings are invalid.
    pub(in crate::cli) fn target(&self) -> Result<Target, Diagnostics> {
        if let Some(target) = &self.admin {
            return Ok(target.clone());
        }
        let sources = Sources::without_flags(self.config.clone(), std::env::vars_os());
        Ok(sources.admin(Target::parse)?.unwrap_or_default())
    }
}
