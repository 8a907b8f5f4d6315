//! Channel: a connection, or a UDP socket, as the event loop sees it.
//!
//! The event loop is compiled for each kind, so the abstraction has no cost at run time.

use std::{io, time::Duration};

use mio::event::Event;

use super::context::Context;
use crate::load::ipc::worker_config::WorkerConfig;

/// Connection or socket on which messages are sent and returned.
pub(crate) trait Channel: Sized {
    /// Number of channels that have a turn before those that have to send are looked for again (open loop): many channels
    /// that only receive must not delay a message that is due.
    const TURNS_BETWEEN_SENDS: usize = usize::MAX;

    /// State that the channels of a process share.
    type Shared;

    /// Creates the state that the channels share.
    fn shared(config: &WorkerConfig) -> Self::Shared;

    /// Creates the channel with this index in its process, without connecting it.
    fn new(context: &Context<'_, Self::Shared>, index: u32) -> Self;

    /// Starts to connect.
    ///
    /// # Errors
    ///
    /// The system has no descriptor or port left, or no route to the server.
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) is temporary.
    fn connect(&mut self, context: &mut Context<'_, Self::Shared>) -> io::Result<()>;

    /// Returns `true` while it is connecting.
    fn is_connecting(&self) -> bool {
        false
    }

    /// Returns `true` while it is connected.
    fn is_open(&self) -> bool {
        !self.is_connecting() && !self.is_finished()
    }

    /// Returns the error for a handshake of a layer that is not complete within the limit; `None` if there is no handshake
    /// in progress.
    fn late_handshake(&self, _: Duration) -> Option<io::Error> {
        None
    }

    /// Finishes connecting, if the socket is ready.
    ///
    /// # Errors
    ///
    /// The connection cannot be made.
    fn finish_connect(&mut self, _: &mut Context<'_, Self::Shared>) -> io::Result<()> {
        Ok(())
    }

    /// Tells how many messages of the channel have become due since the start (open loop). Returns `true` if the
    /// channel had no backlog and has one now, so that it has to be [driven](Self::drive).
    fn extend_backlog(&mut self, due: u64) -> bool;

    /// Handles an event of the socket.
    fn handle_event(&mut self, context: &mut Context<'_, Self::Shared>, event: &Event);

    /// Receives and sends as far as possible, within the limit of a turn.
    fn drive(&mut self, context: &mut Context<'_, Self::Shared>);

    /// Returns `true` if it reached the limit of a turn, and has to be driven without an event. Clears the
    /// flag.
    fn take_yielded(&mut self) -> bool;

    /// Stops sending, and finishes if nothing is in flight.
    fn stop(&mut self, context: &mut Context<'_, Self::Shared>);

    /// Drops the messages of the warm-up that have not been sent (open loop), at its end.
    fn drop_warmup(&mut self, context: &mut Context<'_, Self::Shared>);

    /// Gives up the messages that are due and have not been sent (open loop), after a stop.
    fn drop_unsent(&mut self, context: &mut Context<'_, Self::Shared>);

    /// Applies the time limits; to be called regularly.
    fn check_timeouts(&mut self, context: &mut Context<'_, Self::Shared>, now: Duration);

    /// Returns `true` if it has nothing more to do.
    fn is_finished(&self) -> bool;

    /// Counts what is known only when all channels are finished.
    fn finalize(all: &[Self], context: &mut Context<'_, Self::Shared>);
}
