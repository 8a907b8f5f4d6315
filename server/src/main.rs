//! `echo-server`: settings, log, bind, run, exit status.

mod cli;

use std::process::ExitCode;

use anyhow::Context as _;
use common::cli::{print_error, signals::survive_file_size_limit, status};
use server::{
    Server,
    logging::{self, Destination},
    rlimit,
    settings::{Settings, Sources},
};

use crate::cli::{
    advice, args, commands, reload_signal::ReloadSignal, signals::EarlySignals, systemd,
};

fn main() -> ExitCode {
    survive_file_size_limit();
    let (command, matches) = args::parse();
    let result = match command {
        Some(command) => commands::run(&command, &matches),
        None => serve(args::sources(&matches)),
    };
    match result {
        Ok(status) => status.into(),
        Err(error) => {
            print_error(&format!("Error: {error:#}"));
            status::FAILED.into()
        }
    }
}

fn serve(sources: Sources) -> anyhow::Result<u8> {
    // First, since reading the settings takes time.
    let signals = EarlySignals::collect().context("cannot listen for signals")?;
    match sources.load() {
        Ok(settings) => run(sources, settings, signals),
        Err(diagnostics) => Ok(commands::reject("error: ", &diagnostics)),
    }
}

fn run(sources: Sources, settings: Settings, signals: EarlySignals) -> anyhow::Result<u8> {
    rlimit::raise_limit();
    let inherited = systemd::sockets()?;
    let inherited_at: Vec<_> = inherited.iter().map(|socket| socket.endpoint().clone()).collect();
    let (config, log_options) = settings.resolve_with(&inherited_at);
    let log = logging::start(&log_options)?;
    logging::record_panics();
    for warning in settings.warnings() {
        log::warn!("{warning}");
    }
    let server = Server::bind_with(config, inherited)
        .map_err(|error| anyhow::Error::msg(advice::bind_error(&error)))?;
    #[cfg(feature = "tls")]
    commands::log_self_signed(&settings, &server);
    let handle = server.handle();
    let liveness = handle.liveness();
    let is_file = matches!(log_options.destination, Destination::File(_));
    let reopen_log = is_file.then(|| log.reopen());
    let reload = ReloadSignal {
        handle: handle.clone(),
        sources,
        #[cfg(feature = "admin")]
        first: settings.clone(),
        settings,
        log_options,
        inherited_at,
        reopen_log,
    };
    let stop_signal = signals.handle(handle, reload).context("cannot listen for signals")?;
    server.run_with(|| systemd::notify_ready(liveness))?;
    drop(log);
    Ok(stop_signal.get().map_or(status::SUCCESS, status::signalled))
}
