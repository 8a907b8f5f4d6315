//! The list of connections: what a worker is asked for, and what it answers.
//!
//! A request always has an answer: that of a worker that has ended is empty, because it has no connections any more. It is
//! sent when the request is dropped.

use std::sync::Arc;

use crossbeam::channel::Sender;
use mio::Waker;

use crate::connection::{Filter, Order, Summary};

/// A request for some connections of a worker.
#[derive(Debug)]
pub(crate) struct ListRequest {
    /// The first slot to examine.
    pub(crate) from: usize,
    /// Maximum number of connections in the answer.
    pub(crate) max: usize,
    pub(crate) filter: Arc<Filter>,
    /// `None`: in the order of their slots. Otherwise the answer has the highest ones, from this rank on.
    pub(crate) order: Option<(Order, u64)>,
    reply: Reply,
}

/// Connections of a worker.
#[derive(Debug)]
pub(crate) struct ListPage {
    /// The identity of the list.
    pub(crate) list: u64,
    /// The index of the worker.
    pub(crate) worker: usize,
    /// The connections with their ranks, which are 0 without an order.
    pub(crate) connections: Vec<(u64, Summary)>,
    /// The slot at which the next request continues. `None`: there are no more.
    pub(crate) next: Option<usize>,
}

/// The way to the thread that asks.
#[derive(Debug)]
struct Reply {
    list: u64,
    worker: usize,
    pages: Sender<ListPage>,
    waker: Arc<Waker>,
    is_sent: bool,
}

impl ListRequest {
    /// Creates a request to the worker with this index. The answer has the identity of the list.
    pub(crate) fn new(
        (list, worker): (u64, usize),
        (from, max): (usize, usize),
        filter: Arc<Filter>,
        order: Option<(Order, u64)>,
        (pages, waker): (Sender<ListPage>, Arc<Waker>),
    ) -> Self {
        let reply = Reply { list, worker, pages, waker, is_sent: false };
        Self { from, max, filter, order, reply }
    }

    /// Answers the request.
    pub(crate) fn answer(mut self, connections: Vec<(u64, Summary)>, next: Option<usize>) {
        self.reply.send(connections, next);
    }
}

impl Reply {
    fn send(&mut self, connections: Vec<(u64, Summary)>, next: Option<usize>) {
        self.is_sent = true;
        // If the thread that asked has ended, nobody waits.
        let (list, worker) = (self.list, self.worker);
        let _ = self.pages.send(ListPage { list, worker, connections, next });
        let _ = self.waker.wake();
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.is_sent {
            self.send(Vec::new(), None);
        }
    }
}
