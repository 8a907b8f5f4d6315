//! The permit of an open connection.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use super::{
    counts::{CountedSource, Counts, try_increment},
    policy::ConnectionPolicy,
    rejection::LimitReached,
};
#[cfg(feature = "login")]
use crate::login::{Account, Authenticator};

/// Admission of one connection. It remembers what it counted, and dropping it releases exactly that, so limits
/// that change meanwhile are never miscounted.
#[derive(Debug)]
pub(crate) struct Permit {
    counts: Arc<Counts>,
    policy: Arc<ConnectionPolicy>,
    /// Boxed: a plain connection without a limit per source has none.
    extra: Option<Box<ExtraCounts>>,
}

/// The counts in which not every connection is.
#[derive(Debug, Default)]
struct ExtraCounts {
    source: Option<CountedSource>,
    /// The handshake is under way.
    is_handshake: bool,
    /// The user who has logged in.
    #[cfg(feature = "login")]
    account: Option<Account>,
    /// Bytes that were sent until then.
    #[cfg(feature = "login")]
    sent_before_login: u64,
}

impl Permit {
    /// Takes over one count of the server and one of the listener.
    pub(super) fn new(counts: Arc<Counts>, policy: Arc<ConnectionPolicy>) -> Self {
        Self { counts, policy, extra: None }
    }

    /// Returns the policy under which the connection was admitted.
    pub(crate) fn policy(&self) -> &ConnectionPolicy {
        &self.policy
    }

    /// Releases the place, and returns the policy under which the connection was admitted.
    pub(crate) fn release(self) -> Arc<ConnectionPolicy> {
        Arc::clone(&self.policy)
    }

    /// Returns the authenticator of the server.
    #[cfg(feature = "login")]
    pub(crate) fn authenticator(&self) -> &Arc<Authenticator> {
        &self.counts.authenticator
    }

    /// Returns the user who has logged in.
    #[cfg(feature = "login")]
    pub(crate) fn account(&self) -> Option<&Account> {
        self.extra.as_ref()?.account.as_ref()
    }

    /// Returns the number of bytes that were sent until the user had logged in.
    #[cfg(feature = "login")]
    pub(crate) fn sent_before_login(&self) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.sent_before_login)
    }

    /// Sets the user who has logged in behind so many sent bytes, until the connection closes.
    #[cfg(feature = "login")]
    pub(crate) fn set_account(&mut self, account: Account, sent: u64) {
        let extra = self.extra.get_or_insert_default();
        extra.account = Some(account);
        extra.sent_before_login = sent;
    }

    /// Counts the connection for the source of this address, if there is a limit per source.
    ///
    /// # Errors
    ///
    /// If the source has reached its limit.
    pub(crate) fn count_source(&mut self, peer: IpAddr) -> Result<(), LimitReached> {
        let is_handshake = self.extra.as_ref().is_some_and(|extra| extra.is_handshake);
        if let Some(source) = self.counts.acquire_source(peer, is_handshake)? {
            let extra = self.extra.get_or_insert_default();
            debug_assert!(extra.source.is_none(), "a connection has one source");
            extra.source = Some(source);
        }
        Ok(())
    }

    /// Counts a handshake under way.
    ///
    /// # Errors
    ///
    /// If the server has `max` of them.
    pub(super) fn begin_handshake(&mut self, max: usize) -> Result<(), LimitReached> {
        try_increment(&self.counts.handshakes, max).map_err(LimitReached::Handshakes)?;
        self.extra.get_or_insert_default().is_handshake = true;
        Ok(())
    }

    /// Counts the end of the handshake, if there is one.
    pub(crate) fn end_handshake(&mut self) {
        let Some(extra) = &mut self.extra else { return };
        if std::mem::take(&mut extra.is_handshake) {
            self.counts.handshakes.fetch_sub(1, SeqCst);
        }
        match &mut extra.source {
            Some(source) => self.counts.end_source_handshake(source),
            None => self.extra = None,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(extra) = &self.extra {
            if extra.is_handshake {
                self.counts.handshakes.fetch_sub(1, SeqCst);
            }
            if let Some(source) = &extra.source {
                self.counts.release_source(source);
            }
        }
        self.policy.open.fetch_sub(1, SeqCst);
        self.counts.open.fetch_sub(1, SeqCst);
    }
}
