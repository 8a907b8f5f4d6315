//! The server as a process: its life, its limits, its workers, and the faults that it survives.

mod connection_events;
mod lifecycle;
mod limits;
mod listeners;
mod regressions;
mod regressions_close;
mod regressions_server;
mod slow_peers;
mod worker_pool;
