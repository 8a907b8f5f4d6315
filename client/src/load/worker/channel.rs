//! What the loop drives, whatever it is: a connection, or a socket for datagrams.
//!
//! The loop is compiled for each kind, so that it costs a byte nothing that there are two.

use std::{io, time::Duration};

use mio::event::Event;

use crate::load::worker::context::Bench;

/// One of the things that messages go out on and come back on.
pub trait Channel: Sized {
    /// The `index`-th of its process, not connected yet.
    fn new(bench: &Bench<'_>, index: u32) -> Self;

    /// Begins to connect.
    ///
    /// # Errors
    ///
    /// The system has no descriptor or no port for it, or the server's address cannot be reached. If it is
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), there may be room in a moment.
    fn connect(&mut self, bench: &mut Bench<'_>) -> io::Result<()>;

    /// Whether it is still being made.
    fn is_connecting(&self) -> bool;

    /// Finishes connecting, if it is connecting and the socket says so.
    ///
    /// # Errors
    ///
    /// There is no connection to be had.
    fn finish_connect(&mut self, bench: &mut Bench<'_>) -> io::Result<()>;

    /// A message is due (open loop). Says whether it is the first that waits, so that this channel must
    /// [go on](Self::go_on).
    fn due(&mut self, due: Duration) -> bool;

    /// The poll has told something of the socket.
    fn ready(&mut self, bench: &mut Bench<'_>, event: &Event);

    /// The socket may be ready, or there may be something new to send: goes as far as it can, and as is
    /// fair to the others.
    fn go_on(&mut self, bench: &mut Bench<'_>);

    /// Whether it has to [go on](Self::go_on) without being told by the poll. Forgets it.
    fn take_again(&mut self) -> bool;

    /// Nothing new is to be sent: ends if nothing is under way.
    fn stop(&mut self, bench: &mut Bench<'_>);

    /// Gives up what has taken too long. To be called now and then.
    fn watch(&mut self, bench: &mut Bench<'_>, now: Duration);

    /// Whether it will do nothing more.
    fn is_over(&self) -> bool;

    /// All are over: counts what can only be told now.
    fn conclude(all: &[Self], bench: &mut Bench<'_>);
}
