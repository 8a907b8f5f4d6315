//! Data for the endpoints.

use super::{health::Health, rates::Rates};
use crate::{
    connection::{Incoming, Socket},
    metrics::ProcessStats,
    shared::SharedState,
};

/// The state of the server that a request is about.
pub(super) struct Context<'a> {
    pub(super) shared: &'a SharedState<Incoming<Socket>>,
    pub(super) health: &'a Health,
    pub(super) rates: &'a Rates,
    /// The figures of the process, which are read once for each request.
    pub(super) process: ProcessStats,
}
