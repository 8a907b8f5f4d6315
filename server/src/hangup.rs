//! `SIGHUP`: the log file is opened anew, and the settings are read anew.
//!
//! In a thread of its own: a name in the settings may take its time to resolve, and the next signal may be
//! the one to leave.

use std::{
    io,
    sync::mpsc::{self, Sender},
    thread,
};

use common::endpoint::Endpoint;
use log::{error, info, warn};
use server::{
    Config, Handle, ReloadError,
    logging::{self, Options},
    settings::{Settings, Sources},
};

use crate::systemd;

/// What is done anew, and with what.
pub(crate) struct Hangup<Reopen> {
    pub(crate) handle: Handle,
    pub(crate) sources: Sources,
    /// As they were last loaded.
    pub(crate) settings: Settings,
    /// What the log was started with.
    pub(crate) log_options: Options,
    /// Sockets that were passed; they stay.
    pub(crate) passed: Vec<Endpoint>,
    /// Opens the log file anew, if there is one.
    pub(crate) reopen: Option<Reopen>,
}

impl<Reopen: Fn() + Send + 'static> Hangup<Reopen> {
    /// Starts the thread, which does it for each word that it is sent. It ends with the process.
    ///
    /// # Errors
    ///
    /// If there is no room for a thread.
    pub(crate) fn start(mut self) -> io::Result<Sender<()>> {
        let (again, asked) = mpsc::channel();
        thread::Builder::new().name("reload".into()).spawn(move || {
            while asked.recv().is_ok() {
                // Who has asked several times by now has asked for the same.
                while asked.try_recv().is_ok() {}
                self.reload();
            }
        })?;
        Ok(again)
    }

    /// Whether there is anything to do anew.
    pub(crate) fn means_something(&self) -> bool {
        self.reopen.is_some() || self.sources.file().is_some() || systemd::is_there()
    }

    /// Does it; the log says what came of it.
    fn reload(&mut self) {
        systemd::reloading();
        self.reopen.iter().for_each(|reopen| reopen());
        match self.sources.load() {
            Ok(settings) => self.apply(settings),
            Err(mistakes) => {
                for mistake in &mistakes.0 {
                    error!(event = "not-reloaded"; "{mistake}");
                }
                error!(event = "not-reloaded"; "Configuration not reloaded; going on as before");
            }
        }
        systemd::reloaded();
    }

    fn apply(&mut self, settings: Settings) {
        for warning in settings.warnings() {
            warn!("{warning}");
        }
        let (config, log_options) = settings.resolve_with(&self.passed);
        let different = match self.handle.reload(&config) {
            Ok(different) => different,
            Err(error) => {
                error!(event = "not-reloaded"; "Configuration not reloaded: {error}");
                match error {
                    ReloadError::Unchanged(_) => return,
                    ReloadError::Partly(_) => Vec::new(),
                }
            }
        };
        let different_log = self.log_options.fixed_differences(&log_options);
        for change in self.settings.changes(&settings) {
            let name = &&change.name[..];
            if !Config::FIXED.contains(name) && !Options::FIXED.contains(name) {
                info!(event = "reloaded", setting = change.name; "Changed {change}");
            }
        }
        for setting in different.into_iter().chain(different_log) {
            warn!(event = "not-reloaded", setting;
                "'{setting}' is not what the server was started with; to change it takes a restart");
        }
        self.settings = settings;
        info!(event = "reloaded"; "Configuration reloaded");
        // Last: what has changed is told to whoever listened until now.
        logging::set_level(log_options.level);
    }
}
