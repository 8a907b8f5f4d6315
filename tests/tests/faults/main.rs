//! Faults on purpose: how they are configured and changed, what happens to datagrams, messages and protocols, what other
//! programs see of them, and how the server ends with them.

mod configuration;
mod control;
mod datagrams;
mod drain;
mod faulty;
mod layers;
mod messages;
mod peers;
mod proof;
mod proxies;
mod record;
