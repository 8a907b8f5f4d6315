//! Faults on purpose: how they are configured and changed, and what happens to datagrams, messages and protocols.

mod configuration;
mod control;
mod datagrams;
mod faulty;
mod layers;
mod messages;
