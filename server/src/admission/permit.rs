//! The permit of an open connection.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use super::{counts::Counts, policy::ConnectionPolicy, rejection::LimitReached};

/// Admission of one connection. It remembers what it counted, and dropping it releases exactly that, so limits
/// that change meanwhile are never miscounted.
#[derive(Debug)]
pub(crate) struct Permit {
    counts: Arc<Counts>,
    policy: Arc<ConnectionPolicy>,
    /// The source for which the connection is counted. Boxed: without a limit per source there is none.
    source: Option<Box<IpAddr>>,
}

impl Permit {
    /// Takes over one count of the server and one of the listener.
    pub(super) fn new(counts: Arc<Counts>, policy: Arc<ConnectionPolicy>) -> Self {
        Self { counts, policy, source: None }
    }

    /// Returns the policy under which the connection was admitted.
    pub(crate) fn policy(&self) -> &ConnectionPolicy {
        &self.policy
    }

    /// Counts the connection for the source of this address, if there is a limit per source.
    ///
    /// # Errors
    ///
    /// If the source has reached its limit.
    pub(crate) fn count_source(&mut self, peer: IpAddr) -> Result<(), LimitReached> {
        debug_assert!(self.source.is_none(), "a connection has one source");
        self.source = self.counts.acquire_source(peer)?.map(Box::new);
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(source) = &self.source {
            self.counts.release_source(**source);
        }
        self.policy.open.fetch_sub(1, SeqCst);
        self.counts.open.fetch_sub(1, SeqCst);
    }
}
