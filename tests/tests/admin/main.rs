//! The admin listener of the server: its endpoints, and what clients cannot do to it.

mod client;
mod connections;
mod control;
mod endpoints;
mod health;
mod hostile;
mod metrics;
mod metrics_page;
mod prometheus;
mod status_view;
