//! What an operator works with: command lines, configuration, the log, reloads, the files in `docs/deploy/`, and the packages.

mod command_line;
mod configuration;
mod dashboard;
mod deploy;
mod kubernetes;
mod logging;
mod packages;
mod receipts;
mod reload;
mod service_manager;
mod status;
