//! What others may see of a connection: a sample of its latencies, and its place in a list.
//!
//! Must not know who asks. Read `summary.rs` first.

#[cfg(feature = "admin")]
mod filter;
mod latency;
#[cfg(feature = "admin")]
mod summary;

#[cfg(feature = "admin")]
pub(crate) use self::{
    filter::{Filter, Order},
    summary::Summary,
};
