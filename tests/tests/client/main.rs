//! The client as a process: at the prompt, as a filter, and its pings.

mod filter;
mod interactive;
mod ping;
mod ping_udp;
mod regressions_client;
mod urls;
