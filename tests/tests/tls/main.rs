//! TLS between both programs, and between each of them and other programs.

mod client;
mod client_faults;
mod client_options;
mod peer_clients;
mod proxies;
mod server;
