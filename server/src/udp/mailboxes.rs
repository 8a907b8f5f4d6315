//! Mailboxes: the way of a UDP listener's sockets to the workers, and of the notice that the listener closes.
//!
//! Each worker has a mailbox, which it checks when it is woken.

use std::{
    convert::Infallible,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::Sender,
    },
};

use super::{echo_socket::UdpEchoSocket, listener::UdpListener, policy::UdpPolicy};

/// The mailboxes of all workers.
#[derive(Debug)]
pub(crate) struct UdpMailboxes {
    /// Number of changes.
    version: AtomicUsize,
    contents: Mutex<Contents>,
}

#[derive(Debug)]
struct Contents {
    /// A mailbox for each worker.
    mailboxes: Box<[Vec<UdpEchoSocket>]>,
    /// Ports on which the server listens, one entry per listener.
    ports: Vec<u16>,
    /// The workers collect no more sockets.
    is_closed: bool,
}

impl UdpMailboxes {
    pub(crate) fn new(workers: usize) -> Self {
        let mailboxes = (0..workers).map(|_| Vec::new()).collect();
        let contents = Contents { mailboxes, ports: Vec::new(), is_closed: false };
        Self { version: AtomicUsize::new(0), contents: Mutex::new(contents) }
    }

    /// Puts one socket of the listener into each mailbox. The workers must be woken afterwards.
    pub(crate) fn distribute(&self, listener: UdpListener) {
        let mut contents = self.lock();
        if contents.is_closed {
            return;
        }
        contents.ports.push(listener.policy.port);
        for (mailbox, socket) in contents.mailboxes.iter_mut().zip(listener.sockets) {
            mailbox.push(UdpEchoSocket::new(socket, Arc::clone(&listener.policy)));
        }
        self.version.fetch_add(1, SeqCst);
    }

    /// Makes each worker answer the datagrams that the listener with this policy has received, and close its
    /// socket. The workers must be woken afterwards. `closed` is dropped when all have closed theirs.
    pub(crate) fn close_listener(&self, policy: Arc<UdpPolicy>, closed: Sender<Infallible>) {
        let mut contents = self.lock();
        if let Some(at) = contents.ports.iter().position(|&port| port == policy.port) {
            contents.ports.swap_remove(at);
        }
        policy.close(closed);
        self.version.fetch_add(1, SeqCst);
    }

    /// Returns the new sockets of a worker and the ports on which the server listens, unless nothing has
    /// changed since `seen`.
    pub(super) fn collect(
        &self,
        worker: usize,
        seen: &mut usize,
    ) -> Option<(Vec<UdpEchoSocket>, Box<[u16]>)> {
        // The common case.
        if self.version.load(SeqCst) == *seen {
            return None;
        }
        let mut contents = self.lock();
        *seen = self.version.load(SeqCst);
        Some((mem::take(&mut contents.mailboxes[worker]), contents.ports.as_slice().into()))
    }

    /// Closes the sockets that no worker has collected and all later ones, after the workers have ended.
    pub(crate) fn close(&self) {
        let mut contents = self.lock();
        contents.is_closed = true;
        contents.mailboxes.iter_mut().for_each(Vec::clear);
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
