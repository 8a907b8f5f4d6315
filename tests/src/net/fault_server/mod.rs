//! A TCP echo server inside the test process, with one fault that the test chooses.
//!
//! It must not know who connects. Start with `fault`, the list of faults.
//!
//! | module | what it owns |
//! |---|---|
//! | `fault` | the faults |
//! | `server` | listening, connections, delayed replies |
//! | `stream` | the bytes that one connection returns |
//! | `shared` | what all connections share: counts, and a message of another connection |

mod fault;
mod server;
mod shared;
mod stream;
#[cfg(test)]
mod tests;

pub use self::{fault::Fault, server::FaultServer};
