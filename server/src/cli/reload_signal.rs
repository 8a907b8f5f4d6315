//! `SIGHUP`: reopens the log file and the fault log, and reloads the settings.
//!
//! A separate thread does it: resolving a host name takes time, and the next signal may be a shutdown.

use std::{
    io,
    sync::mpsc::{self, Sender},
    thread,
};

use common::endpoint::Endpoint;
use log::{error, info, warn};
use server::{
    FixedSetting, Handle, LogReceipts, Reloaded,
    logging::{self, Options},
    settings::{Settings, Sources},
};

use super::{advice, systemd};

/// The state that a reload replaces.
pub(crate) struct ReloadSignal<Reopen> {
    pub(crate) handle: Handle,
    pub(crate) sources: Sources,
    /// The settings in force.
    pub(crate) settings: Settings,
    /// The settings at the start.
    #[cfg(feature = "admin")]
    pub(crate) first: Settings,
    /// The log options at the start.
    pub(crate) log_options: Options,
    /// Endpoints of the inherited sockets, which stay open.
    pub(crate) inherited_at: Vec<Endpoint>,
    /// Reopens the log file, if there is one.
    pub(crate) reopen_log: Option<Reopen>,
}

impl<Reopen: Fn() + Send + 'static> ReloadSignal<Reopen> {
    /// Starts the thread, which reloads for each message that it receives. It ends with the process.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub(crate) fn start(mut self) -> io::Result<Sender<()>> {
        let (sender, requests) = mpsc::channel();
        thread::Builder::new().name("reload".into()).spawn(move || {
            while requests.recv().is_ok() {
                // One reload serves all requests that have accumulated.
                while requests.try_recv().is_ok() {}
                self.reload();
            }
        })?;
        Ok(sender)
    }

    /// Returns whether there is anything to reopen or reload.
    pub(crate) fn is_useful(&self) -> bool {
        self.reopen_log.is_some()
            || self.handle.has_fault_log()
            || self.sources.file().is_some()
            || self.settings.has_tls()
            || self.settings.has_users()
            || systemd::is_present()
    }

    fn reload(&mut self) {
        systemd::notify_reloading();
        self.reopen_log.iter().for_each(|reopen| reopen());
        self.handle.reopen_fault_log();
        match self.sources.load() {
            Ok(settings) => self.apply(settings),
            Err(diagnostics) => {
                for diagnostic in &diagnostics.0 {
                    error!(event = "not-reloaded"; "{diagnostic}");
                }
                error!(event = "not-reloaded";
                    "Configuration not reloaded; the previous one stays in force");
            }
        }
        systemd::notify_reloaded();
    }

    fn apply(&mut self, settings: Settings) {
        if self.settings.sets_listeners() && !settings.sets_listeners() {
            // An empty or truncated file, as an editor leaves it for a moment.
            return error!(event = "not-reloaded";
                "Configuration not reloaded: it sets no listener any more; the previous one stays in force");
        }
        for warning in settings.warnings() {
            warn!("{warning}");
        }
        let (mut config, log_options) = settings.resolve_with(&self.inherited_at);
        // The format of the log stays what it was at the start.
        if config.log_receipts != LogReceipts::Text {
            config.log_receipts = self.log_options.format.receipts();
        }
        #[cfg(feature = "admin")]
        if let Some(admin) = &mut config.admin {
            admin.settings = Some(settings.in_force(&self.first).into());
        }
        let Reloaded { need_restart, failed, .. } = match self.handle.reload(&config) {
            Ok(reloaded) => reloaded,
            Err(error) => {
                let reason = advice::reload_error(&error);
                return error!(event = "not-reloaded"; "Configuration not reloaded: {reason}");
            }
        };
        let log_needs_restart = fixed_log_settings(&self.log_options, &log_options);
        for change in self.settings.changes(&settings) {
            if !change.needs_restart {
                info!(event = "reloaded", setting = change.name; "Changed {change}");
            }
        }
        let need_restart = need_restart.into_iter().map(name);
        for setting in need_restart.chain(log_needs_restart) {
            warn!(event = "not-reloaded", setting;
                "'{setting}' differs from its value at the start; restart the server to change it");
        }
        self.settings = settings;
        for error in &failed {
            error!(event = "not-reloaded"; "{error}");
        }
        if failed.is_empty() {
            info!(event = "reloaded"; "Configuration reloaded");
        } else {
            error!(event = "not-reloaded";
                "Configuration reloaded, but not every listener is open; SIGHUP tries again");
        }
        // Last, so that the lines above are logged at the previous level.
        logging::set_level(log_options.level);
    }
}

/// Returns the name of a setting that the server cannot change.
fn name(setting: FixedSetting) -> &'static str {
    match setting {
        FixedSetting::Workers => "workers",
        FixedSetting::Spin => "spin",
        FixedSetting::Consolidate => "consolidate",
        FixedSetting::ReusePort => "reuse-port",
        FixedSetting::FaultLog => "fault-log",
        #[cfg(feature = "history")]
        FixedSetting::History => "history",
        #[cfg(feature = "history")]
        FixedSetting::HistoryKeep => "history-keep",
        #[cfg(feature = "history")]
        FixedSetting::HistoryOverflow => "history-overflow",
        #[cfg(feature = "redis")]
        FixedSetting::Relay => "rooms",
        #[cfg(feature = "admin")]
        FixedSetting::Admin => "admin",
    }
}

/// Returns the names of the log settings that differ and that a running log cannot change.
fn fixed_log_settings(
    first: &Options,
    now: &Options,
) -> impl Iterator<Item = &'static str> + use<> {
    let differ = [
        ("log-file", first.destination != now.destination),
        ("log-format", first.format != now.format),
        ("log-overflow", first.overflow != now.overflow),
    ];
    differ.into_iter().filter_map(|(name, differs)| differs.then_some(name))
}
