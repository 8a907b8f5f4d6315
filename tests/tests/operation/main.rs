//! What an operator works with: command lines, configuration, the log, reloads, and the files in `docs/deploy/`.

mod command_line;
mod configuration;
mod dashboard;
mod deploy;
mod kubernetes;
mod logging;
mod receipts;
mod reload;
mod service_manager;
mod status;
