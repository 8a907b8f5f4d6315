//! Commands to the acceptor, which owns the listeners. A reload sends them; the acceptor executes them
//! between two rounds of its loop and acknowledges each.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
};

use crossbeam::queue::SegQueue;

use super::listening_socket::StreamListener;
use crate::{admission::ConnectionPolicy, config::limits, shared::SharedState};

/// Queue of commands to the acceptor.
#[derive(Debug, Default)]
pub(crate) struct AcceptorControl {
    commands: SegQueue<(Command, Ack)>,
}

/// A command to the acceptor. A listener is identified by its present policy.
#[derive(Debug)]
pub(crate) enum Command {
    /// Accept from this listener as well.
    Open(StreamListener),
    /// Replace the first policy by the second for new connections.
    Change(Arc<ConnectionPolicy>, Arc<ConnectionPolicy>),
    /// Accept the connections in the backlog of the listener, then close it.
    Close(Arc<ConnectionPolicy>),
}

/// Acknowledgement of a command: dropped when the command has been executed.
#[derive(Debug)]
pub(crate) struct Ack {
    _sender: Sender<Infallible>,
}

/// Commands that the acceptor executes before the sender continues.
pub(crate) struct CommandBatch<'a> {
    control: &'a AcceptorControl,
    ack: Sender<Infallible>,
    acked: Receiver<Infallible>,
}

impl AcceptorControl {
    /// Begins a batch of commands.
    pub(crate) fn batch(&self) -> CommandBatch<'_> {
        let (ack, acked) = mpsc::channel();
        CommandBatch { control: self, ack, acked }
    }

    /// Returns the next command for the acceptor.
    pub(super) fn next(&self) -> Option<(Command, Ack)> {
        self.commands.pop()
    }

    /// Drops the commands that came too late, and with them the sockets of listeners that never opened.
    pub(crate) fn clear(&self) {
        while self.commands.pop().is_some() {}
    }
}

impl CommandBatch<'_> {
    pub(crate) fn push(&self, command: Command) {
        self.control.commands.push((command, Ack { _sender: self.ack.clone() }));
    }

    /// Returns a sender that delays [`wait`](Self::wait) until it is dropped.
    pub(crate) fn ack(&self) -> Sender<Infallible> {
        self.ack.clone()
    }

    /// Wakes the threads and waits until all commands are executed, for at most [`limits::COMMAND_TIMEOUT`]. If that
    /// is too short, the system lacks a resource, and the acceptor logs the failure.
    pub(crate) fn wait<T>(self, shared: &SharedState<T>) {
        drop(self.ack);
        shared.dispatch.wake_all();
        let _ = self.acked.recv_timeout(limits::COMMAND_TIMEOUT);
    }
}
