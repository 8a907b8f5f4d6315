//! Commands to the acceptor, which owns the listeners. A reload sends them; the acceptor executes them
//! between two rounds of its loop and acknowledges each.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
};

use super::listening_socket::StreamListener;
use crate::{admission::ConnectionPolicy, config::limits, shared::SharedState};

/// Queue of commands to the acceptor.
#[derive(Debug, Default)]
pub(crate) struct AcceptorControl {
    commands: Mutex<Commands>,
}

#[derive(Debug, Default)]
struct Commands {
    queue: VecDeque<(Command, Ack)>,
    is_closed: bool,
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
        self.lock().queue.pop_front()
    }

    /// Drops the queued commands and all later ones, and with them the sockets of listeners that never opened.
    pub(crate) fn close(&self) {
        let mut commands = self.lock();
        commands.is_closed = true;
        commands.queue.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Commands> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CommandBatch<'_> {
    pub(crate) fn push(&self, command: Command) {
        let mut commands = self.control.lock();
        if !commands.is_closed {
            commands.queue.push_back((command, Ack { _sender: self.ack.clone() }));
        }
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
