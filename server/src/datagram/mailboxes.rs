//! How a listener's sockets get to their workers while those run, and how it is withdrawn again.
//!
//! Each worker has a box, and looks into it when it is woken and there is news; a worker that is not
//! woken does not look.

use std::{
    convert::Infallible,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::Sender,
    },
};

use super::{DatagramListener, Rules, responder::Responder};

/// What has been posted to the workers.
#[derive(Debug)]
pub(crate) struct Mailboxes {
    /// How often there was something new.
    news: AtomicUsize,
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    /// A box for each worker.
    boxes: Box<[Vec<Responder>]>,
    /// Where the server listens; a port as often as there are listeners on it.
    ports: Vec<u16>,
}

impl Mailboxes {
    pub(crate) fn new(workers: usize) -> Self {
        let inside =
            Inside { boxes: (0..workers).map(|_| Vec::new()).collect(), ports: Vec::new() };
        Self { news: AtomicUsize::new(0), inside: Mutex::new(inside) }
    }

    /// Has each worker serve one of the listener's sockets. They are to be woken after that.
    pub(crate) fn deal(&self, listener: DatagramListener) {
        let mut inside = self.open();
        inside.ports.push(listener.rules.port);
        for (mailbox, socket) in inside.boxes.iter_mut().zip(listener.sockets) {
            mailbox.push(Responder::new(socket, Arc::clone(&listener.rules)));
        }
        self.news.fetch_add(1, SeqCst);
    }

    /// Has each worker answer what has come to the listener with these rules, and close its socket. They
    /// are to be woken after that. `closed` is dropped when all have done so.
    pub(crate) fn withdraw(&self, rules: Arc<Rules>, closed: Sender<Infallible>) {
        let mut inside = self.open();
        if let Some(at) = inside.ports.iter().position(|&port| port == rules.port) {
            inside.ports.swap_remove(at);
        }
        rules.withdraw(closed);
        self.news.fetch_add(1, SeqCst);
    }

    /// What is new to the worker at `seat`, which has `seen` so much: its new sockets, and where the
    /// server listens now.
    pub(super) fn collect(
        &self,
        seat: usize,
        seen: &mut usize,
    ) -> Option<(Vec<Responder>, Box<[u16]>)> {
        // Nearly always there is nothing.
        if self.news.load(SeqCst) == *seen {
            return None;
        }
        let mut inside = self.open();
        *seen = self.news.load(SeqCst);
        Some((mem::take(&mut inside.boxes[seat]), inside.ports.as_slice().into()))
    }

    /// Closes what nobody has collected: for whoever clears up behind the workers.
    pub(crate) fn clear(&self) {
        self.open().boxes.iter_mut().for_each(Vec::clear);
    }

    fn open(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
