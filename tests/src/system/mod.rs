//! Processes and sockets as the kernel reports them, and signals and limits of processes.
//!
//! It must not know which programs run. Start with [`procfs`].
//!
//! | module | what it owns |
//! |---|---|
//! | [`procfs`] | threads, descriptors, memory and listeners of a process |
//! | [`tcp`] | the kernel's table of TCP sockets |
//! | [`process`] | signals, exits and limits of processes |

pub mod process;
pub mod procfs;
pub mod tcp;
