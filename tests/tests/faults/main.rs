//! Faults on purpose: how they are configured and changed.

mod configuration;
mod control;
