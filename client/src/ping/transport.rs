//! Transport of round trips, as the loop sees it.

use std::time::Duration;

use crate::net::{poll::Deadline, target::ConnectionTimes};

use super::{error::Error, sequence::Unexpected};

/// Path to a server on which round trips are made.
pub(super) trait Transport {
    /// Returns the text of the server's address.
    fn server(&self) -> String;

    /// Makes one round trip of `size` bytes, and returns how long it took.
    ///
    /// # Errors
    ///
    /// All errors mean a lost round trip, except an interrupt and a failed output.
    fn round_trip(
        &mut self,
        seq: u64,
        size: usize,
        on_unexpected: OnUnexpected<'_>,
    ) -> Result<Duration, Error>;

    /// Waits until the next round trip starts, or until Ctrl+C.
    fn wait(&mut self, until: Deadline, on_unexpected: OnUnexpected<'_>) -> Result<(), Error>;

    /// Returns the times of a connection that was made since the last call, if there is one.
    fn take_connection_times(&mut self) -> Option<ConnectionTimes> {
        None
    }

    /// Returns the advice for an error of a layer, or for a server that seems to expect TLS or a login.
    fn advice(&self, _: &Error) -> Option<String> {
        None
    }

    /// Closes the path.
    fn close(self);
}

/// Callback for everything that arrives besides the awaited reply.
pub(super) type OnUnexpected<'a> = &'a mut dyn FnMut(&Unexpected) -> Result<(), Error>;
