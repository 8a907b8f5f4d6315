//! The client as a process: at the prompt, as a filter, with a receipt, in a room, and its pings.

mod chat;
mod filter;
mod interactive;
mod login;
mod login_servers;
mod ping;
mod ping_udp;
mod receipt;
mod regressions_client;
mod urls;
