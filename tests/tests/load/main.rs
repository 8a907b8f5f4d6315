//! `echo-client load` as processes: what it checks, finds, measures and reports.

mod faults;
mod load;
mod machines;
mod processes;
mod receipt;
mod report;
mod restart;
mod room;
mod saved_reports;
mod tls;
mod udp;
mod websocket;
