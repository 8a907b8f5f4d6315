//! Host: the limits and usage of this machine, as its system reports them.
//!
//! Owns where the values are found, mostly in `/proc` and `/sys`. A value that is not found counts as no
//! limit. Must not know what the values are compared with.
//!
//! Read [`limits`] first.

pub(crate) mod clock;
pub(crate) mod cpu;
pub(crate) mod limits;
mod proc_net;
pub(crate) mod sockets;
